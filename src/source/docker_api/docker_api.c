/* The Engine's HTTP API as a source: works from afar, and for every log driver that the Engine can read
 * back. */
#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/status.h"
#include "config/config.h"
#include "feed.h"
#include "source/left_out.h"
#include "source/source.h"

struct docker_api {
    struct source source; /* first member */
    const struct config *cfg;
    struct api_env env;
    struct engine_watch *watch;
    struct event *tick; /* once a second */
    LIST_HEAD(api_feeds, api_feed) feeds;
    bool listed; /* all containers that were there at first are known */
};

static void each_feed(struct docker_api *src, void (*fn)(struct api_feed *f))
{
    for (struct api_feed *f = LIST_FIRST(&src->feeds), *next; f; f = next) {
        next = LIST_NEXT(f, link); /* fn may free this one */
        fn(f);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct docker_api *src = arg;
    if (!queue_held(&src->env.queue, HOLD_NO_ENGINE)) {
        each_feed(src, api_feed_tick);
    }
}

/* -- which containers are collected ------------------------------------------------------------ */

static struct api_feed *begin(struct docker_api *src, struct engine_container *c, struct tags *tags)
{
    bool at_end = !src->listed && src->cfg->start_at == START_END;
    struct api_feed *f = api_feed_new(&src->env, c, tags, at_end);
    LIST_INSERT_HEAD(&src->feeds, f, link);
    return f;
}

/* Tags the container anew, and begins or ends to collect it. */
static void select_container(void *arg, struct engine_container *c)
{
    struct docker_api *src = arg;
    struct api_feed *f = c->user;
    struct identity who = engine_container_identity(c);
    struct tags *tags = tags_new(&who, src->cfg);
    if (!tags) {
        die_out_of_memory();
    }
    struct tags_refusal refusal = tags_refused(tags, &who, src->cfg, tags_own_container());
    if (refusal.by) {
        note_refused(&c->left_out, tags, NULL, refusal);
        if (f) {
            api_feed_free(f);
            queue_open_next(&src->env.queue); /* it may have been one of those being opened */
        }
    } else if (!f) {
        status_note(&c->left_out, NULL);
        c->user = begin(src, c, tags);
    } else {
        api_feed_retag(f, tags);
    }
    tags_unref(tags);
}

static void on_changed(void *arg, struct engine_container *c, enum watch_change change)
{
    struct api_feed *f = c->user;
    switch (change) {
    case WATCH_STARTED:
        if (f) {
            api_feed_started(f);
        }
        break;
    case WATCH_DIED:
        if (f) {
            api_feed_died(f);
        }
        break;
    case WATCH_RENAMED:
        select_container(arg, c);
        break;
    case WATCH_INSPECTED:
        select_container(arg, c);
        if (c->user) {
            api_feed_inspected(c->user);
        }
        break;
    }
}

static void drop_note(void *arg, struct engine_container *c)
{
    (void)arg;
    status_note(&c->left_out, NULL);
}

static void on_gone(void *arg, struct engine_container *c)
{
    drop_note(arg, c);
    if (c->user) {
        api_feed_gone(c->user);
    }
}

static void on_listed(void *arg)
{
    struct docker_api *src = arg;
    if (src->listed) {
        each_feed(src, api_feed_relisted);
    }
    src->listed = true;
}

static void on_up(void *arg, bool up, const struct error *err)
{
    struct docker_api *src = arg;
    if (!up) {
        status_fails(&status.source, "%s", err->text);
        queue_hold(&src->env.queue, HOLD_NO_ENGINE);
        log_error("cannot follow the Engine, trying again", KV("error", err->text));
        return;
    }
    status_works(&status.source);
    log_info("the Engine answers", KV("address", engine_address(src->env.engine)),
             KN("api_minor", engine_api_minor(src->env.engine)));
    queue_release(&src->env.queue, HOLD_NO_ENGINE);
    queue_open_next(&src->env.queue);
}

/* -- the contract ------------------------------------------------------------------------------ */

static void free_watch(struct docker_api *src)
{
    if (src->watch) {
        engine_watch_each(src->watch, drop_note, src);
    }
    engine_watch_free(src->watch);
    src->watch = NULL;
}

static void docker_api_close(struct source *source)
{
    struct docker_api *src = (struct docker_api *)source;
    queue_hold(&src->env.queue, HOLD_STOPPED);
    each_feed(src, api_feed_free);
    free_watch(src);
    engine_free(src->env.engine);
    loop_free_event(src->tick);
    free(src);
}

static struct source *docker_api_open(const struct source_env *env, struct error *err)
{
    struct docker_api *src = calloc(1, sizeof(*src));
    if (!src) {
        error_set(err, "out of memory");
        return NULL;
    }
    src->source.ops = &source_docker_api;
    src->cfg = env->cfg;
    src->env = (struct api_env){.base = env->base, .pipeline = env->pipeline};
    queue_init(&src->env.queue, env->cfg->docker_max_opening, HOLD_NO_ENGINE, api_feed_open);
    src->env.engine = engine_new(env->base, env->cfg, err);
    if (!src->env.engine) {
        docker_api_close(&src->source);
        return NULL;
    }
    struct watch_calls calls = {.found = select_container,
                                .changed = on_changed,
                                .gone = on_gone,
                                .listed = on_listed,
                                .up = on_up,
                                .arg = src};
    src->watch =
        engine_watch_new(env->base, src->env.engine, (int)env->cfg->docker_max_opening, false, &calls);
    src->tick = event_new(env->base, -1, EV_PERSIST, on_tick, src);
    if (!src->watch || !src->tick || event_add(src->tick, &(struct timeval){1, 0}) < 0) {
        error_set(err, "out of memory");
        docker_api_close(&src->source);
        return NULL;
    }
    status.source.failing = true; /* until the Engine answers */
    return &src->source;
}

static void docker_api_resume(struct source *source)
{
    struct docker_api *src = (struct docker_api *)source;
    queue_release(&src->env.queue, HOLD_NO_ROOM);
    each_feed(src, api_feed_resume);
    queue_open_next(&src->env.queue);
}

static int docker_api_reload(struct source *source, const struct config *cfg, struct error *err)
{
    (void)err;
    struct docker_api *src = (struct docker_api *)source;
    src->cfg = cfg;
    src->listed = true; /* what is wanted from now on is read from its beginning */
    engine_watch_each(src->watch, select_container, src);
    return 0;
}

static void docker_api_stop(struct source *source)
{
    struct docker_api *src = (struct docker_api *)source;
    queue_hold(&src->env.queue, HOLD_STOPPED);
    event_del(src->tick);
    each_feed(src, api_feed_stop);
    free_watch(src);
}

const struct source_ops source_docker_api = {
    .name = "docker-api",
    .open = docker_api_open,
    .resume = docker_api_resume,
    .reload = docker_api_reload,
    .stop = docker_api_stop,
    .close = docker_api_close,
};
