/* sidetail run: sets the parts up, joins them, and reacts to signals. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/privilege.h"
#include "base/status.h"
#include "command/command.h"
#include "config/config.h"
#include "monitor/server.h"
#include "pipeline/pipeline.h"
#include "sink/sink.h"
#include "source/source.h"

/* Docker kills ten seconds after it has asked politely. */
#define GRACE_S 8

static const char usage[] = "usage: sidetail run [-c FILE]\n"
                            "\n"
                            "Follows what containers write and ships it. With no configuration: from "
                            "/var/lib/docker/containers to stdout,\n"
                            "a JSON object a line.\n"
                            "\n"
                            "  -c, --config FILE  configuration (JSON); each key can also be set by an "
                            "environment variable SIDETAIL_…\n"
                            "  -h, --help         this text\n"
                            "\n"
                            "Signals: TERM, INT deliver what was read and end (twice: end at once); HUP "
                            "reads the configuration again;\n"
                            "USR1 opens the output file anew.\n";

struct app {
    const char *config_path;
    struct config *cfg;
    struct event_base *base;
    struct checkpoint *checkpoint;
    struct pipeline *pipeline;
    struct sink_events pipeline_events;
    struct sink *sink;
    struct source *source;
    struct monitor *monitor;
    struct event *signals[6];
    struct event *grace;
    bool ending; /* asked to */
    bool ended;  /* the loop turns no more */
    int exit_code;
};

/* -- ending ------------------------------------------------------------------------------------ */

static void end_loop(void *arg)
{
    struct app *app = arg;
    app->ended = true;
    event_base_loopbreak(app->base);
}

static void on_grace(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct app *app = arg;
    log_warn("the sink did not take all in time: the rest is read again at the next start");
    pipeline_save(app->pipeline); /* what it did take need not come again */
    end_loop(app);
}

static void begin_end(struct app *app)
{
    if (app->ending) {
        end_loop(app);
        return;
    }
    app->ending = true;
    if (app->source) {
        app->source->ops->stop(app->source);
    }
    event_add(app->grace, &(struct timeval){GRACE_S, 0});
    pipeline_drain(app->pipeline, end_loop, app);
}

/* -- the sink ---------------------------------------------------------------------------------- */

static void on_resume(void *arg)
{
    struct app *app = arg;
    app->source->ops->resume(app->source);
}

static void on_failed(void *arg, int exit_code, const struct error *err)
{
    struct app *app = arg;
    bool anew = exit_code == EXIT_ANEW && !app->ending;
    log_error(anew ? "starting the process anew" : "cannot go on", KV("error", err->text));
    /* Where it was asked to end, the next start is the new process. */
    app->exit_code = exit_code == EXIT_ANEW && !anew ? EXIT_OK : exit_code;
    pipeline_save(app->pipeline); /* what was delivered up to here need not come again */
    pipeline_stop(app->pipeline);
    end_loop(app);
}

/* The sink is open and positions are known: reading may begin. */
static void on_ready(void *arg)
{
    struct app *app = arg;
    struct error err = {0};
    if (app->ending) {
        return;
    }
    struct source_env env = {
        .base = app->base, .cfg = app->cfg, .pipeline = app->pipeline, .checkpoint = app->checkpoint};
    app->source = source_choose(app->cfg)->open(&env, &err);
    if (!app->source) {
        on_failed(app, EXIT_FAULT, &err);
        return;
    }
    pipeline_set_source(app->pipeline, (struct source_calls){on_resume, app});
    status.source.open = status.sink.open = status.checkpoint.open = true;
    if (app->monitor) {
        monitor_set_ready(app->monitor, true, "");
    }
    log_info("collecting", KV("source", app->source->ops->name), KV("sink", app->sink->ops->name));
}

static void on_acked(void *arg, struct batch *batch)
{
    struct app *app = arg;
    app->pipeline_events.acked(app->pipeline_events.arg, batch);
}

/* -- signals ----------------------------------------------------------------------------------- */

static void on_end_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    log_info("ending", KV("signal", number == SIGTERM ? "TERM" : "INT"));
    begin_end(arg);
}

static void swap_config(struct app *app, struct config *fresh)
{
    struct config old = *app->cfg;
    *app->cfg = *fresh; /* everybody holds app->cfg and reads it anew */
    *fresh = old;
    config_free(fresh);
}

static void on_reload(evutil_socket_t number, short what, void *arg)
{
    (void)number, (void)what;
    struct app *app = arg;
    struct error err = {0};
    if (app->ending) {
        return; /* the source is stopped: it can take nothing up any more */
    }
    struct config *fresh = config_load(app->config_path, &err);
    if (!fresh) {
        log_error("the configuration was not reloaded", KV("error", err.text));
        return;
    }
    const char *key = config_needs_restart(app->cfg, fresh);
    if (key) {
        log_error("the configuration was not reloaded: a change of this key takes a restart", KV("key", key));
        config_free(fresh);
        return;
    }
    swap_config(app, fresh);
    log_setup(app->cfg->log_level, app->cfg->log_format);
    if (pipeline_reconfigure(app->pipeline, app->cfg, &err) < 0 ||
        (app->source && app->source->ops->reload(app->source, app->cfg, &err) < 0)) {
        log_error("the new configuration is only partly in force", KV("error", err.text));
        return;
    }
    log_info("the configuration was reloaded");
}

static void on_reopen(evutil_socket_t number, short what, void *arg)
{
    (void)number, (void)what;
    struct app *app = arg;
    if (app->sink->ops->reopen) {
        app->sink->ops->reopen(app->sink);
    }
}

/* As PID 1 of a container, orphans are ours to reap. */
static void on_child(evutil_socket_t number, short what, void *arg)
{
    (void)number, (void)what, (void)arg;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

static int catch_signals(struct app *app)
{
    static const struct {
        int number;
        event_callback_fn react;
    } reactions[] = {{SIGTERM, on_end_signal},
                     {SIGINT, on_end_signal},
                     {SIGHUP, on_reload},
                     {SIGUSR1, on_reopen},
                     {SIGCHLD, on_child}};
    signal(SIGPIPE, SIG_IGN); /* writes say EPIPE instead */
    for (size_t i = 0; i < sizeof(reactions) / sizeof(reactions[0]); i++) {
        app->signals[i] = evsignal_new(app->base, reactions[i].number, reactions[i].react, app);
        if (!app->signals[i] || evsignal_add(app->signals[i], NULL) < 0) {
            return -1;
        }
    }
    return 0;
}

/* -- set-up ------------------------------------------------------------------------------------ */

static int open_checkpoint(struct app *app, const struct sink_ops *ops, struct error *err)
{
    app->checkpoint = checkpoint_new();
    if (!app->checkpoint) {
        return error_set(err, "out of memory");
    }
    const struct config *cfg = app->cfg;
    if (ops->owns_positions || !*cfg->checkpoint_path) {
        return 0;
    }
    if (checkpoint_load(app->checkpoint, cfg->checkpoint_path, cfg->checkpoint_retention, err) == 0) {
        return 0;
    }
    if (cfg->sink != SINK_STDOUT || err->exit_code != 0) { /* its file is whole, and somebody's */
        return -1;
    }
    log_warn("positions are not kept: the next start reads everything again", KV("error", err->text));
    return 0;
}

static int open_monitor(struct app *app, struct error *err)
{
    const struct config *cfg = app->cfg;
    if (!*cfg->metrics_listen) {
        return 0;
    }
    app->monitor = monitor_open(app->base, cfg->metrics_listen, err);
    if (app->monitor) {
        monitor_set_ready(app->monitor, false, "the sink is being opened");
        return 0;
    }
    if (cfg->metrics_listen_set) {
        return -1;
    }
    log_warn("running without metrics", KV("error", err->text));
    return 0;
}

static int set_up(struct app *app, struct error *err)
{
    fd_raise_limit();
    if (app->cfg->source != SOURCE_DOCKER_API) {
        /* Before any thread starts. What cannot be read without is said where it is met. */
        privilege_read_all();
    }
    app->base = loop_new();
    app->grace = app->base ? evtimer_new(app->base, on_grace, app) : NULL;
    if (!app->grace || catch_signals(app) < 0) {
        return error_set(err, "cannot set up the event loop: %s", strerror(errno));
    }
    const struct sink_ops *ops = sink_choose(app->cfg);
    status.source.name = source_choose(app->cfg)->name;
    status.sink.name = ops->name;
    status.checkpoint.name = ops->owns_positions          ? "in the sink"
                             : *app->cfg->checkpoint_path ? "file"
                                                          : "none";
    if (open_checkpoint(app, ops, err) < 0 || open_monitor(app, err) < 0) {
        return -1;
    }
    app->pipeline = pipeline_new(app->base, app->cfg, app->checkpoint, err);
    if (!app->pipeline) {
        return -1;
    }
    app->pipeline_events = pipeline_sink_events(app->pipeline);
    struct sink_env env = {.base = app->base, .cfg = app->cfg, .checkpoint = app->checkpoint};
    env.events = (struct sink_events){.ready = on_ready, .acked = on_acked, .failed = on_failed, .arg = app};
    app->sink = ops->open(&env, err);
    if (!app->sink) {
        return -1;
    }
    pipeline_set_sink(app->pipeline, app->sink);
    return 0;
}

static void tear_down(struct app *app)
{
    if (app->source) {
        app->source->ops->stop(app->source); /* to it this is the end, and no selection that changed */
        app->source->ops->close(app->source);
    }
    if (app->pipeline) {
        pipeline_say_lost(app->pipeline);
    }
    if (app->sink) {
        app->sink->ops->close(app->sink);
    }
    pipeline_free(app->pipeline);
    checkpoint_free(app->checkpoint);
    monitor_close(app->monitor);
    for (size_t i = 0; i < sizeof(app->signals) / sizeof(app->signals[0]); i++) {
        loop_free_event(app->signals[i]);
    }
    loop_free_event(app->grace);
    if (app->base) {
        event_base_loop(app->base, EVLOOP_NONBLOCK); /* libevent frees connections in the loop only */
        event_base_free(app->base);
    }
    config_free(app->cfg);
}

static int parse_arguments(int argc, char **argv, const char **config_path)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            *config_path = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_OK);
        default:
            fputs(usage, stderr);
            return -1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sidetail run: unexpected argument '%s'\n%s", argv[optind], usage);
        return -1;
    }
    return 0;
}

static void turn_loop(struct app *app)
{
    while (!app->ended && loop_turn(app->base) == 0) {
        metrics.loop_wakeups++;
    }
}

/* Nobody hears of signals while it is torn down. Where it was asked to end then, it does not begin anew. */
static void tear_down_for_another(struct app *app)
{
    sigset_t ends, pending;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    tear_down(app);
    sigemptyset(&pending);
    sigpending(&pending);
    if (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT)) {
        app->exit_code = EXIT_OK;
        return;
    }
    sigprocmask(SIG_UNBLOCK, &ends, NULL);
}

int command_run(int argc, char **argv)
{
    struct app app = {0};
    struct error err = {0};
    if (parse_arguments(argc, argv, &app.config_path) < 0) {
        return EXIT_CONFIG;
    }
    app.cfg = config_load(app.config_path, &err);
    if (!app.cfg) {
        fprintf(stderr, "sidetail: %s\n", err.text);
        return EXIT_CONFIG;
    }
    log_setup(app.cfg->log_level, app.cfg->log_format);
    if (set_up(&app, &err) < 0) {
        log_error("cannot start", KV("error", err.text));
        app.exit_code = err.exit_code ? err.exit_code : EXIT_FAULT;
    } else {
        turn_loop(&app);
    }
    if (app.exit_code == EXIT_ANEW) {
        tear_down_for_another(&app);
    } else {
        tear_down(&app);
    }
    return app.exit_code;
}
