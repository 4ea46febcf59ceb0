#include "tail/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/privilege.h"
#include "engine/engine.h"
#include "say.h"
#include "screen.h"
#include "source.h"
#include "tail/api/api.h"
#include "tail/files/files.h"
#include "tail/kafka/kafka.h"

struct tail {
    struct tail_env env;
    const struct tail_source *ops;
    void *source;
    struct event *signals[3];
    struct event *fall_back;    /* opens the other source */
    bool listed, ended, faulty; /* faulty: it ends with EXIT_FAULT */
    int result;
};

static void end(struct tail *t, int result)
{
    if (!t->ended) {
        t->ended = true;
        t->result = result;
    }
    event_base_loopbreak(t->env.base);
}

/* -- what the source says ---------------------------------------------------------------------- */

static void say_none(const struct tail *t, const char *what, const char *what_to_do)
{
    fprintf(stderr, "sidetail tail: no container %s%s\n", what,
            t->env.follow ? " yet: waiting for one to start" : what_to_do);
}

/* Names what was asked for and is not there. */
static void say_missing(const struct tail *t)
{
    const struct tail_options *o = t->env.options;
    static const char lists[] = " (docker ps -a lists them)";
    char what[ERROR_QUOTE_MAX + 32], quoted[ERROR_QUOTE_MAX];
    for (size_t i = 0; i < o->names.count; i++) {
        if (!tail_filter_found(t->env.filter, i)) {
            snprintf(what, sizeof(what), "is called %s", error_quote(o->names.items[i], quoted));
            say_none(t, what, lists);
        }
    }
    if (tail_feeds_count(t->env.feeds) > 0 || o->names.count > 0) {
        return;
    }
    if (o->projects.count || o->labels.count) {
        say_none(t, "is of this project or has this label", lists);
    } else {
        say_none(t, "is running", " (--all shows stopped ones)");
    }
}

/* The same where they are known by their lines alone. */
static void on_read_past(void *arg)
{
    struct tail *t = arg;
    const struct tail_options *o = t->env.options;
    const char *yet = t->env.follow ? " yet: waiting for one" : "";
    char text[ERROR_QUOTE_MAX + 64], quoted[ERROR_QUOTE_MAX];
    for (size_t i = 0; i < o->names.count; i++) {
        if (!tail_filter_found(t->env.filter, i)) {
            snprintf(text, sizeof(text), "no line of %s%s", error_quote(o->names.items[i], quoted), yet);
            tail_say(text);
        }
    }
    bool asked = o->names.count || o->projects.count || o->labels.count;
    bool none = asked && !tail_filter_any(t->env.filter);
    if (none && o->names.count == 0) {
        snprintf(text, sizeof(text), "no line of this project or with this label%s", yet);
        tail_say(text);
    }
    t->faulty |= none && !t->env.follow;
}

static void on_listed(void *arg)
{
    struct tail *t = arg;
    if (t->listed) {
        return;
    }
    t->listed = true;
    if (t->env.options->kafka) { /* who wrote lines is known by them alone */
        tail_feeds_begin(t->env.feeds);
        return;
    }
    say_missing(t);
    if (tail_feeds_count(t->env.feeds) == 0 && !t->env.follow) {
        end(t, EXIT_FAULT);
    } else {
        tail_feeds_begin(t->env.feeds);
    }
}

static void on_finish(void *arg)
{
    struct tail *t = arg;
    tail_feeds_finish(t->env.feeds);
}

static void on_fail(void *arg, const struct error *err)
{
    struct tail *t = arg;
    tail_say(err->text);
    t->faulty = true;
    tail_feeds_finish(t->env.feeds);
}

/* May the files be read in place of an Engine that does not answer? Not where the user said which Engine. */
static bool may_fall_back(const struct tail *t)
{
    return t->ops == &tail_api && !engine_is_chosen(t->env.cfg) &&
           faccessat(AT_FDCWD, t->env.cfg->json_file_path, R_OK | X_OK, AT_EACCESS) == 0;
}

static void on_cannot_begin(void *arg, const struct error *err)
{
    struct tail *t = arg;
    if (!may_fall_back(t)) {
        tail_say(err->text);
        end(t, EXIT_FAULT);
        return;
    }
    fprintf(stderr, "sidetail tail: no Engine answers; reading %s\n", t->env.cfg->json_file_path);
    event_active(t->fall_back, EV_TIMEOUT, 0);
}

static void open_source(struct tail *t, const struct tail_source *ops)
{
    struct error err = {0};
    t->ops = ops;
    t->source = ops->open(&t->env, &err);
    if (!t->source) {
        tail_say(err.text);
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

/* -- what ends it ------------------------------------------------------------------------------ */

static void on_written(void *arg)
{
    struct tail *t = arg;
    end(t, t->faulty ? EXIT_FAULT : EXIT_OK);
}

static void on_closed(void *arg, const struct error *err)
{
    if (err) {
        tail_say(err->text);
    }
    end(arg, err ? EXIT_FAULT : EXIT_OK);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    end(arg, -(int)number);
}

static int catch_signals(struct tail *t)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        t->signals[i] = evsignal_new(t->env.base, numbers[i], on_signal, t);
        if (!t->signals[i] || evsignal_add(t->signals[i], NULL) < 0) {
            return -1;
        }
    }
    return 0;
}

/* -- beginning and ending ---------------------------------------------------------------------- */

static int set_up(struct tail *t, struct error *err)
{
    struct tail_env *env = &t->env;
    fd_raise_limit();
    privilege_read_all(); /* for the files, where there is no Engine */
    env->filter = tail_filter_new(env->options, err);
    if (!env->filter) {
        return -1;
    }
    env->base = loop_new();
    if (env->base && event_base_priority_init(env->base, SCREEN_PRIORITIES) < 0) {
        return error_set(err, "cannot set up the event loop");
    }
    t->fall_back = env->base ? event_new(env->base, -1, 0, on_fall_back, t) : NULL;
    if (!t->fall_back || catch_signals(t) < 0) {
        return error_set(err, "cannot set up the event loop: %s", strerror(errno));
    }
    struct feeds_calls calls = {.written = on_written, .closed = on_closed, .arg = t};
    env->feeds = tail_feeds_new(env->base, env->options, env->cfg, env->filter, &calls, err);
    return env->feeds ? 0 : -1;
}

static void tear_down(struct tail *t)
{
    if (t->source) {
        t->ops->close(t->source);
    }
    tail_feeds_free(t->env.feeds);
    tail_filter_free(t->env.filter);
    for (size_t i = 0; i < sizeof(t->signals) / sizeof(t->signals[0]); i++) {
        loop_free_event(t->signals[i]);
    }
    loop_free_event(t->fall_back);
    if (t->env.base) {
        event_base_loop(t->env.base, EVLOOP_NONBLOCK); /* libevent frees connections in the loop only */
        event_base_free(t->env.base);
    }
}

int tail_run(const struct tail_options *o, const struct config *cfg)
{
    struct tail t = {.result = EXIT_OK};
    t.env = (struct tail_env){.options = o,
                              .cfg = cfg,
                              .follow = !o->no_follow && (o->until_ns == 0 || o->until_ns > clock_now()),
                              .cannot_begin = on_cannot_begin,
                              .listed = on_listed,
                              .read_past = on_read_past,
                              .finish = on_finish,
                              .fail = on_fail,
                              .arg = &t};
    struct error err = {0};
    if (set_up(&t, &err) < 0) {
        tail_say(err.text);
        t.result = t.env.filter ? EXIT_FAULT : EXIT_CONFIG;
    } else {
        open_source(&t, o->kafka ? &tail_kafka : o->files ? &tail_files : &tail_api);
        if (t.source && !t.ended) { /* the loop would not know that it was to end */
            event_base_dispatch(t.env.base);
        }
    }
    tear_down(&t);
    return t.result;
}
