#include "pipeline/pipeline.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "saver.h"
#include "stages.h"

struct pipeline {
    struct stages stages;
    struct saver saver;
    struct source_calls source;
    struct event *resume_event; /* calls the source, from the loop */
    void (*drained)(void *arg); /* NULL: not draining, or done */
    void *drained_arg;
};

/* -- what comes back up ------------------------------------------------------------------------ */

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct pipeline *pl = arg;
    shaper_tick(&pl->stages.shaper);
    if (pl->source.resume) {
        pl->source.resume(pl->source.arg);
    }
}

static void on_room(void *arg)
{
    struct pipeline *pl = arg;
    loop_again(pl->resume_event);
}

static void on_hold_back(void *arg, bool held_back)
{
    struct pipeline *pl = arg;
    batcher_hold_back(&pl->stages.batcher, held_back);
}

static void drain_step(struct pipeline *pl)
{
    if (!pl->drained || pl->stages.batcher.in_flight > 0) {
        return;
    }
    void (*done)(void *) = pl->drained;
    pl->drained = NULL;
    if (saver_save(&pl->saver) < 0) {
        log_warn("ending without a saved checkpoint: what came after the last one is read again at the next "
                 "start");
    }
    done(pl->drained_arg);
}

static void on_acked(void *arg)
{
    struct pipeline *pl = arg;
    saver_arm(&pl->saver);
    drain_step(pl);
}

/* -- what is asked for ------------------------------------------------------------------------- */

struct feed *feed_open(struct pipeline *pl, const char *key, struct tags *tags, struct feed_calls calls)
{
    return feed_new(&pl->stages, key, tags, calls);
}

bool pipeline_room(struct pipeline *pl)
{
    return batcher_room(&pl->stages.batcher);
}

bool pipeline_full(const struct pipeline *pl)
{
    return batcher_full(&pl->stages.batcher);
}

const struct position *pipeline_position(struct pipeline *pl, const char *key)
{
    return batcher_position(&pl->stages.batcher, key);
}

int pipeline_save(struct pipeline *pl)
{
    return saver_save(&pl->saver);
}

void pipeline_save_soon(struct pipeline *pl)
{
    saver_save_soon(&pl->saver);
}

void pipeline_drain(struct pipeline *pl, void (*done)(void *arg), void *arg)
{
    shaper_drain(&pl->stages.shaper);
    pl->drained = done;
    pl->drained_arg = arg;
    batcher_drain(&pl->stages.batcher);
    drain_step(pl);
}

void pipeline_stop(struct pipeline *pl)
{
    pl->stages.batcher.draining = true;
}

void pipeline_say_lost(struct pipeline *pl)
{
    batcher_say_lost(&pl->stages.batcher);
}

size_t pipeline_memory(const struct pipeline *pl)
{
    const struct stages *s = &pl->stages;
    return s->joiner.held + shaper_memory(&s->shaper) + pool_memory(&s->batcher.pool);
}

/* -- set-up ------------------------------------------------------------------------------------ */

int pipeline_reconfigure(struct pipeline *pl, const struct config *cfg, struct error *err)
{
    struct stages *s = &pl->stages;
    pl->saver.cfg = cfg;
    joiner_configure(&s->joiner, cfg);
    if (batcher_configure(&s->batcher, cfg) < 0) {
        return error_set(err, "out of memory");
    }
    return shaper_configure(&s->shaper, cfg, err);
}

static int set_up(struct pipeline *pl, struct event_base *base, const struct config *cfg,
                  struct checkpoint *checkpoint, struct error *err)
{
    struct stages *s = &pl->stages;
    const struct batcher_calls calls = {.acked = on_acked, .room = on_room, .arg = pl};
    if (batcher_init(&s->batcher, base, checkpoint, calls) < 0 ||
        shaper_init(&s->shaper, base, &s->batcher) < 0 ||
        saver_init(&pl->saver, base, checkpoint, on_hold_back, pl) < 0 ||
        !(pl->resume_event = evtimer_new(base, on_resume, pl))) {
        return error_set(err, "out of memory");
    }
    return pipeline_reconfigure(pl, cfg, err);
}

struct pipeline *pipeline_new(struct event_base *base, const struct config *cfg,
                              struct checkpoint *checkpoint, struct error *err)
{
    struct pipeline *pl = calloc(1, sizeof(*pl));
    if (!pl) {
        error_set(err, "out of memory");
        return NULL;
    }
    if (set_up(pl, base, cfg, checkpoint, err) < 0) {
        pipeline_free(pl);
        return NULL;
    }
    return pl;
}

void pipeline_free(struct pipeline *pl)
{
    if (!pl) {
        return;
    }
    batcher_free(&pl->stages.batcher);
    shaper_free(&pl->stages.shaper);
    joiner_free(&pl->stages.joiner);
    saver_free(&pl->saver);
    loop_free_event(pl->resume_event);
    free(pl);
}

void pipeline_set_sink(struct pipeline *pl, struct sink *sink)
{
    pl->stages.batcher.sink = pl->saver.sink = sink;
}

void pipeline_set_source(struct pipeline *pl, struct source_calls calls)
{
    pl->source = calls;
}

void pipeline_watch(struct pipeline *pl, struct shape_watch watch)
{
    pl->stages.shaper.watch = watch;
}

struct sink_events pipeline_sink_events(struct pipeline *pl)
{
    return (struct sink_events){.acked = batcher_acked, .arg = &pl->stages.batcher};
}
