#include "feed.h"

#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "describe.h"
#include "say.h"
#include "source/unreadable.h"

#define BACKOFF_MIN (100 * NS_PER_MS)
#define BACKOFF_MAX (5 * NS_PER_S)
#define PAUSED_MAX  2 /* seconds without room after which a rotating log's stream is closed */
#define GONE_CHECK  3 /* seconds of silence before a check, once the container is removed */

static const char *name_of(const struct api_feed *f)
{
    static char short_id[13];
    memcpy(short_id, f->id, sizeof(short_id) - 1);
    return f->container ? f->container->name : short_id;
}

static bool engine_is_up(const struct api_feed *f)
{
    return !queue_held(&f->env->queue, HOLD_NO_ENGINE);
}

/* api_feed_resume will be called. */
static void wait_for_room(struct api_feed *f)
{
    queue_hold(&f->env->queue, HOLD_NO_ROOM);
}

/* Podman's follower drops lines at random once the container has ended: it reads on to the end of the log, but gives each
 * line only where its sender, which was told to stop, happens to choose so (nxadm/tail, sendLine). */
static bool may_follow(const struct api_feed *f)
{
    return !engine_is_podman(f->env->engine) || (f->container && f->container->running);
}

/* Seconds of silence before a check, of a stream that has brought entries. */
static unsigned patience(const struct api_feed *f)
{
    return f->intake.follow_repeats ? 1 : SILENCE_CHECK_AFTER;
}

/* -- opening ----------------------------------------------------------------------------------- */

static void settle(struct api_feed *f)
{
    if (f->state == API_OPENING) {
        queue_settled(&f->env->queue);
    }
}

static void close_stream(struct api_feed *f)
{
    log_stream_close(f->stream);
    api_check_stop(&f->check);
    f->stream = NULL;
    settle(f);
    f->state = API_IDLE;
}

/* Queues it to be opened at its position. */
static void enqueue(struct api_feed *f)
{
    if (queue_add(&f->env->queue, &f->place)) {
        evtimer_del(f->timer);
        f->state = API_QUEUED;
        queue_open_next(&f->env->queue);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    enqueue(arg);
}

/* Opens it again after a while, longer each time. */
static void retry(struct api_feed *f)
{
    f->state = API_WAITING;
    loop_arm_timer(f->timer, f->backoff);
    f->backoff = f->backoff * 2 < BACKOFF_MAX ? f->backoff * 2 : BACKOFF_MAX;
}

/* Opens another stream in place of the one that is open; `later`: in a moment, when what is being written now is there. */
static void reopen(struct api_feed *f, bool later)
{
    close_stream(f);
    metrics.source_reconnects++;
    if (later || f->intake.since_skips) {
        /* The Engine has let go by then of the files that it unpacked, too: it would give them again. */
        f->backoff = BACKOFF_MIN;
        retry(f);
    } else {
        enqueue(f);
    }
}

static void reopen_silent(struct api_feed *f)
{
    silence_reopening(&f->silence);
    reopen(f, false);
}

/* -- once all is read -------------------------------------------------------------------------- */

static void inspect(struct api_feed *f)
{
    f->state = API_INSPECTING;
    engine_watch_inspect(f->container);
}

/* All of a removed container is in the pipeline. */
static void finish(struct api_feed *f)
{
    if (intake_forget(&f->intake)) {
        api_feed_free(f);
    } else {
        wait_for_room(f);
    }
}

/* Nothing more will come for now: the container does not run. */
static void rest(struct api_feed *f)
{
    f->state = API_IDLE;
    if (!intake_end_lines(&f->intake)) {
        wait_for_room(f);
    } else if (!f->container) {
        f->state = API_ENDING;
        finish(f);
    }
}

/* All that the Engine had was read, and there is no stream. */
static void caught_up(struct api_feed *f)
{
    if (f->again) {
        enqueue(f);
    } else if (f->container && f->container->running) {
        inspect(f); /* it died a moment ago, or its stream ended by mistake */
    } else {
        rest(f);
    }
}

/* -- checks: has the log more than the stream brought? ----------------------------------------- */

/* The stream had ended. */
static void checked_end(void *arg, enum check_result result)
{
    struct api_feed *f = arg;
    if (result == CHECK_BEHIND) {
        enqueue(f);
    } else if (result == CHECK_FAILED) {
        retry(f);
    } else {
        intake_checked(&f->intake, 0, NULL);
        caught_up(f);
    }
}

/* The stream brought an entry that may not be the next one, and is paused before it. */
static void checked_doubt(void *arg, enum check_result result)
{
    struct api_feed *f = arg;
    if (result == CHECK_FAILED) {
        close_stream(f);
        retry(f);
        queue_open_next(&f->env->queue);
        return;
    }
    if (f->check.held.returned) {
        if (!intake_sought(&f->intake, &f->check.held, result == CHECK_LEVEL)) {
            reopen(f, false);
            return;
        }
    } else if (result == CHECK_LEVEL) {
        intake_checked(&f->intake, f->check.held.time_ns, &f->check.next);
    } else {
        say_skipped(name_of(f));
        intake_missed(&f->intake, &f->check.held);
        reopen(f, false);
        return;
    }
    log_stream_resume(f->stream);
}

/* The stream had been silent. */
static void checked_silence(void *arg, enum check_result result)
{
    struct api_feed *f = arg;
    silence_checked(&f->silence);
    if (!f->container && result == CHECK_LEVEL && !f->silence.heard) {
        close_stream(f); /* it was removed, and its stream did not end */
        rest(f);
        return;
    }
    if (f->check.proves) {
        intake_checked(&f->intake, 0, NULL);
    }
    if (result != CHECK_BEHIND || f->silence.heard) {
        return;
    }
    if (f->intake.follow_repeats || f->intake.proof.owed) {
        reopen_silent(f);
    } else {
        f->silence.hanging = true; /* unless the lines come within a second */
    }
}

/* `held` and `strict` are those of struct api_check. */
static void check(struct api_feed *f, struct held_entry held, bool strict,
                  void (*done)(void *arg, enum check_result result))
{
    f->check.held = held;
    f->check.strict = strict;
    f->check.done = done;
    if (api_check_start(&f->check, f->env->engine, f->id, &f->options) < 0) {
        die_out_of_memory();
    }
}

/* -- the stream -------------------------------------------------------------------------------- */

static void on_opened(void *arg)
{
    struct api_feed *f = arg;
    settle(f);
    f->state = API_READING;
    queue_open_next(&f->env->queue);
}

static bool on_entry(void *arg, const struct log_entry *e)
{
    struct api_feed *f = arg;
    enum intake_result result = intake_entry(&f->intake, e);
    if (result == INTAKE_NO_ROOM) {
        wait_for_room(f);
        return false;
    }
    f->paused = 0;
    silence_broken(&f->silence, patience(f));
    switch (result) {
    case INTAKE_DOUBT:
        check(f, f->intake.doubted, true, checked_doubt);
        return false;
    case INTAKE_REOPEN:
        reopen(f, f->intake.follow_repeats);
        return false;
    case INTAKE_TAKEN_AFTER_GAP:
        say_rotated_away(name_of(f));
        return true;
    default:
        return true;
    }
}

static void ended_whole(struct api_feed *f)
{
    if (f->intake.fresh) {
        f->backoff = BACKOFF_MIN;
    }
    if (f->again || intake_was_misled(&f->intake)) {
        enqueue(f);
    } else if (f->intake.fresh) {
        f->state = API_CHECKING; /* an Engine may end a stream before its last lines */
        check(f, (struct held_entry){0}, true, checked_end);
    } else {
        caught_up(f);
    }
}

static void ended_broken(struct api_feed *f, const struct error *err)
{
    if (engine_is_up(f) && f->container) {
        say_broke(name_of(f), err->text);
    }
    metrics.source_reconnects++;
    if (f->intake.fresh) {
        f->backoff = BACKOFF_MIN;
    }
    retry(f);
}

static void on_end(void *arg, enum log_end why, const struct error *err)
{
    struct api_feed *f = arg;
    struct open_queue *queue = &f->env->queue; /* the feed may be freed here */
    f->stream = NULL;
    api_check_stop(&f->check);
    settle(f);
    switch (why) {
    case LOG_END_WHOLE:
        ended_whole(f);
        break;
    case LOG_END_BROKEN:
        ended_broken(f, err);
        break;
    case LOG_END_GONE:
        if (f->container) {
            inspect(f);
        } else {
            rest(f);
        }
        break;
    case LOG_END_UNREADABLE:
        f->state = API_UNREADABLE;
        api_note_unreadable(f);
        say_keeps_nothing(name_of(f), f->container ? f->container->driver : "");
        break;
    }
    queue_open_next(queue);
}

void api_feed_open(void *feed)
{
    struct api_feed *f = feed;
    if (intake_catch_clock(&f->intake)) {
        say_clock_back(name_of(f));
    }
    struct log_options options = f->options;
    options.since_ns = intake_open(&f->intake);
    options.follow = may_follow(f);
    options.gather = options.follow && proof_may_gather(&f->intake.proof);
    options.started_ns = f->container ? f->container->started_ns : 0;
    options.known_ns = f->intake.cursor.stream[STREAM_STDOUT].last.time_ns;
    struct log_calls calls = {.opened = on_opened, .entry = on_entry, .end = on_end, .arg = f};
    f->stream = log_stream_open(f->env->engine, f->id, &options, &calls);
    if (!f->stream) {
        die_out_of_memory();
    }
    f->state = API_OPENING;
    f->again = false;
    f->paused = 0;
    silence_opened(&f->silence);
}

/* -- what happens besides ---------------------------------------------------------------------- */

void api_feed_started(struct api_feed *f)
{
    f->again = true;
    if (f->state == API_IDLE || f->state == API_WAITING) {
        f->backoff = BACKOFF_MIN;
        enqueue(f);
    }
}

void api_feed_died(struct api_feed *f)
{
    if (!may_follow(f) && (f->state == API_OPENING || f->state == API_READING)) {
        close_stream(f); /* the rest is read without following, before Podman begins to drop lines */
        enqueue(f);
    }
}

void api_feed_inspected(struct api_feed *f)
{
    if (f->state != API_INSPECTING) {
        return;
    }
    if (f->again) {
        enqueue(f);
    } else if (f->container->running) {
        retry(f);
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
        enqueue(f);
        break;
    default:
        rest(f);
    }
}

void api_feed_relisted(struct api_feed *f)
{
    if (f->state == API_IDLE) {
        enqueue(f); /* it may have run meanwhile */
    }
}

/* Without room for long: an Engine that rotates the log meanwhile would skip what it has not sent yet. Asked
 * anew later, it sends all that its files hold. */
static void tick_paused(struct api_feed *f)
{
    if (f->rotates && ++f->paused > PAUSED_MAX) {
        close_stream(f);
        enqueue(f);
    }
}

void api_feed_tick(struct api_feed *f)
{
    if (api_check_tick(&f->check) || f->state != API_READING) {
        return;
    }
    if (queue_held(&f->env->queue, HOLD_NO_ROOM)) {
        tick_paused(f);
        return;
    }
    bool due = silence_tick(&f->silence, f->container ? UINT_MAX : GONE_CHECK);
    if (intake_is_behind_clock(&f->intake)) {
        reopen(f, false);
    } else if (f->silence.hanging) {
        say_hangs(name_of(f));
        reopen_silent(f);
    } else if (due) {
        /* Not strict: one that is merely silent is left alone. */
        check(f, (struct held_entry){0}, false, checked_silence);
    }
}

void api_feed_resume(struct api_feed *f)
{
    bool held = f->check.stream && f->check.held.time_ns > 0; /* paused until that check is over */
    if (f->state == API_ENDING) {
        finish(f);
    } else if (f->state == API_IDLE && intake_is_unfinished(&f->intake)) {
        rest(f);
    } else if (f->stream && !held) {
        log_stream_resume(f->stream);
    }
}

/* -- life -------------------------------------------------------------------------------------- */

struct api_feed *api_feed_new(struct api_env *env, struct engine_container *c, struct tags *tags, bool at_end)
{
    struct api_feed *f = calloc(1, sizeof(*f));
    if (!f || !(f->timer = evtimer_new(env->base, on_timer, f))) {
        die_out_of_memory();
    }
    f->env = env;
    f->container = c;
    strcpy(f->id, c->id);
    f->options = log_options_for(env->engine, c->driver, c->tty);
    f->rotates = c->rotates;
    f->backoff = BACKOFF_MIN;
    f->place.owner = f;
    f->check = (struct api_check){
        .cursor = &f->intake.cursor, .proof = &f->intake.proof, .more = f->intake.more, .arg = f};
    intake_init(&f->intake, env->engine, env->pipeline, c, tags, at_end);
    feed_describe_by(f->intake.feed, api_describe, f);
    silence_init(&f->silence, patience(f));
    enqueue(f);
    return f;
}

static void stop_reading(struct api_feed *f)
{
    queue_remove(&f->env->queue, &f->place);
    close_stream(f);
    evtimer_del(f->timer);
}

void api_feed_stop(struct api_feed *f)
{
    stop_reading(f);
    f->container = NULL;
}

void api_feed_free(struct api_feed *f)
{
    stop_reading(f);
    if (f->container) {
        f->container->user = NULL;
    }
    LIST_REMOVE(f, link);
    intake_close(&f->intake);
    event_free(f->timer);
    free(f);
}

void api_feed_retag(struct api_feed *f, struct tags *tags)
{
    intake_retag(&f->intake, tags);
}
