/* What the files of the pipeline share; nobody else includes this. */
#ifndef SIDETAIL_PIPELINE_INTERNAL_H
#define SIDETAIL_PIPELINE_INTERNAL_H

#include <sys/queue.h>

#include "base/clock.h"
#include "encode/encode.h"
#include "pipeline/pipeline.h"
#include "record/batch.h"
#include "shape/shape.h"

/* A line whose parts have not all come. Its text is copied here. */
struct join {
    bool active;
    bool escaped; /* of the text: as in struct record */
    struct buf text;
    size_t length; /* of what it stands for, not escaped */
    char time[CLOCK_TEXT_MAX];
    size_t time_len;
};

struct feed {
    struct pipeline *pl;
    TAILQ_ENTRY(feed) link; /* while it is open */
    struct feed_key *key;
    struct tags *tags;
    struct feed_calls calls;
    struct join joins[STREAM_COUNT];
    struct shape_state *shape; /* NULL: no shaping, or nothing put yet */
    uint64_t mark_seq;         /* the batch in which mark_index is this feed's newest mark */
    uint32_t mark_index;
    uint64_t lag;
    char newest[CLOCK_TEXT_MAX]; /* time of the newest line put */
    size_t newest_len;
};

struct pipeline {
    struct event_base *base;
    const struct config *cfg;
    struct checkpoint *checkpoint;
    struct sink *sink;
    struct source_calls source;
    const struct encoder *encoder;
    void *encoder_state;

    struct batch *current;           /* being filled; NULL: none yet */
    struct batch *spare;             /* emptied, to be filled again */
    struct batch **all;              /* every batch ever made */
    unsigned made, limit, in_flight; /* made may exceed limit by a few: a mark is never refused */
    uint64_t next_seq;

    size_t join_bytes; /* held in joins of all feeds */
    size_t join_limit;
    struct buf join_room; /* of a join that is over; empty */
    bool starved;         /* the source was told that there is no room */
    bool draining;        /* see pipeline_drain */
    bool save_soon;       /* the timer was set to a save before checkpoint.interval is over */
    bool save_failing;    /* the last save of the checkpoint failed */
    void (*drained)(void *arg);
    void *drained_arg;

    TAILQ_HEAD(feed_list, feed) feeds; /* those open */
    struct shape *shape;               /* NULL: nothing is to be shaped */
    int64_t shape_due;                 /* monotonic; when shape_timer fires */

    struct event *age_timer, *save_timer, *shape_timer, *resume_event;
};

/* feed.c */
/* Puts the record through the join of its stream; returns as pipeline_put does. */
unsigned feed_join(struct feed *feed, struct record *rec);

/* Keeps the time of a line just put. That is cheap; parsing it waits for feed_tell_time, which tells the
 * metrics. */
static inline void feed_note_time(struct feed *feed, struct slice time)
{
    feed->newest_len = time.len < sizeof(feed->newest) ? time.len : 0;
    if (feed->newest_len > 0) {
        memcpy(feed->newest, time.ptr, feed->newest_len);
    }
}
void feed_tell_time(struct feed *feed);

/* pipeline.c */
/* A whole line, or a cut piece of one, on its way into the batch. Returns as pipeline_put does. */
unsigned pipeline_line(struct pipeline *pl, struct feed *feed, struct record *rec);
/* Into the batch, as it is. */
void pipeline_emit(struct pipeline *pl, struct feed *feed, const struct record *rec);
void pipeline_arm_timer(struct event *timer, int64_t ns);
void pipeline_wake_source(struct pipeline *pl); /* where it was told to wait, and need not any more */

/* pool.c */
struct batch *pool_take(struct pipeline *pl);             /* an empty one */
void pool_put_back(struct pipeline *pl, struct batch *b); /* one that was acknowledged */
void pool_drop(struct pipeline *pl, struct batch *b);     /* frees it */

/* save.c; also pipeline_save */
void save_arm(struct pipeline *pl); /* where there is something to save, and no save is to come */
void save_due(evutil_socket_t fd, short what, void *arg); /* save_timer's callback */
bool save_holds_back(const struct pipeline *pl);          /* may nothing be read until a save succeeds? */

/* shaping.c */
unsigned shaping_put(struct feed *feed, const struct record *rec); /* returns as pipeline_put does */
void shaping_flush(struct feed *feed);                             /* lets go of all that is held */
void shaping_tick(struct pipeline *pl);                            /* … of what is due */
void shaping_drain(struct pipeline *pl); /* … of all, while there is room: what else is held is read again */
int shaping_configure(struct pipeline *pl, const struct config *cfg, struct error *err);

#endif
