#include "discover/engine_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "engine/events.h"
#include "engine_answer.h"
#include "engine_table.h"

/* Events are asked for from that long ago on: the Engine's clock is known to the second only. */
#define EVENTS_OVERLAP_S 2
#define INSPECT_RETRY_S  1

struct engine_watch {
    struct event_base *base;
    struct engine *engine;
    struct watch_calls calls;
    struct event *timer;       /* next try to connect, or next list */
    struct event *retry_timer; /* next try to inspect */
    struct engine_table table;
    struct engine_call *ping;
    struct engine_list *list;
    struct event_stream *events;
    int parallel, inspecting;
    size_t left_out; /* containers of the list that is being read */
    bool unread;     /* some of these are not known by their id: their text is too large */
    bool said_left_out;
    int64_t backoff;
    unsigned round;
    int64_t requested_ns;   /* the Engine's clock when the list was requested */
    bool list_only;         /* the next list is reported without inspecting */
    bool up, reported_down; /* as `up` was called */
    bool listing;           /* not all of this connection's first list is reported yet */
};

static void inspect_more(struct engine_watch *w);

/* -- what is reported -------------------------------------------------------------------------- */

static void drop(struct entry *e)
{
    struct engine_watch *w = e->watch;
    w->inspecting -= e->call != NULL;
    if (e->known) {
        w->calls.gone(w->calls.arg, &e->c);
    }
    engine_table_remove(&w->table, e);
}

static struct entry *add(struct engine_watch *w, const char *id)
{
    struct entry *e = engine_table_add(&w->table, id);
    if (e) {
        e->watch = w;
        e->round = w->round;
    }
    return e;
}

static void report(struct entry *e)
{
    e->known = true;
    e->alive = e->c.running;
    e->watch->calls.found(e->watch->calls.arg, &e->c);
}

static void changed(struct entry *e, enum watch_change change)
{
    e->alive = change == WATCH_STARTED || (change != WATCH_DIED && e->alive);
    if (e->known) {
        e->watch->calls.changed(e->watch->calls.arg, &e->c, change);
    }
}

/* -- inspecting one ---------------------------------------------------------------------------- */

static void inspect(struct entry *e)
{
    if (e->call) {
        e->again = true;
    } else {
        engine_table_set_due(&e->watch->table, e, true);
        inspect_more(e->watch);
    }
}

/* The list is reported in full once nothing is left to inspect. */
static void check_listed(struct engine_watch *w)
{
    if (w->listing && w->inspecting == 0 && !w->list && TAILQ_EMPTY(&w->table.due)) {
        w->listing = false;
        w->calls.listed(w->calls.arg);
    }
}

static void take_answer(struct entry *e, const json_t *json)
{
    struct engine_watch *w = e->watch;
    if (!engine_answer_inspected(&e->c, json)) {
        engine_table_set_due(&w->table, e, true);
        return;
    }
    e->unusable = false;
    if (e->known) {
        w->calls.changed(w->calls.arg, &e->c, WATCH_INSPECTED);
    } else {
        report(e);
    }
}

/* It is asked for again after the next list. */
static void say_unusable(struct entry *e, const struct error *err)
{
    if (!e->unusable) {
        log_error("cannot use what the Engine tells of a container, so it is left out", KV("id", e->c.id),
                  KV("error", err->text));
    }
    e->unusable = true;
}

static void on_inspected(void *arg, int status, const json_t *json, const struct error *err)
{
    struct entry *e = arg;
    struct engine_watch *w = e->watch;
    e->call = NULL;
    w->inspecting--;
    if (status == 404) {
        drop(e);
    } else if (status == 200 && err) {
        say_unusable(e, err);
    } else if (err) {
        /* Tried again after a while: the Engine may be gone at this moment. */
        engine_table_set_due(&w->table, e, true);
        if (!evtimer_pending(w->retry_timer, NULL)) {
            loop_arm_timer(w->retry_timer, INSPECT_RETRY_S * NS_PER_S);
        }
        return;
    } else {
        engine_table_set_due(&w->table, e, e->again);
        e->again = false;
        take_answer(e, json);
    }
    inspect_more(w);
    check_listed(w);
}

static void inspect_more(struct engine_watch *w)
{
    if (!w->up || evtimer_pending(w->retry_timer, NULL)) {
        return;
    }
    struct entry *e;
    while (w->inspecting < w->parallel && (e = TAILQ_FIRST(&w->table.due))) {
        char path[128];
        snprintf(path, sizeof(path), "/containers/%s/json", e->c.id);
        e->call = engine_get(w->engine, path, on_inspected, e);
        if (!e->call) {
            loop_arm_timer(w->retry_timer, INSPECT_RETRY_S * NS_PER_S);
            return;
        }
        engine_table_set_due(&w->table, e, false);
        w->inspecting++;
    }
}

static void on_retry_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    inspect_more(arg);
}

/* -- the connection ---------------------------------------------------------------------------- */

static void went_down(struct engine_watch *w, const struct error *err)
{
    engine_cancel(w->ping);
    w->ping = NULL;
    engine_list_cancel(w->list);
    w->list = NULL;
    event_stream_close(w->events);
    w->events = NULL;
    if (w->up || !w->reported_down) {
        w->reported_down = true;
        w->up = false;
        w->calls.up(w->calls.arg, false, err);
    }
    loop_arm_timer(w->timer, w->backoff);
    w->backoff = w->backoff * 2 < WATCH_BACKOFF_MAX ? w->backoff * 2 : WATCH_BACKOFF_MAX;
}

static void out_of_memory(struct engine_watch *w)
{
    struct error err;
    error_set(&err, "out of memory");
    went_down(w, &err);
}

/* One that was not known before. */
static void add_listed(struct engine_watch *w, const char *id, const json_t *json)
{
    struct entry *e = add(w, id);
    if (!e) {
        w->left_out++;
        return;
    }
    e->listed = true;
    if (!w->list_only || !engine_answer_listed(&e->c, json)) {
        inspect(e);
        return;
    }
    e->listed_ns = w->requested_ns;
    report(e);
}

/* One container of the list. */
static void on_listed_item(void *arg, const json_t *json)
{
    struct engine_watch *w = arg;
    const char *id = json_string_value(json_object_get(json, "Id"));
    if (!id) {
        w->left_out++;
        w->unread = true;
        return;
    }
    bool running = engine_answer_running(json);
    struct entry *e = engine_table_find(&w->table, id);
    if (!e) {
        add_listed(w, id, json);
        return;
    }
    e->listed = true;
    if (e->unusable) {
        w->left_out++;
        inspect(e);
    } else if (e->known && e->alive != running) {
        e->c.running = running;
        if (!running) {
            e->c.exit_code = engine_answer_exit_code(json);
            e->c.finished_ns = engine_clock(w->engine); /* at the latest */
        }
        changed(e, running ? WATCH_STARTED : WATCH_DIED);
        inspect(e);
    }
}

/* What came up before this list was requested, and is not in it, is gone. */
static void drop_unlisted(struct engine_watch *w)
{
    struct entry *e, *next;
    HASH_ITER(hh, w->table.entries, e, next)
    {
        if (!e->listed && e->round < w->round) {
            drop(e);
        }
    }
}

static void say_left_out(struct engine_watch *w)
{
    metrics.containers_left_out = w->left_out;
    if (w->left_out > 0 && !w->said_left_out) {
        log_error("leaving out containers of the Engine: it has more than are followed, or their "
                  "descriptions are too large",
                  KN("left_out", w->left_out), KN("followed_at_most", WATCH_CONTAINERS_MAX));
    }
    w->said_left_out = w->left_out > 0;
}

static void on_list_end(void *arg, const struct error *err)
{
    struct engine_watch *w = arg;
    w->list = NULL;
    if (err) {
        went_down(w, err);
        return;
    }
    w->list_only = false;
    if (!w->unread) {
        drop_unlisted(w);
    }
    say_left_out(w);
    w->backoff = WATCH_BACKOFF_MIN;
    loop_arm_timer(w->timer, WATCH_LIST_S * NS_PER_S);
    inspect_more(w);
    check_listed(w);
}

static void request_list(struct engine_watch *w)
{
    w->round++;
    w->requested_ns = engine_clock(w->engine);
    w->left_out = 0;
    w->unread = false;
    for (struct entry *e = w->table.entries; e; e = e->hh.next) {
        e->listed = false;
    }
    struct list_calls calls = {.item = on_listed_item, .end = on_list_end, .arg = w};
    w->list = engine_list_get(w->engine, "/containers/json?all=1", &calls);
    if (!w->list) {
        out_of_memory(w);
    }
}

static void on_events_opened(void *arg)
{
    struct engine_watch *w = arg;
    w->up = true;
    w->listing = true;
    w->calls.up(w->calls.arg, true, NULL);
    request_list(w);
}

/* Was its end reported already? An Engine's list may tell of it before the event does. */
static bool is_ended(const struct entry *e)
{
    return e->known && !e->alive;
}

static void on_event(void *arg, const struct engine_event *event)
{
    struct engine_watch *w = arg;
    struct entry *e = engine_table_find(&w->table, event->id);
    if (!e) {
        if (strcmp(event->action, "start") == 0 && (e = add(w, event->id))) {
            inspect(e);
        }
        return;
    }
    e->again = e->call != NULL; /* what is on its way may be of before */
    if (strcmp(event->action, "destroy") == 0) {
        drop(e);
    } else if (event->time_ns < e->c.started_ns || event->time_ns < e->listed_ns) {
        return; /* of an earlier run: it comes again because events overlap */
    } else if (strcmp(event->action, "start") == 0) {
        e->c.running = true;
        e->c.started_ns = event->time_ns;
        changed(e, WATCH_STARTED);
    } else if (strcmp(event->action, "die") == 0 && !is_ended(e)) {
        e->c.running = false;
        e->c.exit_code = event->exit_code;
        e->c.finished_ns = event->time_ns;
        changed(e, WATCH_DIED);
    } else if (strcmp(event->action, "rename") == 0 && event->name && e->known) {
        char *name = strdup(event->name);
        if (name) {
            free(e->c.name);
            e->c.name = name;
            changed(e, WATCH_RENAMED);
        }
    }
}

static void on_events_end(void *arg, const struct error *err)
{
    struct engine_watch *w = arg;
    w->events = NULL;
    went_down(w, err);
}

static void on_ping(void *arg, int status, const json_t *json, const struct error *err)
{
    struct engine_watch *w = arg;
    (void)status, (void)json;
    w->ping = NULL;
    if (err) {
        went_down(w, err);
        return;
    }
    struct event_calls calls = {
        .opened = on_events_opened, .event = on_event, .end = on_events_end, .arg = w};
    w->events = event_stream_open(w->engine, engine_clock(w->engine) - EVENTS_OVERLAP_S * NS_PER_S, &calls);
    if (!w->events) {
        out_of_memory(w);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct engine_watch *w = arg;
    if (w->list) {
        return;
    }
    if (w->events) {
        request_list(w);
        return;
    }
    w->ping = engine_ping(w->engine, on_ping, w);
    if (!w->ping) {
        out_of_memory(w);
    }
}

/* -- the contract ------------------------------------------------------------------------------ */

struct engine_watch *engine_watch_new(struct event_base *base, struct engine *engine, int parallel,
                                      bool list_only, const struct watch_calls *calls)
{
    struct engine_watch *w = calloc(1, sizeof(*w));
    if (!w) {
        return NULL;
    }
    w->base = base;
    w->engine = engine;
    w->calls = *calls;
    w->parallel = parallel;
    w->list_only = list_only;
    w->backoff = WATCH_BACKOFF_MIN;
    engine_table_init(&w->table);
    w->timer = evtimer_new(base, on_timer, w);
    w->retry_timer = evtimer_new(base, on_retry_timer, w);
    if (!w->timer || !w->retry_timer) {
        engine_watch_free(w);
        return NULL;
    }
    event_active(w->timer, EV_TIMEOUT, 0);
    return w;
}

void engine_watch_free(struct engine_watch *w)
{
    if (!w) {
        return;
    }
    engine_cancel(w->ping);
    engine_list_cancel(w->list);
    event_stream_close(w->events);
    struct entry *e, *next;
    HASH_ITER(hh, w->table.entries, e, next)
    {
        engine_table_remove(&w->table, e);
    }
    loop_free_event(w->timer);
    loop_free_event(w->retry_timer);
    free(w);
}

void engine_watch_inspect(struct engine_container *c)
{
    inspect((struct entry *)c);
}

void engine_watch_each(struct engine_watch *w, void (*fn)(void *arg, struct engine_container *c), void *arg)
{
    for (struct entry *e = w->table.entries; e; e = e->hh.next) {
        if (e->known) {
            fn(arg, &e->c);
        }
    }
}
