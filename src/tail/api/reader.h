/* One container's log, as the Engine's API gives it to `sidetail tail`. It is read twice: first what was
 * written before now, which ends and so can be merged; then, from there on, what is written. */
#ifndef SIDETAIL_TAIL_API_READER_H
#define SIDETAIL_TAIL_API_READER_H

#include <sys/queue.h>

#include "discover/engine_container.h"
#include "queue.h"
#include "source/docker_api/check.h"
#include "source/docker_api/repeat.h"
#include "source/docker_api/silence.h"
#include "tail/lifecycle.h"
#include "tail/source.h"

enum phase {
    PAST,    /* its history is to be read */
    PRESENT, /* followed, or about to be */
    RESTING, /* it does not run, and all is read */
    ENDED,   /* nothing more is wanted of it */
};

/* Written by reader.c and phase.c alone. */
struct reader {
    struct readers *all;
    LIST_ENTRY(reader) link;
    struct log_place place;
    struct engine_container *container; /* NULL: removed */
    struct tail_feed *feed;
    struct log_stream *stream;
    struct api_cursor cursor;
    struct proof proof; /* before which entries is none missing? */
    struct repeat repeat;
    struct api_check check; /* whether a silent stream hangs, or one skipped lines */
    struct silence silence;
    struct lifecycle life;
    bool more[STREAM_COUNT]; /* the last entry was a piece of a line */
    enum phase phase;
    bool inspecting; /* what is to be known of its container is asked for; then it is opened */
    bool keeps;      /* its feed keeps the last lines of the past: the Engine is not asked for these alone */
    /* How much of the past is asked for then, of its end; INT64_MAX: all. */
    int64_t window_ns;
    bool ends;           /* the stream ends by itself */
    bool fresh;          /* the stream brought an entry since that was last asked */
    bool full;           /* the feed takes nothing now */
    struct event *timer; /* it is to be opened again, or its last words have had their time */
    int64_t backoff;     /* ns */
};

/* All of them. */
struct readers {
    const struct tail_env *env;
    struct engine *engine;
    LIST_HEAD(reader_list, reader) list;
    struct log_queue queue;
    /* Set by the owner: */
    int64_t now_ns; /* what is before it is the past: engine_entry_clock when the list was asked for */
    bool listed;    /* all containers that there are at the beginning have a reader */
};

/* None yet. The owner sets `engine` before the first one. */
void readers_init(struct readers *all, const struct tail_env *env);
void readers_free(struct readers *all);
/* Opens what may be opened now: after each of the calls below, which queue a reader or make a place. */
void readers_open_next(struct readers *all);
/* Ends tail when all is read that is to be read. */
void readers_check_done(struct readers *all);
/* Once a second: does a stream hang? Needs no readers_open_next. */
void readers_tick(struct readers *all);

/* In the past, and not queued. The container's `user` becomes the reader. NULL: it is not to be shown. */
struct reader *reader_new(struct readers *all, struct engine_container *c, bool running);
void reader_retag(struct reader *r, struct tags *tags);
void reader_begin(struct reader *r);     /* with its history */
void reader_begin_now(struct reader *r); /* with what it writes in the run that has just begun */

/* What happens to its container. */
void reader_started(struct reader *r);   /* it was started again */
void reader_died(struct reader *r);      /* its fields tell of what and when */
void reader_inspected(struct reader *r); /* all its fields are fresh */
void reader_gone(struct reader *r);      /* it is removed; the reader may be freed here */

#endif
