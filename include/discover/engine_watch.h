/* Which containers an Engine has, kept up to date: by its events, and by its list, which is asked for upon
 * each connection and every WATCH_LIST_S (an Engine drops events when their reader is slow). Connects by
 * itself, again and again, after WATCH_BACKOFF_MIN at first and WATCH_BACKOFF_MAX at the most. */
#ifndef SIDETAIL_DISCOVER_ENGINE_WATCH_H
#define SIDETAIL_DISCOVER_ENGINE_WATCH_H

#include "discover/engine_container.h"
#include "engine/engine.h"

#define WATCH_LIST_S 30
/* Those beyond are left out, which is said: an Engine that makes up containers may not take all memory. */
#define WATCH_CONTAINERS_MAX 50000
#define WATCH_BACKOFF_MIN    (100 * NS_PER_MS)
#define WATCH_BACKOFF_MAX    (5 * NS_PER_S)

enum watch_change {
    WATCH_STARTED,
    WATCH_DIED,
    WATCH_RENAMED,
    WATCH_INSPECTED, /* engine_watch_inspect was answered: all fields are fresh */
};

/* All is called from the loop. A container is owned by the watch, and valid from `found` until `gone`
 * returns. */
struct watch_calls {
    void (*found)(void *arg, struct engine_container *c);
    void (*changed)(void *arg, struct engine_container *c, enum watch_change change);
    void (*gone)(void *arg, struct engine_container *c);
    /* After each connection: `found` was called for all containers of the list. */
    void (*listed)(void *arg);
    /* The Engine answers again; or it does not, err says why. Called at each change, not at each try. */
    void (*up)(void *arg, bool up, const struct error *err);
    void *arg;
};

struct engine_watch;

/* Inspects at most `parallel` containers at once. `list_only`: those of the very first list are reported as
 * the list describes them, without inspecting each. Begins at once, from the loop. NULL: memory. */
struct engine_watch *engine_watch_new(struct event_base *base, struct engine *engine, int parallel,
                                      bool list_only, const struct watch_calls *calls);
/* Frees its containers too; `gone` is not called. NULL is fine. */
void engine_watch_free(struct engine_watch *w);

/* Asks the Engine anew about a container: WATCH_INSPECTED follows, or `gone`. */
void engine_watch_inspect(struct engine_container *c);

/* Calls fn for each container that was reported. */
void engine_watch_each(struct engine_watch *w, void (*fn)(void *arg, struct engine_container *c), void *arg);

#endif
