/* Where reading stands in one container's log when it comes from the Engine's API, which has no offsets: for
 * each stream the time of the last entry taken, and how many entries with exactly that time were (the pieces
 * of a long line all bear one). Within a stream the Engine keeps the order in which entries were written;
 * between the two, times may be out of order by a little, for two threads of the Engine's stamp and then
 * write them.
 *
 * As a struct position: held[s] is where stream s goes on (always set), which is before what the pipeline
 * holds of it. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_CURSOR_H
#define SIDETAIL_SOURCE_DOCKER_API_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "record/pending.h"
#include "record/position.h"

/* How far an entry of one stream may be written behind a later one of the other. */
#define CURSOR_SLACK_NS INT64_C(1000000000)

struct api_cursor {
    struct {
        struct api_pos last; /* of the entries taken; before any: {0, 0} */
        bool skipping;       /* after (re)opening: what comes may be taken already */
        uint32_t skipped;    /* entries with exactly last.time_ns passed over since */
        struct pending hold;
    } stream[STREAM_COUNT];
    bool single;     /* a terminal's log: there is only stdout. Set by the owner after cursor_start */
    int64_t seen_ns; /* time of the entry that came last, taken or not; 0: none */
};

/* At a position that was kept; NULL, or one of another kind: the beginning. */
void cursor_start(struct api_cursor *c, const struct position *pos);
/* Only entries of that time and later. */
void cursor_start_at(struct api_cursor *c, int64_t time_ns);

/* The clock was set back to `now_ns`, and the last entry taken is of a time to come: asked for what follows
 * it, the Engine would leave out all that is written until then. From now on entries are taken from
 * CURSOR_BACK_NS before now on. */
void cursor_set_back(struct api_cursor *c, int64_t now_ns);
#define CURSOR_BACK_NS INT64_C(2000000000)

/* A stream is about to be opened (anew): since when to ask for entries; 0: all. What was taken already is
 * passed over. */
int64_t cursor_open(struct api_cursor *c);

/* After opening: is an entry to come that was taken already? (unless the log was rotated meanwhile) */
bool cursor_expects(const struct api_cursor *c);

/* Will cursor_take say that this entry is taken already? */
bool cursor_passes(const struct api_cursor *c, enum stream stream, int64_t time_ns);

/* An entry came. False: it is taken already. True: it is taken now; *place is where it begins, for
 * cursor_put. */
bool cursor_take(struct api_cursor *c, enum stream stream, int64_t time_ns, union source_offset *place);

/* What pipeline_put returned for it. */
void cursor_put(struct api_cursor *c, enum stream stream, unsigned result, const union source_offset *place);

/* The pipeline emitted what it held (feed_calls.released). */
void cursor_released(struct api_cursor *c, enum stream stream);

struct position cursor_position(const struct api_cursor *c);

/* Time of the newest entry taken; 0: none. */
int64_t cursor_newest(const struct api_cursor *c);

#endif
