/* Compresses rotated files, the oldest first and one after the other, in steps of the loop that take about a
 * millisecond each. (Steps 8 to 10 of the table in file.c.) */
#ifndef SIDETAIL_SINK_FILE_GZIP_H
#define SIDETAIL_SINK_FILE_GZIP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "location.h"

struct gzip_job;

/* Only gzip.c writes it. `at` and `cfg` belong to the caller. */
struct gzip {
    const struct location *at;
    const struct config *cfg; /* read anew each time, for a reload changes it */
    struct event *timer;
    bool held;            /* nothing new is begun */
    struct gzip_job *job; /* what is being compressed; NULL: nothing */
};

/* Held at first. 0 or -1 (memory). Call gzip_free in either case; a zeroed one is fine too. */
int gzip_init(struct gzip *g, struct event_base *base, const struct location *at, const struct config *cfg);
/* Stops; the file that is being compressed stays as it was. */
void gzip_free(struct gzip *g);

/* At a start: removes what a kill left behind half done, or done twice. */
void gzip_clean(const struct gzip *g);

/* The saved checkpoint names the output, and so none of the rotated files: compresses them from now on. To be
 * called again when there may be a further one. */
void gzip_begin(struct gzip *g);
/* The saved checkpoint may name a rotated file from now on: no new one is begun until gzip_begin. The job that
 * is running is on an older file, and goes on. */
void gzip_hold(struct gzip *g);

/* P.<number> was renamed to P.<number + 1>. */
void gzip_moved(struct gzip *g, int64_t number);

#endif
