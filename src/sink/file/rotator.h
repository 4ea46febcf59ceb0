/* Rotation: P → P.1, P.1 → P.2 and so on, and a new P; when it is due, and how it is done. (Of the table in
 * file.c: steps 1 to 4, and the removing in step 7.) */
#ifndef SIDETAIL_SINK_FILE_ROTATOR_H
#define SIDETAIL_SINK_FILE_ROTATOR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "gzip.h"
#include "location.h"
#include "output.h"
#include "record/batch.h"

/* Only rotator.c writes it. `at`, `cfg` and `gzip` belong to the caller. */
struct rotator {
    const struct location *at;
    const struct config *cfg; /* read anew each time, for a reload changes it */
    struct gzip *gzip;        /* is told which files moved */
    struct event *timer;
    void (*wake)(void *arg);
    void *arg;
    bool due;              /* the file is old enough, or the wait after a failed rotation is over */
    bool failing;          /* the last rotation failed */
    int64_t not_before_ns; /* monotonic; after a failed rotation */
};

/* `wake` is called from the loop when `due` has become true. 0 or -1 (memory). Call rotator_free in either
 * case; a zeroed one is fine too. */
int rotator_init(struct rotator *r, struct event_base *base, const struct location *at,
                 const struct config *cfg, struct gzip *gzip, void (*wake)(void *arg), void *arg);
void rotator_free(struct rotator *r);

/* At a start: removes the empty P.new that a kill left behind. */
void rotator_clean(const struct rotator *r);

/* Measures the age of `out` from its since_ns on; to be called when that changes, or `out` is empty. */
void rotator_watch_age(struct rotator *r, const struct output *out);
/* The same for an output that takes the place of another: what was due was due for that one. */
void rotator_begin_output(struct rotator *r, const struct output *out);

/* Is `out` to be rotated before `next` is written into it (NULL: nothing is to be written)? */
bool rotator_is_due(const struct rotator *r, const struct output *out, const struct batch *next);
/* Bytes that `out` still takes before rotation by size is due. */
uint64_t rotator_room(const struct rotator *r, const struct output *out);

/* Moves `out` to P.1 and opens a new file at P as *to, which the caller goes on in; where somebody else moved
 * `out` away, opens P only. Not while a batch is half written. 0, or -1: logged, and tried again later. */
int rotator_run(struct rotator *r, const struct output *out, struct output *to);

/* Removes rotated files beyond the number to be kept. Only when the saved checkpoint names the output. */
void rotator_prune(const struct rotator *r);

#endif
