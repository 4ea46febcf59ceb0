#include "tailer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define READ_CHUNK 262144 /* fits a core's cache; larger ones measured slower */

static void run_soon(struct tailer *t)
{
    event_active(t->run, EV_TIMEOUT, 0);
}

static void queue(void *arg, struct turn *turn)
{
    struct tailer *t = arg;
    if (turn->queued) {
        return;
    }
    if (TAILQ_EMPTY(&t->queue)) {
        run_soon(t);
    }
    TAILQ_INSERT_TAIL(&t->queue, turn, queue_link);
    turn->queued = true;
}

static void unqueue(struct tailer *t, struct turn *turn)
{
    TAILQ_REMOVE(&t->queue, turn, queue_link);
    turn->queued = false;
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tailer *t = arg;
    struct turn *turn = TAILQ_FIRST(&t->queue);
    if (!turn || t->stopped || !pipeline_room(t->env.pipeline)) {
        return; /* queue or tailer_resume set this going again */
    }
    unqueue(t, turn);
    if (follow_read(turn->follow) == FOLLOW_MORE) {
        queue(t, turn);
    }
    if (!TAILQ_EMPTY(&t->queue)) {
        run_soon(t); /* the loop sees to it that others have their turn */
    }
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tailer *t = arg;
    struct turn *turn;
    TAILQ_FOREACH(turn, &t->all, all_link)
    {
        if (follow_in_grace(turn->follow)) {
            queue(t, turn);
        }
    }
}

static void queue_later(void *arg, int64_t ns)
{
    struct tailer *t = arg;
    struct timeval tv = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US + 1};
    if (!evtimer_pending(t->later, NULL)) { /* those who come meanwhile are asked then, and ask again */
        evtimer_add(t->later, &tv);
    }
}

/* -- what a follow asks about the others ------------------------------------------------------- */

bool tailer_knows(const struct tailer *t, const char *key)
{
    return pipeline_position(t->env.pipeline, key) != NULL;
}

static bool is_known(void *arg, const char *path)
{
    const struct tailer *t = arg;
    const struct turn *turn;
    bool known = tailer_knows(t, path);
    TAILQ_FOREACH(turn, &t->all, all_link)
    {
        known = known || strcmp(follow_path(turn->follow), path) == 0 ||
                strcmp(follow_key(turn->follow), path) == 0;
    }
    return known;
}

struct follow *tailer_holder(const struct tailer *t, dev_t dev, ino_t ino)
{
    const struct chain *chain = chain_of(&t->open, dev, ino);
    return chain ? chain->follow : NULL;
}

struct follow *tailer_leaver(const struct tailer *t, struct segment *seg, struct file_pos *end)
{
    const struct turn *turn;
    if (!t->any_left) {
        return NULL;
    }
    TAILQ_FOREACH(turn, &t->all, all_link)
    {
        if (follow_has_left(turn->follow, seg, end)) {
            return turn->follow;
        }
    }
    return NULL;
}

static bool is_open(void *arg, dev_t dev, ino_t ino)
{
    return tailer_holder(arg, dev, ino) != NULL;
}

static char *find_stray(void *arg, const char *key)
{
    const struct tailer *t = arg;
    return t->calls.stray ? t->calls.stray(t->calls.arg, key) : NULL;
}

static bool was_read_before(void *arg, const char *key, struct segment *seg, struct file_pos *to)
{
    const struct tailer *t = arg;
    return tailer_leaver(t, seg, to) ||
           (t->calls.read_before && t->calls.read_before(t->calls.arg, key, seg, to));
}

static void on_left(void *arg, const struct file_pos *end, const char *copied)
{
    struct tailer *t = arg;
    t->any_left = true;
    if (t->calls.left) {
        t->calls.left(t->calls.arg, end, copied);
    }
}

/* -- the contract ------------------------------------------------------------------------------ */

struct tailer *tailer_new(const struct source_env *env, struct error *err)
{
    struct tailer *t = calloc(1, sizeof(*t));
    if (t) {
        t->env = (struct follow_env){.pipeline = env->pipeline,
                                     .checkpoint = env->checkpoint,
                                     .cfg = env->cfg,
                                     .buffer = &t->buffer,
                                     .others = {.known = is_known,
                                                .open = is_open,
                                                .stray = find_stray,
                                                .read_before = was_read_before,
                                                .left = on_left,
                                                .arg = t},
                                     .open = &t->open,
                                     .ready = queue,
                                     .ready_later = queue_later,
                                     .arg = t};
        TAILQ_INIT(&t->queue);
        TAILQ_INIT(&t->all);
        t->run = event_new(env->base, -1, 0, on_run, t);
        t->later = evtimer_new(env->base, on_later, t);
    }
    if (!t || !t->run || !t->later || read_buffer_grow(&t->buffer, READ_CHUNK) < 0) {
        error_set(err, "out of memory");
        tailer_free(t);
        return NULL;
    }
    return t;
}

struct follow *tailer_follow(struct tailer *t, const struct follow_options *options)
{
    struct follow *f = follow_open(&t->env, options);
    if (f) {
        TAILQ_INSERT_TAIL(&t->all, follow_turn(f), all_link);
    }
    return f;
}

void tailer_unfollow(struct tailer *t, struct follow *f)
{
    if (!f) {
        return;
    }
    struct turn *turn = follow_turn(f);
    if (t->stopped) {
        follow_report_lost(f);
    }
    if (turn->queued) {
        unqueue(t, turn);
    }
    TAILQ_REMOVE(&t->all, turn, all_link);
    follow_close(f);
}

void tailer_set_calls(struct tailer *t, struct tailer_calls calls)
{
    t->calls = calls;
}

void tailer_resume(struct tailer *t)
{
    if (!TAILQ_EMPTY(&t->queue)) {
        run_soon(t);
    }
}

void tailer_stop(struct tailer *t)
{
    struct turn *turn = t->stopped ? NULL : TAILQ_FIRST(&t->all);
    for (struct turn *next; turn; turn = next) {
        next = TAILQ_NEXT(turn, all_link);
        follow_put_last_line(turn->follow);
    }
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
    read_buffer_free(&t->buffer);
    free(t);
}
