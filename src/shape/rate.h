/* How many lines may pass. */
#ifndef SIDETAIL_SHAPE_RATE_H
#define SIDETAIL_SHAPE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/stream.h"

struct rate {
    int64_t limit, burst; /* lines a second; 0: no limit */
};

struct bucket {
    double tokens;
    int64_t last_ns; /* time of the last line looked at; 0: none yet */
    /* What was dropped and not said yet. */
    uint64_t dropped;
    int64_t first_ns, latest_ns; /* times of the first and the latest of those lines */
    int64_t due_ns;              /* monotonic: say it then */
    enum stream stream;
};

/* May a record of so many lines, written at that time, pass? */
bool rate_pass(const struct rate *r, struct bucket *b, int64_t time_ns, uint32_t lines);
void rate_dropped(struct bucket *b, int64_t time_ns, uint32_t lines, enum stream stream);
/* Is it time for a notice, by the lines' own time? */
bool rate_notice_due(const struct bucket *b);
/* Writes the notice and begins to count anew. Returns its length. */
#define RATE_NOTICE_MAX 128
size_t rate_notice(struct bucket *b, char text[RATE_NOTICE_MAX]);

#endif
