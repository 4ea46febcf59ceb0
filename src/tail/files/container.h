/* One container in Docker's containers directory, as `sidetail tail` shows it: its log is read from oldest to
 * newest and then as it grows; its metadata tells when it stops and starts. */
#ifndef SIDETAIL_TAIL_FILES_CONTAINER_H
#define SIDETAIL_TAIL_FILES_CONTAINER_H

#include <sys/queue.h>

#include "base/clock.h"
#include "base/watch.h"
#include "discover/log_place.h"
#include "discover/metadata.h"
#include "log.h"
#include "tail/lifecycle.h"
#include "tail/source.h"

#define CONTAINER_ID_LEN 64

/* A container's directory. Written by container.c alone. */
struct container {
    struct containers *all;
    LIST_ENTRY(container) link;
    TAILQ_ENTRY(container) dirty_link;
    char id[CONTAINER_ID_LEN + 1];
    char *dir;
    struct container_log where; /* its log's files */
    struct log_place place;     /* of where.path, once it is shown */
    struct watch *watch;        /* of dir; NULL: looked at each second */
    struct watch *log_watch;    /* of its log's directory, where that is another one; NULL: likewise */
    struct tail_feed *feed;     /* NULL: not shown */
    struct tail_log *log;
    struct lifecycle life;
    bool dirty;   /* to be read: in the queue */
    bool past;    /* not all is read that was there as we began */
    bool running; /* as its metadata says */
    bool removed;
    bool unreadable;              /* it was said that its log cannot be shown */
    bool faulty;                  /* it was said that where its log lies nothing can be read */
    bool full;                    /* the feed takes nothing now */
    char started[CLOCK_TEXT_MAX]; /* as its metadata has it */
};

/* All of them. */
struct containers {
    const struct tail_env *env;
    struct watcher *watcher; /* NULL: none is watched. Set by the owner */
    bool first;              /* we begin: what there is now belongs to the past. Set by the owner */
    LIST_HEAD(container_list, container) list;
    TAILQ_HEAD(dirty, container) dirty; /* to be read, a chunk of each in turn */
    struct event *run;                  /* reads the first of those */
    struct buf scratch, raw;
    char *chunk; /* size and DECODE_PAD bytes */
    size_t size;
    size_t past; /* containers with the flag */
};

/* None yet. 0, or -1: memory. Either way containers_free is owed. */
int containers_init(struct containers *all, const struct tail_env *env);
/* With those that there are. */
void containers_free(struct containers *all);
/* Is all of it read that is to be read? */
bool containers_done(const struct containers *all);

/* The container in the directory `id`, which is shown if it is one of those asked for. Memory that runs out
 * ends the process. */
void container_new(struct containers *all, const char *id);
/* Its metadata may be new: has it started, or stopped? */
void container_update(struct container *c);
/* Its log may have grown: it is read from the loop. */
void container_wake(struct container *c);

#endif
