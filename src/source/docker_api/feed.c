#include "feed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "config/config.h"

#define BACKOFF_MIN (100 * NS_PER_MS)
#define BACKOFF_MAX (5 * NS_PER_S)
#define CHECK_AFTER                                                                                          \
    5 /* seconds of silence before the first look for a hanging stream; 1 where they are known to hang */
#define CHECK_AFTER_MAX 300 /* it doubles up to this */
#define PAUSED_MAX                                                                                           \
    2 /* seconds without room after which the stream of a rotating log is closed, see tick_paused */
#define WRITE_RATE                                                                                           \
    20000000 /* bytes a second that a container is taken to write at most, see fragile_jump                  \
              */

static const char *short_id(const struct api_feed *f)
{
    static char text[13];
    memcpy(text, f->id, 12);
    return text;
}

/* -- the stream -------------------------------------------------------------------------------- */

static void close_stream(struct api_feed *f)
{
    log_stream_close(f->stream);
    api_check_stop(&f->check);
    f->stream = NULL;
    if (f->state == API_OPENING) {
        f->src->opening--;
    }
    f->state = API_IDLE;
}

void api_feed_reopen(struct api_feed *f)
{
    close_stream(f);
    metrics.source_reconnects++;
    if (f->since_skips) {
        f->backoff =
            BACKOFF_MIN; /* until the Engine has let go of the files it unpacked: it would give them again */
        api_feed_retry(f);
    } else {
        api_feed_enqueue(f);
    }
}

static void on_opened(void *arg)
{
    struct api_feed *f = arg;
    f->state = API_READING;
    f->src->opening--;
    docker_api_kick(f->src);
}

/* Nothing more will come for now: the container does not run. */
static void rest(struct api_feed *f)
{
    f->state = API_IDLE;
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (!f->more[s]) {
            continue;
        }
        if (!pipeline_room(f->src->pipeline)) {
            f->src->starved = true;
            return; /* api_feed_resume comes here again */
        }
        api_feed_end_line(f, (enum stream)s);
        api_feed_mark(f);
    }
    if (!f->container) {
        f->state = API_ENDING;
        api_feed_end(f);
    }
}

/* All that the Engine had was read, and there is no stream. */
static void level(struct api_feed *f)
{
    if (f->again) {
        api_feed_enqueue(f);
    } else if (f->container && f->container->running) {
        f->state = API_LOOKING; /* it died a moment ago, or its stream ended by mistake */
        engine_watch_look(f->src->watch, f->container);
    } else {
        rest(f);
    }
}

static void ended_whole(struct api_feed *f)
{
    if (f->fresh) {
        f->backoff = BACKOFF_MIN;
    }
    if (f->again || api_feed_skipped(f)) {
        api_feed_enqueue(f);
    } else if (f->fresh) {
        f->state = API_CHECKING; /* an Engine may end a stream before its last lines */
        api_feed_check(f, 0);
    } else {
        level(f);
    }
}

static void ended_broken(struct api_feed *f, const struct error *err)
{
    if (f->src->up && f->container) {
        log_warn("the stream of a container's log broke, opening it again",
                 KV("container", f->container->name), KV("error", err->text));
    }
    metrics.source_reconnects++;
    if (f->fresh) {
        f->backoff = BACKOFF_MIN;
    }
    api_feed_retry(f);
}

static void on_end(void *arg, enum log_end why, const struct error *err)
{
    struct api_feed *f = arg;
    struct docker_api *src = f->src;
    f->stream = NULL;
    api_check_stop(&f->check);
    src->opening -= f->state == API_OPENING;
    switch (why) {
    case LOG_END_WHOLE:
        ended_whole(f);
        break;
    case LOG_END_BROKEN:
        ended_broken(f, err);
        break;
    case LOG_END_GONE:
        if (f->container) {
            f->state = API_LOOKING;
            engine_watch_look(src->watch, f->container);
        } else {
            rest(f);
        }
        break;
    case LOG_END_UNREADABLE:
        f->state = API_UNREADABLE;
        log_warn("the Engine cannot read this container's log back: its lines are not collected",
                 KV("container", f->container ? f->container->name : short_id(f)),
                 KV("driver", f->container ? f->container->driver : ""));
        break;
    }
    docker_api_kick(src);
}

unsigned api_feed_patience(const struct api_feed *f)
{
    return f->fragile ? 1 : CHECK_AFTER;
}

/* Opened anew each time before its first entry comes, a stream would never get on. */
static void reopen_silent(struct api_feed *f)
{
    f->patience = f->patience * 2 < CHECK_AFTER_MAX ? f->patience * 2 : CHECK_AFTER_MAX;
    api_feed_reopen(f);
}

/* Only where the Engine's clock is ours: another's is not known so well, and not all the time. */
static bool clock_set_back(const struct api_feed *f, int64_t expected_ns)
{
    return engine_is_local(f->src->engine) && expected_ns > engine_clock(f->src->engine) + CURSOR_BACK_NS;
}

static void catch_clock(struct api_feed *f)
{
    if (clock_set_back(f, cursor_newest(&f->cursor))) {
        f->ahead_ns = cursor_newest(&f->cursor);
        cursor_set_back(&f->cursor, engine_clock(f->src->engine));
        metrics.gaps++;
        log_warn("the clock was set back: lines of a container written about then may be missing, or twice",
                 KV("container", f->container ? f->container->name : short_id(f)));
    }
}

void api_feed_open(struct api_feed *f)
{
    catch_clock(f);
    int64_t since = cursor_open(&f->cursor);
    f->from_zero = f->want_zero;
    f->want_zero = false;
    if (f->from_zero) {
        since = 0; /* what was taken is passed over here */
    }
    f->since_ns = since;
    f->reached = !cursor_expects(&f->cursor);
    struct log_options options = {
        .since_ns = since,
        .tail = -1,
        .follow = true,
        .tty = f->tty,
        .bare_end = f->bare_end,
        .own_times = f->own_times,
        .started_ns = f->container ? f->container->started_ns : 0,
        .known_ns = f->cursor.stream[STREAM_STDOUT].last.time_ns,
    };
    struct log_calls calls = {.opened = on_opened, .entry = api_feed_entry, .end = on_end, .arg = f};
    f->stream = log_stream_open(f->src->engine, f->id, &options, &calls);
    if (!f->stream) {
        die_out_of_memory();
    }
    f->state = API_OPENING;
    f->src->opening++;
    f->fresh = f->again = f->hanging = false;
    f->idle = f->paused = 0;
    f->check_after = f->patience;
    /* A second back: another machine's clock is known to the second only. */
    f->opened_ns = engine_clock(f->src->engine) - (engine_is_local(f->src->engine) ? 0 : NS_PER_S);
}

void api_feed_enqueue(struct api_feed *f)
{
    struct docker_api *src = f->src;
    if (f->state == API_QUEUED || src->stopped) {
        return;
    }
    evtimer_del(f->timer);
    f->state = API_QUEUED;
    f->queued = NULL;
    *src->queue_end = f;
    src->queue_end = &f->queued;
    docker_api_kick(src);
}

void api_feed_retry(struct api_feed *f)
{
    struct timeval tv = {f->backoff / NS_PER_S, f->backoff % NS_PER_S / NS_PER_US};
    f->state = API_WAITING;
    evtimer_add(f->timer, &tv);
    f->backoff = f->backoff * 2 < BACKOFF_MAX ? f->backoff * 2 : BACKOFF_MAX;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    api_feed_enqueue(arg);
}

/* -- what is known otherwise ------------------------------------------------------------------- */

void api_feed_started(struct api_feed *f)
{
    f->again = true;
    if (f->state == API_IDLE || f->state == API_WAITING) {
        f->backoff = BACKOFF_MIN;
        api_feed_enqueue(f);
    }
}

void api_feed_looked(struct api_feed *f)
{
    if (f->state != API_LOOKING) {
        return;
    }
    if (f->again) {
        api_feed_enqueue(f);
    } else if (f->container->running) {
        api_feed_retry(f);
    } else {
        rest(f);
    }
}

void api_feed_gone(struct api_feed *f)
{
    f->container = NULL;
    switch (f->state) {
    case API_OPENING:
    case API_READING:
    case API_CHECKING:
    case API_QUEUED:
        break; /* read to its end, as far as the Engine still gives it */
    case API_WAITING:
        api_feed_enqueue(f);
        break;
    default:
        rest(f);
    }
}

static void checked_jump(struct api_feed *f, enum check_result result)
{
    if (result != CHECK_LEVEL) {
        log_debug("the Engine's stream skipped lines, opening it again", KV("container", short_id(f)));
        f->want_zero = f->since_skips;
        api_feed_reopen(f);
        return;
    }
    f->checked_ns = f->check.until_ns;
    log_stream_resume(f->stream);
}

static void checked_silence(struct api_feed *f, enum check_result result)
{
    f->check_after = f->check_after * 2 < CHECK_AFTER_MAX ? f->check_after * 2 : CHECK_AFTER_MAX;
    if (!f->container && result == CHECK_LEVEL) {
        close_stream(f); /* it was removed, and its stream did not end */
        rest(f);
        return;
    }
    if (result != CHECK_BEHIND) {
        return;
    }
    if (f->fragile) {
        reopen_silent(f);
    } else {
        f->hanging = true; /* unless the lines come within a second */
    }
}

static void on_checked(void *arg, enum check_result result)
{
    struct api_feed *f = arg;
    if (f->state == API_CHECKING) {
        if (result == CHECK_BEHIND) {
            api_feed_enqueue(f);
        } else if (result == CHECK_FAILED) {
            api_feed_retry(f);
        } else {
            level(f);
        }
    } else if (f->check.until_ns) {
        checked_jump(f, result);
    } else {
        checked_silence(f, result);
    }
}

void api_feed_check(struct api_feed *f, int64_t until_ns)
{
    struct log_options options = {.tty = f->tty, .bare_end = f->bare_end, .own_times = f->own_times};
    f->check.cursor = &f->cursor;
    f->check.more = f->more;
    f->check.until_ns = until_ns;
    f->check.strict = until_ns || f->state == API_CHECKING; /* one that is merely silent is left alone */
    f->check.done = on_checked;
    f->check.arg = f;
    if (api_check_start(&f->check, f->src->engine, f->id, &options) < 0) {
        die_out_of_memory();
    }
}

/* Without room for long: an Engine that rotates the log meanwhile would skip what it has not sent yet; asked
 * anew later, it sends all that its files hold. */
static void tick_paused(struct api_feed *f)
{
    if (f->rotates && ++f->paused > PAUSED_MAX) {
        close_stream(f);
        api_feed_enqueue(f);
    }
}

void api_feed_tick(struct api_feed *f)
{
    if (f->state != API_READING || f->check.stream) {
        return;
    }
    if (f->src->starved) {
        tick_paused(f);
        return;
    }
    f->idle++;
    if (clock_set_back(f, f->since_ns)) {
        api_feed_reopen(f);
    } else if (f->hanging) {
        log_warn("the Engine's stream of a container's log hangs, opening it again",
                 KV("container", f->container ? f->container->name : short_id(f)));
        reopen_silent(f);
    } else if (f->idle >= f->check_after || (!f->container && f->idle > 2)) {
        f->idle = 0;
        api_feed_check(f, 0);
    }
}

void api_feed_resume(struct api_feed *f)
{
    if (f->state == API_ENDING) {
        api_feed_end(f);
        return;
    }
    if (f->state == API_IDLE && (f->more[STREAM_STDOUT] || f->more[STREAM_STDERR])) {
        rest(f);
    } else if (f->stream && !(f->check.stream && f->check.until_ns)) {
        log_stream_resume(f->stream);
    }
}

/* -- life -------------------------------------------------------------------------------------- */

/* How long a time without lines must be to be suspicious: as long as it takes to fill a file. */
static int64_t fragile_jump(int64_t max_size)
{
    int64_t ns = max_size * (NS_PER_S / WRITE_RATE);
    return ns < NS_PER_MS ? NS_PER_MS : ns > NS_PER_S ? NS_PER_S : ns;
}

static void start_position(struct api_feed *f)
{
    const struct position *pos = pipeline_position(f->src->pipeline, f->id);
    if (!pos && !f->src->listed && f->src->cfg->start_at == START_END) {
        cursor_start_at(&f->cursor, engine_clock(f->src->engine));
        api_feed_mark(f); /* so that a stop before its next line does not lose that line */
        return;
    }
    cursor_start(&f->cursor, pos);
}

struct api_feed *api_feed_new(struct docker_api *src, struct engine_container *c, struct tags *tags)
{
    struct api_feed *f = calloc(1, sizeof(*f));
    if (!f || !(f->timer = evtimer_new(src->base, on_timer, f))) {
        die_out_of_memory();
    }
    f->src = src;
    f->container = c;
    strcpy(f->id, c->id);
    f->tty = c->tty;
    f->bare_end = engine_bare_end(src->engine, c->driver);
    f->rotates = c->rotates;
    f->fragile = engine_container_fragile(src->engine, c);
    f->since_skips = engine_container_since_skips(src->engine, c);
    f->jump_ns = fragile_jump(c->max_size);
    f->own_times = engine_own_times(c->driver);
    f->patience = api_feed_patience(f);
    f->backoff = BACKOFF_MIN;
    f->tags = tags_ref(tags);
    f->feed = feed_open(src->pipeline, f->id, tags, (struct feed_calls){api_feed_released, f});
    f->next = src->feeds;
    f->prev = &src->feeds;
    if (f->next) {
        f->next->prev = &f->next;
    }
    src->feeds = f;
    start_position(f);
    f->cursor.single = f->tty;
    api_feed_enqueue(f);
    return f;
}

static void unqueue(struct api_feed *f)
{
    struct docker_api *src = f->src;
    for (struct api_feed **at = &src->queue; *at; at = &(*at)->queued) {
        if (*at == f) {
            *at = f->queued;
            if (src->queue_end == &f->queued) {
                src->queue_end = at;
            }
            return;
        }
    }
}

void api_feed_stop(struct api_feed *f)
{
    unqueue(f);
    close_stream(f);
    evtimer_del(f->timer);
}

void api_feed_free(struct api_feed *f)
{
    api_feed_stop(f);
    if (f->container) {
        f->container->user = NULL;
    }
    *f->prev = f->next;
    if (f->next) {
        f->next->prev = f->prev;
    }
    feed_close(f->feed);
    tags_unref(f->tags);
    event_free(f->timer);
    free(f);
}

void api_feed_retag(struct api_feed *f, struct tags *tags)
{
    tags_unref(f->tags);
    f->tags = tags_ref(tags);
    feed_retag(f->feed, tags);
}
