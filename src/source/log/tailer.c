#include "tailer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"

#define READ_CHUNK 262144             /* fits a core's cache; larger ones measured slower */
#define RUN        (LOOP_TURN_NS / 2) /* logs are read for so long before others have their turn */

#define TURN     (2 * NS_PER_S) /* a log that is never read to its end keeps its file open while others wait */
#define FULL_FOR (100 * NS_PER_MS) /* till it is tried again to close a file for another */
#define PATIENCE (2 * NS_PER_S)    /* for so long logs may wait for each other */
#define QUIET    (60 * NS_PER_S)   /* after which it is said anew that logs wait */

static void run_soon(struct tailer *t)
{
    loop_again(t->run);
}

/* Where batches wait, reading may wait as well: more is read at once then. */
static void run_in_time(struct tailer *t)
{
    int64_t wait = config_read_wait(t->env.cfg) - config_told_wait(t->env.cfg);
    if (wait == 0) {
        run_soon(t);
    } else if (!evtimer_pending(t->run, NULL)) {
        loop_arm_timer(t->run, wait);
    }
}

/* A second has passed, and it still waits. */
static void say_waiting(struct tailer *t, const struct turn *turn)
{
    int64_t now = clock_monotonic(), since = standing.logs_wait_since_ns;
    if (now - since < PATIENCE || (t->said_ns > 0 && now - t->said_ns < QUIET)) {
        return;
    }
    t->said_ns = now;
    log_warn("logs wait to be opened: all file descriptors are taken by logs that are being read",
             KV("path", follow_path(turn->follow)), KN("waiting", metrics.waiting_logs),
             KN("open_files", t->open.most), KV("hint", "raise the limit of open files (nofile)"));
}

static void enqueue(struct tailer *t, struct turn *turn)
{
    TAILQ_INSERT_TAIL(&t->queue, turn, queue_link);
    turn->queued = true;
}

static void queue(void *arg, struct turn *turn)
{
    struct tailer *t = arg;
    if (turn->queued) {
        return;
    }
    if (turn->waiting) { /* and keeps its place among those */
        say_waiting(t, turn);
        run_soon(t);
        return;
    }
    if (TAILQ_EMPTY(&t->queue)) {
        run_in_time(t);
    }
    enqueue(t, turn);
}

static void unqueue(struct tailer *t, struct turn *turn)
{
    TAILQ_REMOVE(&t->queue, turn, queue_link);
    turn->queued = false;
}

/* -- more logs than descriptors ---------------------------------------------------------------- */

/* May files have to be closed before long? Until then their order is of no account. */
static bool is_scarce(const struct tailer *t)
{
    return t->open.most > 0 && metrics.open_files >= t->open.most / 2;
}

static void note_open(struct tailer *t, struct turn *turn)
{
    bool open = follow_has_open(turn->follow);
    if (open == turn->open && !is_scarce(t)) {
        return;
    }
    if (turn->open) {
        TAILQ_REMOVE(&t->opened, turn, open_link);
    }
    if (open) {
        TAILQ_INSERT_TAIL(&t->opened, turn, open_link);
        turn->opened_ns = turn->open ? turn->opened_ns : clock_monotonic();
    }
    turn->open = open;
}

static void note_closed(struct tailer *t, struct turn *turn)
{
    note_open(t, turn);
    metrics.closed_logs++;
    if (!t->closing_logged) {
        log_warn("more logs than file descriptors: silent ones are closed, and opened again when they are "
                 "written to",
                 KN("open_files", t->open.most), KV("hint", "raise the limit of open files (nofile)"));
        t->closing_logged = true;
    }
}

/* One that has something to read is opened again for that. */
static bool shelve(struct tailer *t, struct turn *turn)
{
    bool due = turn->queued || turn->steady;
    if (turn->steady && !steady_end(&t->steady, turn)) {
        return false;
    }
    bool closed = follow_shelve(turn->follow);
    if (closed) {
        note_closed(t, turn);
    }
    if (due) {
        follow_wake(turn->follow);
    }
    return closed;
}

/* Closes the file of the log that was read longest ago, of those that have nothing to read now; where `busy`, also of
 * one that has had its time. False: none can be closed. */
static bool shelve_one(struct tailer *t, bool busy)
{
    int64_t now = clock_monotonic();
    struct turn *turn;
    if (now < t->full_until_ns) {
        return false;
    }
    TAILQ_FOREACH(turn, &t->opened, open_link)
    {
        bool due = turn->queued || turn->steady;
        if ((!due || (busy && now - turn->opened_ns >= TURN)) && shelve(t, turn)) {
            return true;
        }
    }
    t->full_until_ns = now + FULL_FOR;
    return false;
}

static bool make_room(struct tailer *t, bool busy)
{
    bool more = true;
    while (more && t->open.most > 0 && metrics.open_files >= t->open.most) {
        more = shelve_one(t, busy);
    }
    return more;
}

static bool room(void *arg)
{
    return make_room(arg, false);
}

static void wait_for_room(struct tailer *t, struct turn *turn)
{
    TAILQ_INSERT_TAIL(&t->waiting, turn, queue_link);
    turn->waiting = true;
    if (metrics.waiting_logs++ == 0) {
        standing.logs_wait_since_ns = clock_monotonic();
    }
}

static void wait_no_more(struct tailer *t, struct turn *turn)
{
    TAILQ_REMOVE(&t->waiting, turn, queue_link);
    turn->waiting = false;
    if (--metrics.waiting_logs == 0) {
        standing.logs_wait_since_ns = 0;
    }
}

/* -- reading in turn --------------------------------------------------------------------------- */

/* Those that wait take turns with the queue, once one of them can be opened. */
static struct turn *next_turn(struct tailer *t)
{
    struct turn *turn = TAILQ_FIRST(&t->waiting), *queued = TAILQ_FIRST(&t->queue);
    if (turn && !(t->served && queued) && make_room(t, true)) {
        wait_no_more(t, turn);
        t->served = true;
        return turn;
    }
    t->served = false;
    if (queued) {
        unqueue(t, queued);
    }
    return queued;
}

/* It was read to its end, beginning there. */
static void note_steady(struct tailer *t, struct turn *turn, struct chain_offset from)
{
    bool found = chain_offset_compare(from, follow_place(turn->follow)) != 0;
    if (!steady_note(&t->steady, turn, found, config_read_wait(t->env.cfg))) {
        queue(t, turn);
    }
}

static void queue_steady(struct tailer *t)
{
    struct turn *turn;
    if (!steady_due(&t->steady, config_read_wait(t->env.cfg))) {
        return;
    }
    TAILQ_FOREACH(turn, &t->steady.logs, steady_link)
    {
        if (!turn->queued && !turn->waiting) {
            enqueue(t, turn);
        }
    }
}

/* For those whose turns are next. */
static void fetch_next(const struct tailer *t)
{
    const struct turn *next = TAILQ_FIRST(&t->queue), *then = next ? TAILQ_NEXT(next, queue_link) : NULL;
    if (next) {
        follow_fetch_now(next->follow);
    }
    if (then) {
        follow_fetch_soon(then->follow);
    }
}

/* False: nothing can be read now. */
static bool read_one(struct tailer *t)
{
    struct turn *turn;
    if (t->stopped || !pipeline_room(t->env.pipeline) || !(turn = next_turn(t))) {
        return false; /* queue or tailer_resume set this going again */
    }
    fetch_next(t);
    struct chain_offset from = follow_place(turn->follow);
    enum follow_state state = follow_read(turn->follow);
    if (state == FOLLOW_WAITS) {
        wait_for_room(t, turn);
    } else if (state != FOLLOW_DONE) {
        note_open(t, turn);
        if (state == FOLLOW_MORE) {
            queue(t, turn);
        } else {
            t->full_until_ns = 0; /* it may be closed for another */
            note_steady(t, turn, from);
        }
    }
    return true;
}

/* Those that wait do so as long as none can be closed for them. */
static bool has_more(const struct tailer *t)
{
    return !TAILQ_EMPTY(&t->queue) || (!TAILQ_EMPTY(&t->waiting) && t->full_until_ns == 0);
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tailer *t = arg;
    int64_t until = clock_monotonic() + RUN;
    bool any;
    queue_steady(t);
    while ((any = read_one(t)) && has_more(t) && clock_monotonic() < until) {
    }
    if (any && has_more(t)) {
        run_soon(t); /* the loop sees to it that others have their turn */
    } else if (!TAILQ_EMPTY(&t->steady.logs) && !t->stopped && pipeline_room(t->env.pipeline)) {
        loop_arm_timer(t->run, steady_left(&t->steady));
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

struct follow *tailer_holder(const struct tailer *t, dev_t dev, ino_t ino, const char *path)
{
    const struct chain *chain = chain_of(&t->open, dev, ino, path);
    return chain ? chain->follow : NULL;
}

struct follow *tailer_leaver(const struct tailer *t, struct segment *seg, struct file_pos *end)
{
    const struct turn *turn;
    struct follow *leaver = NULL;
    struct file_pos at;
    if (!t->any_left) {
        return NULL;
    }
    TAILQ_FOREACH(turn, &t->all, all_link)
    {
        if (follow_has_left(turn->follow, seg, &at) && (!leaver || at.offset > end->offset)) {
            leaver = turn->follow;
            *end = at;
        }
    }
    return leaver;
}

static bool is_allowed(void *arg, const char *key, const char *path)
{
    const struct tailer *t = arg;
    return !t->calls.allowed || t->calls.allowed(t->calls.arg, key, path);
}

static bool is_open(void *arg, dev_t dev, ino_t ino, const char *path)
{
    return tailer_holder(arg, dev, ino, path) != NULL;
}

static char *find_stray(void *arg, const char *key)
{
    const struct tailer *t = arg;
    return t->calls.stray ? t->calls.stray(t->calls.arg, key) : NULL;
}

static bool was_read_before(void *arg, const char *key, struct segment *seg, struct file_pos *to)
{
    const struct tailer *t = arg;
    struct file_pos other;
    bool left = tailer_leaver(t, seg, to) != NULL;
    if (t->calls.read_before && t->calls.read_before(t->calls.arg, key, seg, &other) &&
        (!left || other.offset > to->offset)) {
        *to = other;
        left = true;
    }
    return left;
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
                                                .allowed = is_allowed,
                                                .open = is_open,
                                                .stray = find_stray,
                                                .read_before = was_read_before,
                                                .left = on_left,
                                                .arg = t},
                                     .open = &t->open,
                                     .room = room,
                                     .ready = queue,
                                     .ready_later = queue_later,
                                     .arg = t};
        TAILQ_INIT(&t->queue);
        steady_init(&t->steady);
        TAILQ_INIT(&t->all);
        TAILQ_INIT(&t->waiting);
        TAILQ_INIT(&t->opened);
        t->open.most = fd_room();
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
        note_open(t, follow_turn(f));
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
    if (turn->waiting) {
        wait_no_more(t, turn);
    }
    if (turn->open) {
        TAILQ_REMOVE(&t->opened, turn, open_link);
    }
    steady_remove(&t->steady, turn);
    TAILQ_REMOVE(&t->all, turn, all_link);
    follow_close(f);
}

void tailer_set_calls(struct tailer *t, struct tailer_calls calls)
{
    t->calls = calls;
}

void tailer_resume(struct tailer *t)
{
    if (!TAILQ_EMPTY(&t->queue) || !TAILQ_EMPTY(&t->waiting) || !TAILQ_EMPTY(&t->steady.logs)) {
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
    loop_free_event(t->run);
    loop_free_event(t->later);
    read_buffer_free(&t->buffer);
    free(t);
}
