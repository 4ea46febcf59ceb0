#include <stdlib.h>

#include "follow_internal.h"

#define READ_CHUNK 262144 /* fits a core's cache; larger ones measured slower */
#define RUN_CHUNKS 8      /* read at a stretch before the loop looks at signals, sockets and timers */

static void run_soon(struct tailer *t)
{
    event_active(t->run, EV_TIMEOUT, 0);
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tailer *t = arg;
    for (int i = 0; i < RUN_CHUNKS; i++) {
        struct follow *f = TAILQ_FIRST(&t->dirty);
        if (!f || t->stopped || !pipeline_room(t->pl)) {
            return; /* tailer_queue or tailer_resume set this going again */
        }
        TAILQ_REMOVE(&t->dirty, f, dirty_link);
        f->dirty = false;
        if (follow_read(f) == FOLLOW_MORE) {
            tailer_queue(f);
        }
    }
    if (!TAILQ_EMPTY(&t->dirty)) {
        run_soon(t);
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
    }
    if (!t || !t->run || tailer_grow(t, READ_CHUNK) < 0) {
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
    free(t->buf);
    buf_free(&t->scratch);
    free(t);
}
