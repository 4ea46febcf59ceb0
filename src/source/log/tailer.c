#include <stdlib.h>

#include "base/clock.h"
#include "follow_internal.h"

#define READ_CHUNK 262144 /* fits a core's cache; larger ones measured slower */

static void run_soon(struct tailer *t)
{
    event_active(t->run, EV_TIMEOUT, 0);
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tailer *t = arg;
    struct follow *f = TAILQ_FIRST(&t->dirty);
    if (!f || t->stopped || !pipeline_room(t->pl)) {
        return; /* tailer_queue or tailer_resume set this going again */
    }
    TAILQ_REMOVE(&t->dirty, f, dirty_link);
    f->dirty = false;
    if (follow_read(f) == FOLLOW_MORE) {
        tailer_queue(f);
    }
    if (!TAILQ_EMPTY(&t->dirty)) {
        run_soon(t); /* the loop sees to it that others have their turn */
    }
}

void tailer_queue(struct follow *f)
{
    struct tailer *t = f->tailer;
    if (f->dirty) {
        return;
    }
    if (TAILQ_EMPTY(&t->dirty)) {
        run_soon(t);
    }
    TAILQ_INSERT_TAIL(&t->dirty, f, dirty_link);
    f->dirty = true;
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tailer *t = arg;
    struct follow *f;
    TAILQ_FOREACH(f, &t->all, all_link)
    {
        if (f->leaving_ns > 0) {
            tailer_queue(f);
        }
    }
}

void tailer_look_again(struct tailer *t, int64_t ns)
{
    struct timeval tv = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US + 1};
    if (!evtimer_pending(t->later, NULL)) { /* those who come meanwhile are asked then, and ask again */
        evtimer_add(t->later, &tv);
    }
}

int tailer_grow(struct tailer *t, size_t cap)
{
    if (cap <= t->cap) {
        return 0;
    }
    char *buf = realloc(t->buf, cap + DECODE_PAD);
    if (!buf) {
        return -1;
    }
    t->buf = buf;
    t->cap = cap;
    return 0;
}

struct tailer *tailer_new(const struct source_env *env, struct error *err)
{
    struct tailer *t = calloc(1, sizeof(*t));
    if (t) {
        t->base = env->base;
        t->pl = env->pipeline;
        t->checkpoint = env->checkpoint;
        t->cfg = env->cfg;
        TAILQ_INIT(&t->dirty);
        TAILQ_INIT(&t->all);
        t->run = event_new(env->base, -1, 0, on_run, t);
        t->later = evtimer_new(env->base, on_later, t);
    }
    if (!t || !t->run || !t->later || tailer_grow(t, READ_CHUNK) < 0) {
        error_set(err, "out of memory");
        tailer_free(t);
        return NULL;
    }
    return t;
}

void tailer_resume(struct tailer *t)
{
    if (!TAILQ_EMPTY(&t->dirty)) {
        run_soon(t);
    }
}

void tailer_stop(struct tailer *t)
{
    t->stopped = true;
}

void tailer_free(struct tailer *t)
{
    if (!t) {
        return;
    }
    if (t->run) {
        event_free(t->run);
    }
    if (t->later) {
        event_free(t->later);
    }
    free(t->buf);
    buf_free(&t->scratch);
    free(t);
}
