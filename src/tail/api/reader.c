#include "reader.h"

#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "discover/engine_watch.h"
#include "phase.h"
#include "request.h"

/* How long after its container's death a stream may bring nothing and not end; the second one: a stream that
 * was opened after it. */
#define LAST_WORDS (1 * NS_PER_S)
#define LAST_READ  (30 * NS_PER_S)

void readers_open_next(struct readers *all)
{
    log_queue_open_next(&all->queue);
}

void readers_check_done(struct readers *all)
{
    if (all->listed && all->queue.past == 0 && !all->env->follow) {
        all->env->finish(all->env->arg);
    }
}

/* -- checks: has the log more than the stream brought? ----------------------------------------- */

/* The stream brought an entry that may not be the next one, and is paused before it. */
static void checked_doubt(void *arg, enum check_result result)
{
    struct reader *r = arg;
    const struct held_entry *held = &r->check.held;
    if (held->again && result != CHECK_FAILED) {
        repeat_settled(&r->repeat, held->stream, held->time_ns);
        result == CHECK_LEVEL ? reader_reopen(r) : log_stream_resume(r->stream);
        return;
    }
    if (result == CHECK_LEVEL) {
        proof_given(&r->proof, &r->cursor, held->time_ns, &r->check.next);
        log_stream_resume(r->stream);
        return;
    }
    if (result == CHECK_FAILED) {
        reader_close_stream(r);
        reader_retry(r);
        readers_open_next(r->all);
        return;
    }
    if (held->piece) {
        tail_feed_drop_part(r->feed, held->stream);
        cursor_restart_line(&r->cursor, held->stream);
        r->more[held->stream] = false;
    }
    reader_reopen(r);
}

/* Is the stream paused until a check is over? */
static bool is_held(const struct reader *r)
{
    return r->check.stream && r->check.held.time_ns > 0;
}

/* May the stream have left entries out before this one? Then it is paused, and that is checked. */
static bool is_doubted(struct reader *r, const struct log_entry *e)
{
    return r->container && !r->ends && proof_doubts(&r->proof, &r->cursor, r->more, e) &&
           request_check(r, held_entry(&r->cursor, r->more, e), true, checked_doubt) == 0;
}

static void checked_silence(void *arg, enum check_result result)
{
    struct reader *r = arg;
    silence_checked(&r->silence);
    if (r->check.proves) {
        proof_given(&r->proof, &r->cursor, cursor_newest(&r->cursor), NULL);
    }
    /* Unless the lines come within a second. */
    r->silence.hanging = result == CHECK_BEHIND && !r->silence.heard;
}

/* -- the stream -------------------------------------------------------------------------------- */

static void inspect(struct reader *r)
{
    r->inspecting = true;
    engine_watch_inspect(r->container);
}

static void on_opened(void *arg)
{
    struct reader *r = arg;
    log_queue_settled(&r->all->queue, &r->place);
    readers_open_next(r->all);
}

/* An old Engine's follower goes back when the file rotates. */
static bool is_repeated(const struct reader *r, const struct log_entry *e)
{
    int64_t last = r->cursor.stream[e->stream].last.time_ns;
    bool is_old = e->time_ns < last || (e->time_ns == last && !r->more[e->stream]);
    return is_old && r->container && !r->ends &&
           engine_container_follow_repeats(r->all->engine, r->container);
}

/* May a newer one's bring the entry again? Then the stream is paused, and that is checked. */
static bool comes_again(struct reader *r, const struct log_entry *e)
{
    return r->container && !r->ends && !engine_container_follow_repeats(r->all->engine, r->container) &&
           repeat_suspects(&r->repeat, &r->proof, &r->cursor, r->more, e) &&
           request_check(r, repeat_question(e), true, checked_doubt) == 0;
}

static bool put(struct reader *r, const struct log_entry *e, int64_t time_ns)
{
    r->full = !tail_feed_put(r->feed, e->stream, time_ns, e->text, e->more);
    return !r->full;
}

static bool on_entry(void *arg, const struct log_entry *e)
{
    struct reader *r = arg;
    const struct tail_options *o = r->all->env->options;
    if (request_needs_inspection(r)) {
        reader_close_stream(r);
        inspect(r);
        return false;
    }
    silence_broken(&r->silence, SILENCE_CHECK_AFTER);
    r->fresh = true;
    if (e->malformed) {
        return put(r, e, clock_now());
    }
    if (e->time_ns < o->since_ns || (o->until_ns && e->time_ns > o->until_ns && !r->keeps)) {
        return true;
    }
    struct api_cursor before = r->cursor;
    union source_offset offset;
    if (proof_passes(&r->proof, e)) {
        cursor_take(&r->cursor, e->stream, e->time_ns, &offset);
        return true;
    }
    bool passes = cursor_passes(&r->cursor, e->stream, e->time_ns);
    if (!passes && (is_doubted(r, e) || comes_again(r, e))) {
        return false;
    }
    if (is_repeated(r, e)) {
        r->cursor.stream[e->stream].skipping = true;
        r->cursor.stream[e->stream].skipped = 0;
    } else if (!passes) {
        proof_follows(&r->proof, &r->cursor, e);
    }
    if (!cursor_take(&r->cursor, e->stream, e->time_ns, &offset)) {
        return true;
    }
    if (lifecycle_before_line(&r->life, r->feed, e->time_ns)) {
        event_del(r->timer);
    }
    if (!put(r, e, e->time_ns)) {
        r->cursor = before;
        return false;
    }
    proof_taken(&r->proof, e);
    r->more[e->stream] = e->more;
    r->backoff = RETRY_MIN;
    return true;
}

/* The list does not tell the driver, so a container that only it is known of is asked about, and read again. */
static void unreadable(struct reader *r)
{
    if (r->container->list_only) {
        inspect(r);
        return;
    }
    reader_leave_past(r);
    r->phase = ENDED;
    lifecycle_keeps_nothing(r->feed, r->container->driver);
}

static void on_stream_end(void *arg, enum log_end end, const struct error *err)
{
    struct reader *r = arg;
    struct readers *all = r->all;
    (void)err;
    r->stream = NULL;
    reader_close_stream(r);
    if (end == LOG_END_UNREADABLE && r->container) {
        unreadable(r);
    } else if (r->phase == PAST && end == LOG_END_BROKEN) {
        reader_retry(r); /* what came is passed over: see cursor.h */
    } else if (r->phase == PAST && request_widens(r)) {
        reader_keep_last(r, r->window_ns);
        reader_enqueue(r);
    } else if (r->phase == PAST) {
        reader_past_ended(r);
    } else if (r->life.stopped && !r->ends && r->container) {
        /* An Engine may end a stream before its last lines: they are read without following. */
        reader_enqueue(r);
    } else {
        reader_go_on(r);
    }
    readers_open_next(all);
    readers_check_done(all);
}

/* For the queue. */
static void on_turn(void *arg)
{
    struct reader *r = arg;
    if (!r->container) {
        return;
    }
    if (request_needs_inspection(r)) {
        inspect(r);
        return;
    }
    if (!r->container->list_only && !r->proof.engine) {
        proof_init(&r->proof, r->all->engine, r->container);
    }
    if (!r->keeps && request_keeps_last(r)) {
        reader_keep_last(r, REQUEST_WINDOW);
    }
    proof_opening(&r->proof, &r->cursor, proof_clock(r->all->engine));
    struct log_options options = request_options(r);
    struct log_calls calls = {.opened = on_opened, .entry = on_entry, .end = on_stream_end, .arg = r};
    silence_opened(&r->silence);
    r->stream = log_stream_open(r->all->engine, r->container->id, &options, &calls);
    if (!r->stream) {
        reader_retry(r);
        return;
    }
    log_queue_asked(&r->all->queue, &r->place);
    r->ends = !options.follow;
    if (r->phase != PAST && r->life.stopped) {
        loop_arm_timer(r->timer, LAST_READ);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct reader *r = arg;
    struct readers *all = r->all;
    bool last = r->phase != PAST && r->life.stopped && r->stream;
    if (last && (r->fresh || r->full)) {
        r->fresh = false; /* it still brings lines */
        loop_arm_timer(r->timer, r->ends ? LAST_READ : LAST_WORDS);
    } else if (last && !r->ends) { /* nor does it end: what is left is read without following */
        reader_close_stream(r);
        reader_enqueue(r);
    } else if (last) {
        reader_close_stream(r);
        reader_go_on(r);
    } else if (!r->container) {
        reader_leave_past(r);
        reader_free(r);
        readers_check_done(all);
    } else {
        reader_enqueue(r);
    }
    readers_open_next(all);
}

static void on_resume(void *arg)
{
    struct reader *r = arg;
    r->full = false;
    if (r->stream && !is_held(r)) {
        log_stream_resume(r->stream);
    }
}

static void tick(struct reader *r)
{
    if (api_check_tick(&r->check) || r->phase != PRESENT || !r->container || !r->stream || r->place.opening ||
        r->full || r->life.stopped) {
        return;
    }
    if (r->silence.hanging) {
        reader_reopen(r);
    } else if (silence_tick(&r->silence, UINT_MAX)) {
        request_check(r, (struct held_entry){0}, false, checked_silence); /* without memory: the next time */
    }
}

void readers_tick(struct readers *all)
{
    struct reader *r;
    LIST_FOREACH(r, &all->list, link)
    {
        tick(r);
    }
}

/* -- what happens to its container ------------------------------------------------------------- */

void reader_begin(struct reader *r)
{
    if (r->all->env->options->lines == 0) {
        reader_past_ended(r);
    } else {
        reader_enqueue(r);
    }
}

void reader_begin_now(struct reader *r)
{
    struct engine_container *c = r->container;
    reader_leave_past(r);
    cursor_start_at(&r->cursor, engine_container_run_ns(c));
    lifecycle_started(&r->life, r->feed);
    if (!c->running) {
        lifecycle_stopped(&r->life, r->feed, c->exit_code, INT64_MAX); /* and is gone already */
    }
    reader_enqueue(r);
}

void reader_started(struct reader *r)
{
    if (r->phase == PAST) {
        r->life = (struct lifecycle){0}; /* its history goes on: the stop is one inside of it */
    }
    if (r->life.stopped) {
        lifecycle_started(&r->life, r->feed); /* shown when the last words of the run before are read */
        return;
    }
    if (!r->all->env->follow || r->phase == PAST || r->phase == ENDED) {
        return;
    }
    lifecycle_started(&r->life, r->feed);
    r->backoff = RETRY_MIN;
    if (r->phase == RESTING) {
        r->phase = PRESENT;
        reader_enqueue(r);
    }
}

void reader_died(struct reader *r)
{
    if (r->phase == ENDED || !r->all->env->follow) {
        return;
    }
    lifecycle_stopped_between(&r->life, r->feed, r->container->exit_code, r->container->finished_ns);
    r->ends = false; /* a stream that is open now may end before these last words */
    if (r->phase == PAST) {
        return; /* shown when its history is read */
    }
    event_del(r->timer);
    if (r->stream && engine_is_podman(r->all->engine)) {
        reader_reopen(r); /* without following: as in the source's feed.c, may_follow */
    } else if (r->stream) {
        loop_arm_timer(r->timer, LAST_WORDS);
    } else {
        reader_enqueue(r); /* what it wrote since the stream ended, from the cursor on */
    }
}

void reader_inspected(struct reader *r)
{
    if (r->inspecting) {
        r->inspecting = false;
        reader_enqueue(r);
    }
}

void reader_gone(struct reader *r)
{
    r->container = NULL;
    r->inspecting = false;
    if (is_held(r)) {
        log_stream_resume(r->stream); /* nothing can be checked any more: it brings what it has */
    }
    api_check_stop(&r->check);
    if (r->phase == ENDED || !r->stream) {
        reader_leave_past(r);
        if (r->life.stopped) {
            reader_show_stop(r);
        }
        reader_free(r);
    }
}

/* -- life -------------------------------------------------------------------------------------- */

struct reader *reader_new(struct readers *all, struct engine_container *c, bool running)
{
    const struct tail_env *env = all->env;
    struct identity who = engine_container_identity(c);
    struct tags *tags = tags_new(&who, env->cfg);
    struct reader *r = NULL;
    if (tags && tail_filter_container(env->filter, env->cfg, tags, &who, running) &&
        (r = calloc(1, sizeof(*r)))) {
        r->all = all;
        r->container = c;
        r->backoff = RETRY_MIN;
        r->check = (struct api_check){.cursor = &r->cursor, .proof = &r->proof, .more = r->more, .arg = r};
        silence_init(&r->silence, SILENCE_CHECK_AFTER);
        r->timer = evtimer_new(env->base, on_timer, r);
        r->feed = tail_feed_open(env->feeds, tags, on_resume, r);
        LIST_INSERT_HEAD(&all->list, r, link);
        c->user = r;
        log_queue_join(&all->queue, &r->place, r);
    }
    tags_unref(tags);
    return r;
}

void reader_retag(struct reader *r, struct tags *tags)
{
    tail_feed_retag(r->feed, tags);
}

void readers_init(struct readers *all, const struct tail_env *env)
{
    *all = (struct readers){.env = env};
    log_queue_init(&all->queue, env->cfg->docker_max_opening, on_turn);
}

void readers_free(struct readers *all)
{
    for (struct reader *r; (r = LIST_FIRST(&all->list));) {
        reader_free(r);
    }
}
