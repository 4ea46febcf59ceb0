#include "api.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "discover/engine_watch.h"
#include "reader.h"
#include "tail/say.h"

#define UNTIL_SLACK (200 * NS_PER_MS)

struct api {
    const struct tail_env *env;
    struct engine *engine;
    struct engine_watch *watch;
    struct event *at_until, *tick;
    struct readers readers;
    bool was_up;
};

/* -- which containers -------------------------------------------------------------------------- */

/* Shows one that has started: all that it writes in this run is new. */
static void join(struct api *a, struct engine_container *c)
{
    struct reader *r = a->env->follow ? reader_new(&a->readers, c, true) : NULL;
    if (r) {
        reader_begin_now(r);
    }
}

static void on_found(void *arg, struct engine_container *c)
{
    struct api *a = arg;
    c->user = NULL;
    if (a->readers.listed) {
        if (c->started_ns > 0) {
            join(a, c);
        }
    } else {
        struct reader *r = reader_new(&a->readers, c, c->running);
        if (r) {
            reader_begin(r);
        }
    }
    readers_open_next(&a->readers);
}

static void renamed(struct api *a, struct engine_container *c)
{
    struct reader *r = c->user;
    struct identity who = engine_container_identity(c);
    struct tags *tags = r ? tags_new(&who, a->env->cfg) : NULL;
    if (tags) {
        reader_retag(r, tags);
        tags_unref(tags);
    }
}

static void on_changed(void *arg, struct engine_container *c, enum watch_change change)
{
    struct api *a = arg;
    struct reader *r = c->user;
    switch (change) {
    case WATCH_STARTED:
        if (r) {
            reader_started(r);
        } else if (a->env->follow) {
            engine_watch_inspect(c); /* where its earlier runs end */
        }
        break;
    case WATCH_DIED:
        if (r) {
            reader_died(r);
        }
        break;
    case WATCH_RENAMED:
        renamed(a, c);
        break;
    case WATCH_INSPECTED:
        if (r) {
            reader_inspected(r);
        } else if (a->readers.listed && c->started_ns >= a->readers.now_ns) {
            join(a, c);
        }
        break;
    }
    readers_open_next(&a->readers);
}

static void on_gone(void *arg, struct engine_container *c)
{
    struct api *a = arg;
    if (c->user) {
        reader_gone(c->user);
    }
    readers_open_next(&a->readers);
    readers_check_done(&a->readers);
}

/* -- the Engine -------------------------------------------------------------------------------- */

static void on_listed(void *arg)
{
    struct api *a = arg;
    if (a->readers.listed) {
        return;
    }
    a->readers.listed = true;
    a->env->listed(a->env->arg);
    readers_check_done(&a->readers);
}

static void on_up(void *arg, bool up, const struct error *err)
{
    struct api *a = arg;
    if (!a->was_up && !up) {
        a->env->cannot_begin(a->env->arg, err);
        return;
    }
    if (!a->was_up) {
        a->readers.now_ns = engine_entry_clock(a->engine);
        a->was_up = true;
        return;
    }
    tail_say(up ? "the Engine answers again" : err->text);
}

static void on_until(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct api *a = arg;
    a->env->finish(a->env->arg);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct api *a = arg;
    readers_tick(&a->readers);
}

static void api_close(void *source)
{
    struct api *a = source;
    readers_free(&a->readers);
    engine_watch_free(a->watch);
    engine_free(a->engine);
    loop_free_event(a->at_until);
    loop_free_event(a->tick);
    free(a);
}

static void *api_open(const struct tail_env *env, struct error *err)
{
    struct api *a = calloc(1, sizeof(*a));
    if (!a) {
        error_set(err, "out of memory");
        return NULL;
    }
    a->env = env;
    readers_init(&a->readers, env);
    a->engine = a->readers.engine = engine_new(env->base, env->cfg, err);
    if (!a->engine) {
        api_close(a);
        return NULL;
    }
    struct watch_calls calls = {.found = on_found,
                                .changed = on_changed,
                                .gone = on_gone,
                                .listed = on_listed,
                                .up = on_up,
                                .arg = a};
    a->watch = engine_watch_new(env->base, a->engine, (int)env->cfg->docker_max_opening, true, &calls);
    a->at_until = evtimer_new(env->base, on_until, a);
    a->tick = event_new(env->base, -1, EV_PERSIST, on_tick, a);
    if (!a->watch || !a->at_until || !a->tick || event_add(a->tick, &(struct timeval){1, 0}) < 0) {
        error_set(err, "out of memory");
        api_close(a);
        return NULL;
    }
    if (env->follow && env->options->until_ns > 0) {
        loop_arm_timer(a->at_until, env->options->until_ns - clock_now() + UNTIL_SLACK);
    }
    return a;
}

const struct tail_source tail_api = {api_open, api_close};
