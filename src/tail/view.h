/* Shared by api.c and view.c only: one container's log, as the Engine's API gives it to `sidetail tail`. It
 * is read twice: first what was written before now, which ends and so can be merged, then from there on what
 * is written. */
#ifndef SIDETAIL_TAIL_VIEW_H
#define SIDETAIL_TAIL_VIEW_H

#include <sys/queue.h>

#include "discover/engine_watch.h"
#include "source/docker_api/check.h"
#include "tail/tail.h"

enum phase {
    PAST,    /* its history is to be read */
    PRESENT, /* followed, or about to be */
    RESTING, /* it does not run, and all is read */
    ENDED,   /* nothing more is wanted of it */
};

struct view {
    struct api *api;
    LIST_ENTRY(view) link;
    TAILQ_ENTRY(view) queue_link;
    struct engine_container *container; /* NULL: removed */
    struct tail_feed *feed;
    struct log_stream *stream;
    struct api_cursor cursor;
    struct api_check check;  /* whether a silent stream hangs */
    bool more[STREAM_COUNT]; /* the last entry was a piece of a line */
    enum phase phase;
    bool queued, opening;
    bool looking; /* what is to be known of its container is asked for; then it is opened */
    bool ends;    /* the stream ends by itself */
    bool fresh;   /* the stream brought an entry; cleared when that is asked */
    bool full;    /* the feed takes nothing now */
    bool died;    /* and that is not said yet */
    bool begun;   /* likewise that it was started again after that */
    bool hanging; /* a check found more than the stream brought: if that stays so, it is opened anew */
    int64_t died_ns;
    int exit_code;              /* of the run that ended then */
    unsigned idle, check_after; /* seconds without an entry; until the next check */
    struct event *timer;        /* to be opened again, or its last words have had their time */
    int64_t backoff;
};

struct api {
    struct tail *tail;
    const struct tail_options *o;
    struct engine *engine;
    struct engine_watch *watch;
    LIST_HEAD(views, view) views;
    TAILQ_HEAD(queued, view) queue; /* to be opened */
    int64_t opening;
    int64_t now_ns; /* what is before it is the past: the Engine's clock when the list was asked for */
    struct event *at_until, *tick;
    bool was_up, listed, follow;
    size_t past; /* views whose history is not all read */
};

/* NULL: it is not to be shown. Past at first, and not queued. */
struct view *view_new(struct api *a, struct engine_container *c, bool running);
void view_free(struct view *v);

void view_begin(struct view *v);     /* with its history */
void view_begin_now(struct view *v); /* without */
void view_started(struct view *v);   /* its container was started again */
void view_died(struct view *v);      /* as its container tells */
void view_looked(struct view *v);    /* the Engine was asked about its container */
void view_gone(struct view *v);      /* its container is removed */
void view_tick(struct view *v);      /* once a second */

/* -- in api.c ---------------------------------------------------------------------------------- */

void api_open_queued(struct api *a); /* opens what may be opened now */
void api_check_done(struct api *a);  /* ends tail when all is read that is to be read */

#endif
