/* The Engine's HTTP API as a source: works from afar, and for every log driver that the Engine can read back.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "config/config.h"
#include "feed.h"

/* -- which are opened -------------------------------------------------------------------------- */

void docker_api_kick(struct docker_api *src)
{
    while (src->queue && src->up && !src->stopped && !src->starved &&
           src->opening < src->cfg->docker_max_opening) {
        struct api_feed *f = src->queue;
        src->queue = f->queued;
        if (!src->queue) {
            src->queue_end = &src->queue;
        }
        api_feed_open(f);
    }
}

static void each_feed(struct docker_api *src, void (*fn)(struct api_feed *f))
{
    for (struct api_feed *f = src->feeds, *next; f; f = next) {
        next = f->next; /* fn may end this one */
        fn(f);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct docker_api *src = arg;
    if (src->up) {
        each_feed(src, api_feed_tick);
    }
}

/* -- which containers are collected ------------------------------------------------------------ */

static bool same_text(const struct buf *a, const struct buf *b)
{
    return slice_eq(slice_of(a->data, a->len), slice_of(b->data, b->len));
}

static bool same_tags(const struct tags *a, const struct tags *b)
{
    return same_text(&a->json_tail, &b->json_tail) && same_text(&a->json_head[0], &b->json_head[0]);
}

/* Tags the container anew, and begins or ends to collect it. */
static void judge(void *arg, struct engine_container *c)
{
    struct docker_api *src = arg;
    struct api_feed *f = c->user;
    struct identity who = engine_container_identity(c);
    struct tags *tags = tags_new(&who, src->cfg);
    if (!tags) {
        die_out_of_memory();
    }
    if (!tags_wanted(tags, &who, src->cfg, tags_own_container())) {
        if (f) {
            api_feed_free(f);
        }
    } else if (!f) {
        c->user = api_feed_new(src, c, tags);
    } else if (!same_tags(f->tags, tags)) {
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
        break; /* its stream ends by itself */
    case WATCH_RENAMED:
        judge(arg, c);
        break;
    case WATCH_LOOKED:
        judge(arg, c);
        if (c->user) {
            api_feed_looked(c->user);
        }
        break;
    }
}

static void on_gone(void *arg, struct engine_container *c)
{
    (void)arg;
    if (c->user) {
        api_feed_gone(c->user);
    }
}

static void look_again(struct api_feed *f)
{
    if (f->state == API_IDLE) {
        api_feed_enqueue(f); /* it may have run while the Engine was out of sight */
    }
}

static void on_listed(void *arg)
{
    struct docker_api *src = arg;
    if (src->listed) {
        each_feed(src, look_again);
    }
    src->listed = true;
}

static void on_up(void *arg, bool up, const struct error *err)
{
    struct docker_api *src = arg;
    src->up = up;
    standing.source_failing = !up;
    if (!up) {
        log_error("cannot follow the Engine, trying again", KV("error", err->text));
        return;
    }
    log_info("the Engine answers", KV("address", engine_address(src->engine)),
             KN("api_minor", engine_api_minor(src->engine)));
    docker_api_kick(src);
}

/* -- the contract ------------------------------------------------------------------------------ */

static void docker_api_close(struct source *source)
{
    struct docker_api *src = (struct docker_api *)source;
    src->stopped = true;
    each_feed(src, api_feed_free);
    engine_watch_free(src->watch);
    engine_free(src->engine);
    if (src->tick) {
        event_free(src->tick);
    }
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
    src->base = env->base;
    src->pipeline = env->pipeline;
    src->queue_end = &src->queue;
    src->engine = engine_new(env->base, env->cfg, err);
    if (!src->engine) {
        docker_api_close(&src->source);
        return NULL;
    }
    struct watch_calls calls = {
        .found = judge, .changed = on_changed, .gone = on_gone, .listed = on_listed, .up = on_up, .arg = src};
    src->watch = engine_watch_new(env->base, src->engine, (int)env->cfg->docker_max_opening, false, &calls);
    src->tick = event_new(env->base, -1, EV_PERSIST, on_tick, src);
    if (!src->watch || !src->tick || event_add(src->tick, &(struct timeval){1, 0}) < 0) {
        error_set(err, "out of memory");
        docker_api_close(&src->source);
        return NULL;
    }
    standing.source_failing = true; /* until the Engine answers */
    return &src->source;
}

static void docker_api_resume(struct source *source)
{
    struct docker_api *src = (struct docker_api *)source;
    src->starved = false;
    each_feed(src, api_feed_resume);
    docker_api_kick(src);
}

static int docker_api_reload(struct source *source, const struct config *cfg, struct error *err)
{
    (void)err;
    struct docker_api *src = (struct docker_api *)source;
    src->cfg = cfg;
    src->listed = true; /* what is wanted from now on is read from its beginning */
    engine_watch_each(src->watch, judge, src);
    return 0;
}

static void forget_container(struct api_feed *f)
{
    f->container = NULL;
}

static void docker_api_stop(struct source *source)
{
    struct docker_api *src = (struct docker_api *)source;
    src->stopped = true;
    event_del(src->tick);
    each_feed(src, forget_container);
    each_feed(src, api_feed_stop);
    engine_watch_free(src->watch);
    src->watch = NULL;
}

const struct source_ops source_docker_api = {
    .name = "docker-api",
    .open = docker_api_open,
    .resume = docker_api_resume,
    .reload = docker_api_reload,
    .stop = docker_api_stop,
    .close = docker_api_close,
};
