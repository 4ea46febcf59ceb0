#include "tail/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/privilege.h"
#include "encode/encode.h"
#include "encode/pretty/pretty.h"
#include "encode/terminal.h"
#include "engine/engine.h"
#include "filter.h"
#include "screen.h"

struct tail_feed {
    struct tail *tail;
    LIST_ENTRY(tail_feed) link;
    struct tags *tags;
    struct lane *lane;
    struct buf join[STREAM_COUNT]; /* a line whose rest has not come yet */
    int64_t join_ns[STREAM_COUNT]; /* its time */
    struct tail_filter_state filter[STREAM_COUNT];
    bool waiting; /* the source was told to wait */
    bool closed;  /* by the source: freed once its lane is empty */
    void (*resume)(void *arg);
    void *arg;
};

struct tail {
    const struct tail_options *o;
    const struct config *cfg;
    struct event_base *base;
    struct tail_filter *filter;
    struct merge *merge;
    struct screen *screen;
    struct pretty pretty;
    void *json; /* state of its encoder */
    LIST_HEAD(feeds, tail_feed) feeds;
    const struct tail_source *ops;
    void *source;
    struct event *signals[3];
    struct event *fall_back; /* opens the other source */
    size_t joined;           /* feeds opened so far */
    bool follow, listed, finishing, ended;
    int result;
};

static _Noreturn void out_of_memory(void)
{
    fputs("sidetail tail: out of memory\n", stderr);
    exit(EXIT_FAULT);
}

struct event_base *tail_base(const struct tail *t)
{
    return t->base;
}

const struct tail_options *tail_asked(const struct tail *t)
{
    return t->o;
}

bool tail_follows(const struct tail *t)
{
    return t->follow;
}

const struct config *tail_config(const struct tail *t)
{
    return t->cfg;
}

bool tail_wants(const struct tail *t, const struct tags *tags, const struct identity *who, bool running)
{
    return tail_filter_container(t->filter, t->cfg, tags, who, running);
}

void tail_say(struct tail *t, const char *text)
{
    (void)t;
    struct buf safe = {0}; /* it may tell what an Engine said, or a label */
    bool ignored = false;
    if (terminal_put(&safe, slice_str(text), false, &ignored) == 0) {
        fprintf(stderr, "sidetail tail: %.*s\n", (int)safe.len, safe.data ? safe.data : "");
    }
    buf_free(&safe);
}

static void end(struct tail *t, int result)
{
    if (!t->ended) {
        t->ended = true;
        t->result = result;
    }
    event_base_loopbreak(t->base);
}

/* -- showing ----------------------------------------------------------------------------------- */

static int show_json(struct tail *t, const struct tags *tags, const struct record *rec,
                     enum tail_line_kind kind)
{
    if (kind == TAIL_LINE) {
        return encoder_json.encode(t->json, tags, rec, screen_out(t->screen));
    }
    char *text;
    if (asprintf(&text, "%s: %.*s", tags->service, (int)rec->text.len, rec->text.ptr) < 0) {
        return -1;
    }
    tail_say(t, text);
    free(text);
    return 0;
}

static int show_pretty(struct tail *t, const struct tags *tags, const struct record *rec,
                       const struct tail_line *line)
{
    static const enum pretty_tone tones[] = {
        [TAIL_NOTICE] = PRETTY_PLAIN, [TAIL_NOTICE_GOOD] = PRETTY_GOOD, [TAIL_NOTICE_BAD] = PRETTY_BAD};
    struct buf *out = screen_out(t->screen);
    return line->kind == TAIL_LINE
               ? pretty_put(&t->pretty, tags, rec, out)
               : pretty_notice(&t->pretty, tags, line->time_ns, tones[line->kind], line->text, out);
}

static void show(struct tail_feed *feed, const struct tail_line *line)
{
    struct tail *t = feed->tail;
    char time[CLOCK_TEXT_MAX];
    struct record rec = {.text = line->text, .stream = line->stream, .partial = line->partial};
    if (t->o->json || t->o->times != PRETTY_TIMES_NONE) {
        rec.time = slice_of(time, clock_format(line->time_ns, time));
    }
    int result =
        t->o->json ? show_json(t, feed->tags, &rec, line->kind) : show_pretty(t, feed->tags, &rec, line);
    if (result < 0) {
        out_of_memory();
    }
    screen_written(t->screen);
}

static void feed_free(struct tail_feed *feed)
{
    LIST_REMOVE(feed, link);
    lane_close(feed->lane);
    tags_unref(feed->tags);
    for (int s = 0; s < STREAM_COUNT; s++) {
        buf_free(&feed->join[s]);
    }
    free(feed);
}

/* Shows what may be shown now, as far as the screen takes it. */
static void pump(struct tail *t)
{
    struct tail_line line;
    struct tail_feed *feed;
    while (!screen_full(t->screen) && (feed = merge_next(t->merge, &line))) {
        show(feed, &line);
        if (feed->waiting && lane_low(feed->lane)) {
            feed->waiting = false;
            feed->resume(feed->arg);
        }
        if (feed->closed && lane_empty(feed->lane)) {
            feed_free(feed);
        }
    }
    if (t->finishing && merge_empty(t->merge) && screen_empty(t->screen)) {
        end(t, EXIT_OK);
    }
}

/* -- feeds ------------------------------------------------------------------------------------- */

struct tail_feed *tail_feed_open(struct tail *t, struct tags *tags, void (*resume)(void *arg), void *arg)
{
    struct tail_feed *feed = calloc(1, sizeof(*feed));
    if (!feed || !(feed->lane = lane_open(t->merge, feed)) || pretty_expect(&t->pretty, tags) < 0) {
        out_of_memory();
    }
    feed->tail = t;
    feed->tags = tags_ref(tags);
    feed->resume = resume;
    feed->arg = arg;
    LIST_INSERT_HEAD(&t->feeds, feed, link);
    t->joined++;
    return feed;
}

void tail_feed_retag(struct tail_feed *feed, struct tags *tags)
{
    tags_ref(tags);
    tags_unref(feed->tags);
    feed->tags = tags;
}

void tail_feed_present(struct tail_feed *feed)
{
    lane_present(feed->lane);
    pump(feed->tail);
}

static void hand_on(struct tail_feed *feed, const struct tail_line *line)
{
    struct tail *t = feed->tail;
    if (lane_passes(feed->lane) && !screen_full(t->screen)) {
        show(feed, line);
        return;
    }
    if (lane_put(feed->lane, line) < 0) {
        out_of_memory();
    }
    pump(t);
}

static void hand_on_text(struct tail_feed *feed, enum stream stream, int64_t time_ns, struct slice text,
                         bool partial)
{
    struct tail *t = feed->tail;
    if (tail_filter_line(t->filter, &feed->filter[stream], stream, text)) {
        hand_on(
            feed,
            &(struct tail_line){
                .time_ns = time_ns, .stream = stream, .text = text, .partial = partial, .kind = TAIL_LINE});
    }
}

static void end_join(struct tail_feed *feed, enum stream stream, bool partial)
{
    struct buf *join = &feed->join[stream];
    hand_on_text(feed, stream, feed->join_ns[stream], slice_of(join->data, join->len), partial);
    join->len = 0;
}

bool tail_feed_put(struct tail_feed *feed, enum stream stream, int64_t time_ns, struct slice text, bool more)
{
    struct buf *join = &feed->join[stream];
    if (lane_full(feed->lane)) {
        feed->waiting = true;
        return false;
    }
    if (!more && join->len == 0) {
        hand_on_text(feed, stream, time_ns, text, false);
        return true;
    }
    if (join->len == 0) {
        feed->join_ns[stream] = time_ns;
    }
    if (buf_add(join, text.ptr, text.len) < 0) {
        out_of_memory();
    }
    if (!more) {
        end_join(feed, stream, false);
    } else if ((int64_t)join->len >= feed->tail->cfg->line_max) {
        end_join(feed, stream, true);
    }
    return true;
}

void tail_feed_notice(struct tail_feed *feed, enum tail_line_kind kind, int64_t time_ns, const char *text)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (feed->join[s].len > 0) {
            end_join(feed, (enum stream)s, false);
        }
    }
    hand_on(feed, &(struct tail_line){.time_ns = time_ns, .text = slice_str(text), .kind = kind});
}

void tail_feed_stopped(struct tail_feed *feed, int exit_code, int64_t time_ns)
{
    char text[64] = "stopped";
    if (exit_code >= 0) {
        snprintf(text, sizeof(text), "stopped (exit %d)", exit_code);
    }
    tail_feed_notice(feed, exit_code > 0 ? TAIL_NOTICE_BAD : TAIL_NOTICE, time_ns, text);
}

void tail_feed_waits(struct tail_feed *feed)
{
    if (feed->tail->follow && feed->tail->o->names.count > 0) {
        tail_feed_notice(feed, TAIL_NOTICE, clock_now(), "not running: waiting for it to start");
    }
}

void tail_feed_close(struct tail_feed *feed)
{
    struct tail *t = feed->tail;
    lane_present(feed->lane);
    feed->closed = true;
    feed->waiting = false;
    if (lane_empty(feed->lane)) {
        feed_free(feed);
    }
    pump(t);
}

/* -- beginning and ending ---------------------------------------------------------------------- */

static void say_none(const struct tail *t, const char *what, const char *what_to_do)
{
    fprintf(stderr, "sidetail tail: no container %s%s\n", what,
            t->follow ? " yet: waiting for one to start" : what_to_do);
}

/* What was asked for, and is not there. */
static void say_missing(struct tail *t)
{
    const struct tail_options *o = t->o;
    static const char lists[] = " (docker ps -a lists them)";
    char what[ERROR_QUOTE_MAX + 32], quoted[ERROR_QUOTE_MAX];
    for (size_t i = 0; i < o->names.count; i++) {
        if (!tail_filter_found(t->filter, i)) {
            snprintf(what, sizeof(what), "is called %s", error_quote(o->names.items[i], quoted));
            say_none(t, what, lists);
        }
    }
    if (t->joined > 0 || o->names.count > 0) {
        return;
    }
    if (o->projects.count || o->labels.count) {
        say_none(t, "is of this project or has this label", lists);
    } else {
        say_none(t, "is running", " (--all shows stopped ones)");
    }
}

void tail_listed(struct tail *t)
{
    if (t->listed) {
        return;
    }
    t->listed = true;
    say_missing(t);
    if (t->joined == 0 && !t->follow) {
        end(t, EXIT_FAULT);
        return;
    }
    merge_hold(t->merge, false);
    pump(t);
}

void tail_finish(struct tail *t)
{
    t->finishing = true;
    pump(t);
}

static void on_room(void *arg)
{
    pump(arg);
}

static void on_closed(void *arg, const struct error *err)
{
    struct tail *t = arg;
    if (err) {
        tail_say(t, err->text);
    }
    end(t, err ? EXIT_FAULT : EXIT_OK);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    end(arg, -(int)number);
}

/* May the files be read in place of an Engine that does not answer? Not where the user said which Engine. */
static bool may_fall_back(const struct tail *t)
{
    return t->ops == &tail_api && !engine_is_chosen(t->cfg) &&
           faccessat(AT_FDCWD, t->cfg->json_file_path, R_OK | X_OK, AT_EACCESS) == 0;
}

void tail_cannot_begin(struct tail *t, const struct error *err)
{
    if (!may_fall_back(t)) {
        tail_say(t, err->text);
        end(t, EXIT_FAULT);
        return;
    }
    fprintf(stderr, "sidetail tail: no Engine answers; reading %s\n", t->cfg->json_file_path);
    event_active(t->fall_back, EV_TIMEOUT, 0);
}

static void open_source(struct tail *t, const struct tail_source *ops)
{
    struct error err = {""};
    t->ops = ops;
    t->source = ops->open(t, &err);
    if (!t->source) {
        tail_say(t, err.text);
        end(t, EXIT_FAULT);
    }
}

static void on_fall_back(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tail *t = arg;
    t->ops->close(t->source);
    open_source(t, &tail_files);
}

static int catch_signals(struct tail *t)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        t->signals[i] = evsignal_new(t->base, numbers[i], on_signal, t);
        if (!t->signals[i] || evsignal_add(t->signals[i], NULL) < 0) {
            return -1;
        }
    }
    return 0;
}

static int set_up(struct tail *t, struct error *err)
{
    fd_raise_limit();
    privilege_read_all(); /* for the files, where there is no Engine */
    t->filter = tail_filter_new(t->o, err);
    if (!t->filter) {
        return -1;
    }
    t->base = loop_new();
    if (t->base && event_base_priority_init(t->base, SCREEN_PRIORITIES) < 0) {
        return error_set(err, "cannot set up the event loop");
    }
    t->merge = merge_new();
    t->json = encoder_json.open ? encoder_json.open(t->cfg, true) : NULL;
    t->fall_back = t->base ? event_new(t->base, -1, 0, on_fall_back, t) : NULL;
    if (!t->merge || !t->fall_back || catch_signals(t) < 0) {
        return error_set(err, "cannot set up the event loop: %s", strerror(errno));
    }
    bool color = t->o->color != COLOR_AUTO;
    t->pretty.color = pretty_color((int)(color ? t->o->color : t->cfg->color), isatty(STDOUT_FILENO));
    t->pretty.raw_json = t->o->raw_json || !t->cfg->pretty_json;
    t->pretty.times = t->o->times;
    merge_hold(t->merge, true);
    struct screen_calls calls = {.room = on_room, .drained = on_room, .closed = on_closed, .arg = t};
    t->screen = screen_new(t->base, &calls, err);
    return t->screen ? 0 : -1;
}

static void tear_down(struct tail *t)
{
    if (t->source) {
        t->ops->close(t->source);
    }
    for (struct tail_feed *feed; (feed = LIST_FIRST(&t->feeds));) {
        feed_free(feed);
    }
    screen_free(t->screen, t->pretty.color);
    merge_free(t->merge);
    pretty_free(&t->pretty);
    if (encoder_json.close) {
        encoder_json.close(t->json);
    }
    tail_filter_free(t->filter);
    for (size_t i = 0; i < sizeof(t->signals) / sizeof(t->signals[0]); i++) {
        if (t->signals[i]) {
            event_free(t->signals[i]);
        }
    }
    if (t->fall_back) {
        event_free(t->fall_back);
    }
    if (t->base) {
        event_base_loop(t->base, EVLOOP_NONBLOCK); /* libevent frees connections in the loop only */
        event_base_free(t->base);
    }
}

int tail_run(const struct tail_options *o, const struct config *cfg)
{
    struct tail t = {.o = o, .cfg = cfg, .result = EXIT_OK};
    t.follow = !o->no_follow && (o->until_ns == 0 || o->until_ns > clock_now());
    struct error err = {""};
    if (set_up(&t, &err) < 0) {
        tail_say(&t, err.text);
        t.result = t.filter ? EXIT_FAULT : EXIT_CONFIG;
    } else {
        open_source(&t, o->files ? &tail_files : &tail_api);
        if (t.source) {
            event_base_dispatch(t.base);
        }
    }
    tear_down(&t);
    return t.result;
}
