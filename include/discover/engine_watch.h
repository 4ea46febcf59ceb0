/* Which containers an Engine has, kept up to date: by its events, and by its list when connected and every
 * WATCH_LIST_S (an Engine drops events for a reader that is slow). Connects by itself, again and again, from
 * WATCH_BACKOFF_MIN to WATCH_BACKOFF_MAX. */
#ifndef SIDETAIL_DISCOVER_ENGINE_WATCH_H
#define SIDETAIL_DISCOVER_ENGINE_WATCH_H

#include "engine/engine.h"
#include "record/tags.h"

#define WATCH_LIST_S      30
#define WATCH_BACKOFF_MIN (100 * NS_PER_MS)
#define WATCH_BACKOFF_MAX (5 * NS_PER_S)

/* A container as the Engine describes it. Owned by the watch; valid from `found` until `gone` returns. */
struct engine_container {
    char id[65];
    char *name; /* without slash */
    char *image;
    char *driver; /* of its log: json-file, local, … */
    json_t *labels;
    bool tty;
    bool running;        /* and not between two restarts */
    int exit_code;       /* of the last run; -1 unknown */
    int64_t started_ns;  /* of the last run; 0: never, or unknown */
    int64_t finished_ns; /* when the run before ended, or the last one; 0: there was none, or unknown */
    bool rotates;        /* its log is kept in files that are rotated */
    bool compressed;     /* the rotated ones are compressed */
    int64_t max_size;    /* of one such file, bytes */
    void *user;          /* the owner's */
    bool brief; /* known from the list alone: driver is NULL; tty, exit_code and the rest are not set */
};

enum watch_change {
    WATCH_STARTED,
    WATCH_DIED,
    WATCH_RENAMED,
    WATCH_LOOKED, /* engine_watch_look was answered: all fields are fresh */
};

struct watch_calls {
    void (*found)(void *arg, struct engine_container *c); /* `user` is for the owner to set */
    void (*changed)(void *arg, struct engine_container *c, enum watch_change change);
    void (*gone)(void *arg, struct engine_container *c);
    void (*listed)(void *arg); /* after each connection: all containers of the list were told of */
    /* The Engine answers again; or does not, err says why (told at each change, not at each try). */
    void (*up)(void *arg, bool up, const struct error *err);
    void *arg;
};

struct engine_watch;

/* At most `parallel` containers are asked about at once. `brief`: the containers of the very first list are
 * told of at once, without asking about each (engine_watch_look does). Begins at once; NULL: memory. */
struct engine_watch *engine_watch_new(struct event_base *base, struct engine *engine, int parallel,
                                      bool brief, const struct watch_calls *calls);
void engine_watch_free(struct engine_watch *w); /* no `gone` is called; NULL is fine */

/* Asks the Engine anew about a container: WATCH_LOOKED follows, or gone. */
void engine_watch_look(struct engine_watch *w, struct engine_container *c);

void engine_watch_each(struct engine_watch *w, void (*fn)(void *arg, struct engine_container *c), void *arg);

/* Faults of Engines before 23 (API 1.42) with logs that are rotated. Their follower tells lines twice and
 * skips lines when the file rotates; and asked with `since`, they leave out all rotated files once the
 * oldest, compressed one is older than that. */
bool engine_container_fragile(const struct engine *e, const struct engine_container *c);
bool engine_container_since_skips(const struct engine *e, const struct engine_container *c);

/* A time that parts the lines of its last run from those of earlier ones; 0: there were none. */
int64_t engine_container_run_ns(const struct engine_container *c);

/* What tags are made of. Borrowed from the container. */
struct identity engine_container_identity(const struct engine_container *c);

#endif
