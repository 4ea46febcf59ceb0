/* The feed of one container: opens streams of its log, hands their entries to the intake, and goes on when a
 * stream ends, breaks, hangs or skips entries. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_FEED_H
#define SIDETAIL_SOURCE_DOCKER_API_FEED_H

#include <event2/event.h>

#include "discover/engine_watch.h"
#include "intake.h"
#include "queue.h"
#include "source/docker_api/check.h"
#include "source/docker_api/silence.h"

/* What the feeds of one source share. */
struct api_env {
    struct event_base *base;
    struct engine *engine;
    struct pipeline *pipeline;
    struct open_queue queue; /* its owners are feeds, and its `open` is api_feed_open */
};

enum api_state {
    API_IDLE,       /* read to its end; the container does not run */
    API_QUEUED,     /* to be opened as soon as the queue allows */
    API_OPENING,    /* asked for */
    API_READING,    /* entries come */
    API_CHECKING,   /* the stream ended: is there more? */
    API_INSPECTING, /* all was read: does the container run? */
    API_WAITING,    /* to be tried again after a while */
    API_UNREADABLE, /* its driver cannot be read back */
    API_ENDING,     /* removed, and read to its end: to be freed once the pipeline has room */
};

/* Written by feed.c alone, but for the list. */
struct api_feed {
    LIST_ENTRY(api_feed) link; /* in the owner's list */
    struct api_env *env;
    struct engine_container *container; /* NULL: removed */
    char id[65];
    bool rotates;
    struct log_options options; /* of each request for its log, but for where that begins */
    struct api_intake intake;
    enum api_state state;
    struct queue_place place;
    struct log_stream *stream;
    struct api_check check;
    struct silence silence;
    struct event *timer; /* API_WAITING */
    int64_t backoff;     /* ns, of the next wait */
    unsigned paused;     /* seconds without room */
    bool again;          /* the container was started since the stream was opened */
};

/* Queues the container's log to be opened at its position; see intake_init for `at_end`. Takes a reference of
 * the tags. Memory that runs out ends the process. */
struct api_feed *api_feed_new(struct api_env *env, struct engine_container *c, struct tags *tags,
                              bool at_end);
/* Takes it out of its list as well. The container's `user` becomes NULL. */
void api_feed_free(struct api_feed *f);
/* Nothing is read any more, and the container is left alone. The feed in the pipeline stays. */
void api_feed_stop(struct api_feed *f);
/* As intake_retag. */
void api_feed_retag(struct api_feed *f, struct tags *tags);

/* For the queue: begins to open the feed `f`. */
void api_feed_open(void *f);

/* What happens. Each may free the feed when its container is gone and all of it is read. */
void api_feed_started(struct api_feed *f);   /* its container was started */
void api_feed_died(struct api_feed *f);      /* its container has ended */
void api_feed_inspected(struct api_feed *f); /* the container's state is fresh */
void api_feed_gone(struct api_feed *f);      /* its container is removed */
void api_feed_relisted(struct api_feed *f);  /* the Engine was out of sight, and is back */
void api_feed_tick(struct api_feed *f);      /* once a second while the Engine answers */
void api_feed_resume(struct api_feed *f);    /* the pipeline has room again */

#endif
