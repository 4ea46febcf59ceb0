#include "view.h"

#include <stdlib.h>

#include "base/clock.h"

#define RETRY_MIN (100 * NS_PER_MS)
#define RETRY_MAX (5 * NS_PER_S)
#define LAST_WORDS                                                                                           \
    (1 * NS_PER_S) /* how long after its death a container's stream may bring nothing, and not end */
#define LAST_READ       (30 * NS_PER_S) /* likewise a stream that was opened after it */
#define CHECK_AFTER     5               /* seconds of silence before the first look for a hanging stream */
#define CHECK_AFTER_MAX 300             /* it doubles up to this */

static void arm(struct event *timer, int64_t ns)
{
    struct timeval tv = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US};
    event_add(timer, &tv);
}

static void enqueue(struct view *v)
{
    if (!v->queued && !v->stream && !v->looking) {
        v->queued = true;
        if (v->phase == PAST) {
            TAILQ_INSERT_HEAD(&v->api->queue, v, queue_link);
        } else {
            TAILQ_INSERT_TAIL(&v->api->queue, v, queue_link);
        }
    }
}

static void dequeue(struct view *v)
{
    if (v->queued) {
        v->queued = false;
        TAILQ_REMOVE(&v->api->queue, v, queue_link);
    }
}

static void settle(struct view *v)
{
    v->api->opening -= v->opening;
    v->opening = false;
}

static void close_stream(struct view *v)
{
    api_check_stop(&v->check);
    log_stream_close(v->stream);
    v->stream = NULL;
    v->hanging = false;
    settle(v);
}

static void retry(struct view *v)
{
    arm(v->timer, v->backoff);
    v->backoff = v->backoff * 2 < RETRY_MAX ? v->backoff * 2 : RETRY_MAX;
}

/* -- from one phase to the next ---------------------------------------------------------------- */

static void leave_past(struct view *v)
{
    struct api *a = v->api;
    if (v->phase != PAST) {
        return;
    }
    /* A stream that had nothing to say goes on where the other one is, or now. */
    int64_t from = v->cursor.seen_ns > 0 ? v->cursor.seen_ns : a->now_ns;
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (v->cursor.stream[s].last.time_ns == 0) {
            v->cursor.stream[s].last.time_ns = from;
        }
    }
    v->cursor.seen_ns = from;
    v->phase = PRESENT;
    a->past--;
    tail_feed_present(v->feed);
}

/* That it stopped, and that it was started again where it was. */
static void say_stopped(struct view *v)
{
    event_del(v->timer);
    tail_feed_stopped(v->feed, v->exit_code, clock_now());
    if (v->begun) {
        tail_feed_notice(v->feed, TAIL_NOTICE_GOOD, clock_now(), "started");
    }
    v->died = v->begun = false;
}

/* The stream has ended, or there is none to be had: what next? */
static void go_on(struct view *v)
{
    bool running = v->container && v->container->running;
    if (v->died) {
        say_stopped(v);
        v->phase = RESTING;
    } else if (v->phase == PRESENT && !running) {
        v->phase = RESTING;
    }
    if (!v->container && v->phase != PAST) {
        view_free(v);
    } else if (v->phase == PRESENT && v->api->follow) {
        retry(v);
    } else if (v->phase == RESTING && running && v->api->follow) {
        v->phase = PRESENT; /* it was started again while its last words were read */
        enqueue(v);
    }
}

static void past_ended(struct view *v)
{
    leave_past(v);
    if (v->api->follow && v->container && (v->container->running || v->died)) {
        enqueue(v); /* what it wrote since it was listed */
        return;
    }
    if (v->container) {
        tail_feed_waits(v->feed);
    }
    go_on(v);
}

/* -- the stream -------------------------------------------------------------------------------- */

/* Must more be known of the container than the list says, before its log is opened? What is followed needs it
 * all; of the past only what is read in a way of its own: the log of a terminal, and that of an old Engine
 * which leaves lines out when asked since when. */
static bool is_unknown(const struct view *v)
{
    const struct api *a = v->api;
    bool terminal = v->stream && log_stream_tty(v->stream);
    return v->container && v->container->list_only &&
           (v->phase != PAST || terminal || (a->o->since_ns > 0 && engine_api_minor(a->engine) < 42));
}

static void look(struct view *v)
{
    v->looking = true;
    engine_watch_inspect(v->container);
}

static void on_opened(void *arg)
{
    struct view *v = arg;
    settle(v);
    api_open_queued(v->api);
}

/* An old Engine's follower goes back when the file rotates. */
static bool told_twice(const struct view *v, const struct log_entry *e)
{
    return e->time_ns < v->cursor.stream[e->stream].last.time_ns && v->container &&
           engine_container_follow_skips(v->api->engine, v->container);
}

static bool put(struct view *v, const struct log_entry *e, int64_t time_ns)
{
    v->full = !tail_feed_put(v->feed, e->stream, time_ns, e->text, e->more);
    return !v->full;
}

static bool on_entry(void *arg, const struct log_entry *e)
{
    struct view *v = arg;
    const struct tail_options *o = v->api->o;
    if (is_unknown(v)) {
        close_stream(v);
        look(v);
        return false;
    }
    v->idle = 0;
    v->fresh = true;
    v->hanging = false;
    if (e->malformed) {
        return put(v, e, clock_now());
    }
    if (e->time_ns < o->since_ns || (o->until_ns && e->time_ns > o->until_ns)) {
        return true;
    }
    struct api_cursor before = v->cursor;
    union source_offset offset;
    if (told_twice(v, e)) {
        v->cursor.stream[e->stream].skipping = true;
        v->cursor.stream[e->stream].skipped = 0;
    }
    if (!cursor_take(&v->cursor, e->stream, e->time_ns, &offset)) {
        return true;
    }
    if (v->begun && e->time_ns > v->died_ns) {
        say_stopped(v); /* this line is of the new run */
    }
    if (!put(v, e, e->time_ns)) {
        v->cursor = before;
        return false;
    }
    v->more[e->stream] = e->more;
    v->backoff = RETRY_MIN;
    return true;
}

static void on_stream_end(void *arg, enum log_end end, const struct error *err)
{
    struct view *v = arg;
    struct api *a = v->api;
    (void)err;
    v->stream = NULL;
    close_stream(v);
    if (end == LOG_END_UNREADABLE) {
        leave_past(v);
        v->phase = ENDED;
        tail_feed_notice(v->feed, TAIL_NOTICE_BAD, clock_now(),
                         "cannot be shown: its log driver keeps nothing to read back");
    } else if (v->phase == PAST && end == LOG_END_BROKEN) {
        retry(v); /* what came is passed over, see api_cursor.h */
    } else if (v->phase == PAST) {
        past_ended(v);
    } else if (v->died && !v->ends && v->container) {
        enqueue(v); /* an Engine may end a stream before its last lines: they are read without following */
    } else {
        go_on(v);
    }
    api_open_queued(a);
    api_check_done(a);
}

static struct log_options options_of(struct view *v)
{
    struct api *a = v->api;
    struct engine_container *c = v->container;
    struct log_options options = {.tail = -1,
                                  .follow = v->phase != PAST && !v->died,
                                  .tty = c->tty,
                                  .tty_unknown = c->list_only,
                                  .bare_end = !c->list_only && engine_bare_end(a->engine, c->driver),
                                  .own_times = !c->list_only && engine_own_times(c->driver),
                                  .started_ns = c->started_ns,
                                  .known_ns = cursor_newest(&v->cursor),
                                  .since_ns = cursor_open(&v->cursor),
                                  .until_ns = a->o->until_ns};
    if (v->phase == PAST) {
        options.tail = a->o->lines;
        options.until_ns = a->follow ? a->now_ns : a->o->until_ns;
        options.since_ns = a->o->since_ns > options.since_ns ? a->o->since_ns : options.since_ns;
        if (engine_container_since_skips(a->engine, c)) {
            options.since_ns = 0; /* passed over here */
        }
    }
    return options;
}

static void open_stream(struct view *v)
{
    if (is_unknown(v)) {
        look(v);
        return;
    }
    struct log_options options = options_of(v);
    struct log_calls calls = {.opened = on_opened, .entry = on_entry, .end = on_stream_end, .arg = v};
    v->idle = 0;
    v->check_after = CHECK_AFTER;
    v->stream = log_stream_open(v->api->engine, v->container->id, &options, &calls);
    if (!v->stream) {
        retry(v);
        return;
    }
    v->opening = true;
    v->api->opening++;
    v->ends = !options.follow;
    if (v->phase != PAST && v->died) {
        arm(v->timer, LAST_READ);
    }
}

void api_open_queued(struct api *a)
{
    struct view *v;
    while (a->opening < tail_config(a->tail)->docker_max_opening && (v = TAILQ_FIRST(&a->queue))) {
        if (v->phase != PAST && a->past > 0) {
            return; /* its lines come after all of the past, which must not wait for the Engine's sake */
        }
        dequeue(v);
        if (v->container) {
            open_stream(v);
        }
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct view *v = arg;
    struct api *a = v->api;
    bool last = v->phase != PAST && v->died && v->stream;
    if (last && (v->fresh || v->full)) {
        v->fresh = false; /* it still brings lines */
        arm(v->timer, v->ends ? LAST_READ : LAST_WORDS);
    } else if (last && !v->ends) { /* nor does it end: what is left is read without following */
        close_stream(v);
        enqueue(v);
    } else if (last) {
        close_stream(v);
        go_on(v);
    } else if (!v->container) {
        leave_past(v);
        view_free(v);
        api_check_done(a);
    } else {
        enqueue(v);
    }
    api_open_queued(a);
}

static void on_resume(void *arg)
{
    struct view *v = arg;
    v->full = false;
    if (v->stream) {
        log_stream_resume(v->stream);
    }
}

/* -- streams that hang ------------------------------------------------------------------------- */

static void on_checked(void *arg, enum check_result result)
{
    struct view *v = arg;
    v->check_after = v->check_after * 2 < CHECK_AFTER_MAX ? v->check_after * 2 : CHECK_AFTER_MAX;
    v->hanging = result == CHECK_BEHIND; /* unless the lines come within a second */
}

static void check(struct view *v)
{
    struct engine_container *c = v->container;
    struct log_options options = {.tty = c->tty,
                                  .bare_end = engine_bare_end(v->api->engine, c->driver),
                                  .own_times = engine_own_times(c->driver)};
    v->idle = 0;
    v->check.cursor = &v->cursor;
    v->check.more = v->more;
    v->check.done = on_checked;
    v->check.arg = v;
    api_check_start(&v->check, v->api->engine, c->id, &options); /* without memory: the next time */
}

void view_tick(struct view *v)
{
    if (v->phase != PRESENT || !v->container || !v->stream || v->opening || v->full || v->died ||
        v->check.stream) {
        return;
    }
    if (v->hanging) {
        close_stream(v);
        enqueue(v); /* at its position: what was taken is passed over */
        api_open_queued(v->api);
    } else if (++v->idle >= v->check_after) {
        check(v);
    }
}

/* -- what happens to its container ------------------------------------------------------------- */

struct view *view_new(struct api *a, struct engine_container *c, bool running)
{
    struct identity who = engine_container_identity(c);
    struct tags *tags = tags_new(&who, tail_config(a->tail));
    struct view *v = NULL;
    if (tags && tail_wants(a->tail, tags, &who, running) && (v = calloc(1, sizeof(*v)))) {
        v->api = a;
        v->container = c;
        v->backoff = RETRY_MIN;
        v->timer = evtimer_new(tail_base(a->tail), on_timer, v);
        v->feed = tail_feed_open(a->tail, tags, on_resume, v);
        LIST_INSERT_HEAD(&a->views, v, link);
        c->user = v;
        a->past++;
    }
    tags_unref(tags);
    return v;
}

void view_free(struct view *v)
{
    dequeue(v);
    close_stream(v);
    v->api->past -= v->phase == PAST;
    LIST_REMOVE(v, link);
    event_free(v->timer);
    tail_feed_close(v->feed);
    if (v->container) {
        v->container->user = NULL;
    }
    free(v);
}

void view_begin(struct view *v)
{
    if (v->api->o->lines == 0) {
        past_ended(v);
    } else {
        enqueue(v);
    }
}

void view_begin_now(struct view *v)
{
    struct engine_container *c = v->container;
    leave_past(v);
    cursor_start_at(&v->cursor, engine_container_run_ns(c));
    tail_feed_notice(v->feed, TAIL_NOTICE_GOOD, clock_now(), "started");
    if (!c->running) {
        v->died = true; /* and is gone already */
        v->exit_code = c->exit_code;
    }
    enqueue(v);
}

void view_started(struct view *v)
{
    if (v->phase == PAST) {
        v->died = false;
    }
    if (v->died) {
        v->begun = true; /* said when the last words of the run before are read */
        return;
    }
    if (!v->api->follow || v->phase == PAST || v->phase == ENDED) {
        return;
    }
    tail_feed_notice(v->feed, TAIL_NOTICE_GOOD, clock_now(), "started");
    v->backoff = RETRY_MIN;
    if (v->phase == RESTING) {
        v->phase = PRESENT;
        enqueue(v);
    }
}

void view_died(struct view *v)
{
    if (v->phase == ENDED || !v->api->follow) {
        return;
    }
    if (v->begun) {
        say_stopped(v); /* of the run before */
    }
    v->exit_code = v->container->exit_code;
    v->died_ns = v->container->finished_ns;
    v->died = true;
    v->ends = false; /* a stream that is open now may end before these last words */
    if (v->phase == PAST) {
        return; /* said when its history is read */
    }
    event_del(v->timer);
    if (v->stream) {
        arm(v->timer, LAST_WORDS);
    } else {
        enqueue(v); /* what it wrote since the stream ended; see api_cursor.h */
    }
}

void view_looked(struct view *v)
{
    if (v->looking) {
        v->looking = false;
        enqueue(v);
    }
}

void view_gone(struct view *v)
{
    v->container = NULL;
    v->looking = false;
    api_check_stop(&v->check);
    if (v->phase == ENDED || !v->stream) {
        leave_past(v);
        if (v->died) {
            say_stopped(v);
        }
        view_free(v);
    }
}
