/* The Engine's API as a source of `sidetail tail`: which containers there are, and what happens to them. */
#include <stdlib.h>

#include "base/clock.h"
#include "view.h"

#define UNTIL_SLACK (200 * NS_PER_MS)

void api_check_done(struct api *a)
{
    if (a->listed && a->past == 0 && !a->follow) {
        tail_finish(a->tail);
    }
}

/* -- which containers -------------------------------------------------------------------------- */

/* One that has started: all that it writes in this run is new. */
static void join(struct api *a, struct engine_container *c)
{
    struct view *v = a->follow ? view_new(a, c, true) : NULL;
    if (v) {
        view_begin_now(v);
    }
}

static void on_found(void *arg, struct engine_container *c)
{
    struct api *a = arg;
    c->user = NULL;
    if (a->listed) {
        if (c->started_ns > 0) {
            join(a, c);
        }
    } else {
        struct view *v = view_new(a, c, c->running);
        if (v) {
            view_begin(v);
        }
    }
    api_open_queued(a);
}

static void rename_view(struct api *a, struct engine_container *c)
{
    struct view *v = c->user;
    struct identity who = engine_container_identity(c);
    struct tags *tags = v ? tags_new(&who, tail_config(a->tail)) : NULL;
    if (tags) {
        tail_feed_retag(v->feed, tags);
        tags_unref(tags);
    }
}

static void on_changed(void *arg, struct engine_container *c, enum watch_change change)
{
    struct api *a = arg;
    struct view *v = c->user;
    switch (change) {
    case WATCH_STARTED:
        if (v) {
            view_started(v);
        } else if (a->follow) {
            engine_watch_inspect(c); /* where its earlier runs end */
        }
        break;
    case WATCH_DIED:
        if (v) {
            view_died(v);
        }
        break;
    case WATCH_RENAMED:
        rename_view(a, c);
        break;
    case WATCH_INSPECTED:
        if (v) {
            view_looked(v);
        } else if (a->listed && c->started_ns >= a->now_ns) {
            join(a, c);
        }
        break;
    }
    api_open_queued(a);
}

static void on_gone(void *arg, struct engine_container *c)
{
    if (c->user) {
        view_gone(c->user);
    }
    api_open_queued(arg);
    api_check_done(arg);
}

/* -- the Engine -------------------------------------------------------------------------------- */

static void on_listed(void *arg)
{
    struct api *a = arg;
    if (a->listed) {
        return;
    }
    a->listed = true;
    tail_listed(a->tail);
    api_check_done(a);
}

static void on_up(void *arg, bool up, const struct error *err)
{
    struct api *a = arg;
    if (!a->was_up && !up) {
        tail_cannot_begin(a->tail, err);
        return;
    }
    if (!a->was_up) {
        a->now_ns = engine_clock(a->engine);
        a->was_up = true;
        return;
    }
    tail_say(a->tail, up ? "the Engine answers again" : err->text);
}

static void on_until(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    tail_finish(((struct api *)arg)->tail);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct api *a = arg;
    struct view *v;
    LIST_FOREACH(v, &a->views, link)
    {
        view_tick(v);
    }
}

static void api_close(void *source)
{
    struct api *a = source;
    for (struct view *v; (v = LIST_FIRST(&a->views));) {
        view_free(v);
    }
    engine_watch_free(a->watch);
    engine_free(a->engine);
    if (a->at_until) {
        event_free(a->at_until);
    }
    if (a->tick) {
        event_free(a->tick);
    }
    free(a);
}

static void *api_open(struct tail *t, struct error *err)
{
    static const struct watch_calls calls = {
        .found = on_found, .changed = on_changed, .gone = on_gone, .listed = on_listed, .up = on_up};
    struct watch_calls mine = calls;
    struct api *a = calloc(1, sizeof(*a));
    if (!a) {
        error_set(err, "out of memory");
        return NULL;
    }
    const struct config *cfg = tail_config(t);
    a->tail = t;
    a->o = tail_asked(t);
    a->follow = tail_follows(t);
    TAILQ_INIT(&a->queue);
    a->engine = engine_new(tail_base(t), cfg, err);
    if (!a->engine) {
        api_close(a);
        return NULL;
    }
    mine.arg = a;
    a->watch = engine_watch_new(tail_base(t), a->engine, (int)cfg->docker_max_opening, true, &mine);
    a->at_until = evtimer_new(tail_base(t), on_until, a);
    a->tick = event_new(tail_base(t), -1, EV_PERSIST, on_tick, a);
    if (!a->watch || !a->at_until || !a->tick || event_add(a->tick, &(struct timeval){1, 0}) < 0) {
        error_set(err, "out of memory");
        api_close(a);
        return NULL;
    }
    if (a->follow && a->o->until_ns > 0) {
        int64_t span = a->o->until_ns - clock_now() + UNTIL_SLACK;
        event_add(a->at_until, &(struct timeval){span / NS_PER_S, span % NS_PER_S / NS_PER_US});
    }
    return a;
}

const struct tail_source tail_api = {api_open, api_close};
