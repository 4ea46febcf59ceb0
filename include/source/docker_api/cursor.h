/* Where reading stands in one container's log when it comes from the Engine's API. The API has no offsets, so
 * for each stream it is the time of the last entry taken, and how many entries with exactly that time were
 * taken (the pieces of a long line all bear one). Within a stream the Engine keeps entries in the order in
 * which they were written. Between the two, times may be out of order by a little: two threads of the Engine
 * take an entry's time and then write it.
 *
 * As a struct position: held[s] is where stream s goes on (always set), which is before what the pipeline
 * holds of it. All times are the Engine's, in ns since 1970. */
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
        bool skipping;       /* the log was opened (again), and not all that was taken already came since */
        uint32_t skipped;    /* entries with exactly last.time_ns that were passed over since */
        bool held_back;      /* `last` stands before a line that was held back, and nothing was taken since */
        bool missed; /* what marks the end of the entries taken did not come since the log was opened */
        bool leans;  /* that is the other stream's last entry, taken after all of this one's */
        struct pending hold;
    } stream[STREAM_COUNT];
    /* Set by the owner after cursor_start. */
    bool single;     /* a terminal's log: there is only stdout */
    bool repeats;    /* the Engine may tell again what it told, and nothing older than it was asked for */
    int64_t seen_ns; /* time of the entry that came last, taken or not; 0: none */
};

/* Starts at a position that was kept. NULL, or one of another kind: at the beginning. */
void cursor_start(struct api_cursor *c, const struct position *pos);
/* Starts with the entries of that time and later. */
void cursor_start_at(struct api_cursor *c, int64_t time_ns);

/* The clock was set back to `now_ns`, and the last entry taken is of a time to come: asked for what follows
 * it, the Engine would leave out all that is written until then. From now on entries are taken that are of
 * CURSOR_BACK_NS before now, and later. */
void cursor_set_back(struct api_cursor *c, int64_t now_ns);
#define CURSOR_BACK_NS INT64_C(2000000000)

/* The log is about to be opened (again). `more`: of each stream, the last entry is a piece of a line, whose others bear
 * the same time, however late they are written. Returns since when to ask for entries; 0: all. Those that were taken
 * already will be passed over. */
int64_t cursor_open(struct api_cursor *c, const bool *more);

/* After opening: is an entry to come that was taken already? It does not come if it was rotated away. */
bool cursor_expects(const struct api_cursor *c);

/* Does this entry, which is not passed over, come too early? The last entry taken, which did not come since the log was
 * opened, was rotated away; or the clock was set back, that one comes later, and this one was taken long ago. */
bool cursor_misses(const struct api_cursor *c, enum stream stream, int64_t time_ns);
/* The stream whose last entry is meant by that. */
enum stream cursor_awaits(const struct api_cursor *c, enum stream stream);

/* Will cursor_take say that this entry was taken already? */
bool cursor_passes(const struct api_cursor *c, enum stream stream, int64_t time_ns);

/* An entry came. False: it was taken already. True: it is taken now; *offset is where it begins, for
 * cursor_put. */
bool cursor_take(struct api_cursor *c, enum stream stream, int64_t time_ns, union source_offset *offset);

/* The entry was put into the pipeline: `result` is what feed_put returned. */
void cursor_put(struct api_cursor *c, enum stream stream, unsigned result, const union source_offset *offset);

/* The line that the stream's last entry is a piece of is to be taken anew, from its first piece on. */
void cursor_restart_line(struct api_cursor *c, enum stream stream);

/* The pipeline emitted what it held (feed_calls.released). */
void cursor_released(struct api_cursor *c, enum stream stream);

struct position cursor_position(const struct api_cursor *c);

/* Time of the newest entry taken; 0: none. */
int64_t cursor_newest(const struct api_cursor *c);

#endif
