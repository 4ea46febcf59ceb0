/* A log may end with a line that is not whole. While somebody may go on with it, it waits for its rest. Where the
 * file is deleted, or what wrote it has ended, it is delivered as it is, once nothing came for partial_wait. */
#ifndef SIDETAIL_SOURCE_LOG_LAST_LINE_H
#define SIDETAIL_SOURCE_LOG_LAST_LINE_H

#include "lines.h"

/* Set up as {0} by the log's follow, which sets `ended` and takes `due` back; else only last_line.c writes it. */
struct last_line {
    bool ended;       /* what wrote the log does not run */
    bool due;         /* what stands there unfinished is to be put once the rest is read */
    int64_t since_ns; /* monotonic: nothing has come since; 0: nothing is unfinished */
    uint64_t size;    /* of the file then */
};

/* Is something unfinished there that nobody will go on with? */
bool last_line_owed(const struct last_line *l, const struct lines *lines);
/* Likewise of a log whose file is closed for now, as far as is known. */
bool last_line_owed_closed(const struct last_line *l, const struct lines *lines);
/* It was read to its end, or a second has passed: is it due by now? */
bool last_line_look(struct last_line *l, const struct lines *lines);

#endif
