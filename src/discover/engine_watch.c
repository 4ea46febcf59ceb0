#include "discover/engine_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "engine_container.h"

#define EVENTS_OVERLAP_S                                                                                     \
    2 /* events are asked for since that long before: the Engine's clock is known to the second */
#define LOOK_RETRY_S 1

struct entry {
    struct engine_container c; /* first member */
    struct engine_watch *watch;
    struct engine_call *call; /* asking about it */
    bool known;               /* the owner was told */
    bool look;                /* it wants to be asked about */
    bool again;               /* once more: something happened while it was asked about */
    bool listed;              /* in the list just read */
    unsigned round;           /* of lists, when it came up */
    int64_t listed_ns; /* the Engine's clock when the list that told of it was asked for; 0: none did */
};

struct engine_watch {
    struct event_base *base;
    struct engine *engine;
    struct watch_calls calls;
    struct event *timer; /* next try to connect, or next list */
    struct event *look_timer;
    struct entry **entries;
    size_t count, cap;
    struct engine_call *call; /* ping, or list */
    struct event_stream *events;
    int parallel, asking;
    size_t cursor; /* where in entries the search for the next to ask about goes on */
    int64_t backoff;
    unsigned round;
    int64_t asked_ns;   /* the Engine's clock when the list was asked for */
    bool brief;         /* the next list is told of without asking further */
    bool up, told_down; /* what the owner was told */
    bool listing;       /* the first list of this connection is not told of in full yet */
};

static void ask_more(struct engine_watch *w);

static void arm(struct event *timer, int64_t ns)
{
    struct timeval tv = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US};
    evtimer_add(timer, &tv);
}

/* -- the table --------------------------------------------------------------------------------- */

static struct entry *find(const struct engine_watch *w, const char *id)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->entries[i]->c.id, id) == 0) {
            return w->entries[i];
        }
    }
    return NULL;
}

static struct entry *add(struct engine_watch *w, const char *id)
{
    if (strlen(id) >= sizeof(((struct engine_container *)0)->id)) {
        return NULL;
    }
    if (w->count == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        struct entry **entries = realloc(w->entries, cap * sizeof(struct entry *));
        if (!entries) {
            return NULL;
        }
        w->entries = entries;
        w->cap = cap;
    }
    struct entry *e = calloc(1, sizeof(*e));
    if (!e) {
        return NULL; /* out of memory: the next list brings it up again */
    }
    strcpy(e->c.id, id);
    e->c.exit_code = -1;
    e->watch = w;
    e->round = w->round;
    w->entries[w->count++] = e;
    return e;
}

static void entry_free(struct entry *e)
{
    engine_cancel(e->call);
    engine_container_free(&e->c);
    free(e);
}

static void drop(struct entry *e)
{
    struct engine_watch *w = e->watch;
    for (size_t i = 0; i < w->count; i++) {
        if (w->entries[i] == e) {
            w->entries[i] = w->entries[--w->count];
            break;
        }
    }
    w->asking -= e->call != NULL;
    if (e->known) {
        w->calls.gone(w->calls.arg, &e->c);
    }
    entry_free(e);
}

static void changed(struct entry *e, enum watch_change change)
{
    if (e->known) {
        e->watch->calls.changed(e->watch->calls.arg, &e->c, change);
    }
}

/* -- asking about one -------------------------------------------------------------------------- */

static void look(struct entry *e)
{
    if (e->call) {
        e->again = true;
    } else {
        e->look = true;
        ask_more(e->watch);
    }
}

/* The list is told of in full once nothing is left to ask about. */
static void check_listed(struct engine_watch *w)
{
    if (!w->listing || w->asking > 0 || w->call) {
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        if (w->entries[i]->look) {
            return;
        }
    }
    w->listing = false;
    w->calls.listed(w->calls.arg);
}

static void take_over(struct entry *e, const json_t *json)
{
    struct engine_watch *w = e->watch;
    if (!engine_container_update(&e->c, json)) {
        e->look = true;
        return;
    }
    if (e->known) {
        w->calls.changed(w->calls.arg, &e->c, WATCH_LOOKED);
    } else {
        e->known = true;
        w->calls.found(w->calls.arg, &e->c);
    }
}

static void on_looked(void *arg, int status, const json_t *json, const struct error *err)
{
    struct entry *e = arg;
    struct engine_watch *w = e->watch;
    e->call = NULL;
    w->asking--;
    if (status == 404) {
        drop(e);
    } else if (err) {
        e->look = true; /* asked again after a while: the Engine may be gone at this moment */
        if (!evtimer_pending(w->look_timer, NULL)) {
            arm(w->look_timer, LOOK_RETRY_S * NS_PER_S);
        }
        return;
    } else {
        e->look = e->again;
        e->again = false;
        take_over(e, json);
    }
    ask_more(w);
    check_listed(w);
}

static void ask_more(struct engine_watch *w)
{
    if (!w->up || evtimer_pending(w->look_timer, NULL)) {
        return;
    }
    for (size_t n = w->count; n > 0 && w->asking < w->parallel; n--, w->cursor++) {
        if (w->cursor >= w->count) {
            w->cursor = 0;
        }
        struct entry *e = w->entries[w->cursor];
        if (!e->look || e->call) {
            continue;
        }
        char path[128];
        snprintf(path, sizeof(path), "/containers/%s/json", e->c.id);
        e->call = engine_get(w->engine, path, on_looked, e);
        if (!e->call) {
            arm(w->look_timer, LOOK_RETRY_S * NS_PER_S);
            return;
        }
        e->look = false;
        w->asking++;
    }
}

static void on_look_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    ask_more(arg);
}

/* -- the connection ---------------------------------------------------------------------------- */

static void went_down(struct engine_watch *w, const struct error *err)
{
    engine_cancel(w->call);
    w->call = NULL;
    event_stream_close(w->events);
    w->events = NULL;
    if (w->up || !w->told_down) {
        w->told_down = true;
        w->up = false;
        w->calls.up(w->calls.arg, false, err);
    }
    arm(w->timer, w->backoff);
    w->backoff = w->backoff * 2 < WATCH_BACKOFF_MAX ? w->backoff * 2 : WATCH_BACKOFF_MAX;
}

static void out_of_memory(struct engine_watch *w)
{
    struct error err;
    error_set(&err, "out of memory");
    went_down(w, &err);
}

/* One that only the list told of. */
static void add_listed(struct engine_watch *w, const char *id, const json_t *json)
{
    struct entry *e = add(w, id);
    if (!e) {
        return;
    }
    e->listed = true;
    if (!w->brief || !engine_container_list(&e->c, json)) {
        e->look = true;
        return;
    }
    e->known = true;
    e->listed_ns = w->asked_ns;
    w->calls.found(w->calls.arg, &e->c);
}

/* One container of the list. */
static void note_listed(struct engine_watch *w, const json_t *json)
{
    const char *id = json_string_value(json_object_get(json, "Id"));
    bool running = engine_container_listed_running(json);
    struct entry *e = id ? find(w, id) : NULL;
    if (!id) {
        return;
    }
    if (!e) {
        add_listed(w, id, json);
        return;
    }
    e->listed = true;
    if (e->known && e->c.running != running) {
        e->c.running = running;
        if (!running) {
            e->c.exit_code = engine_container_listed_exit(json);
            e->c.finished_ns = engine_clock(w->engine); /* at the latest */
        }
        changed(e, running ? WATCH_STARTED : WATCH_DIED);
        look(e);
    }
}

/* What came up before this list was asked for, and is not in it, is gone. */
static void drop_unlisted(struct engine_watch *w)
{
    for (size_t i = w->count; i-- > 0;) {
        struct entry *e = w->entries[i];
        if (!e->listed && e->round < w->round) {
            drop(e);
        }
    }
}

static void on_list(void *arg, int status, const json_t *json, const struct error *err)
{
    struct engine_watch *w = arg;
    (void)status;
    w->call = NULL;
    if (err) {
        went_down(w, err);
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        w->entries[i]->listed = false;
    }
    size_t i;
    json_t *one;
    json_array_foreach(json, i, one)
    {
        note_listed(w, one);
    }
    w->brief = false;
    drop_unlisted(w);
    w->backoff = WATCH_BACKOFF_MIN;
    arm(w->timer, WATCH_LIST_S * NS_PER_S);
    ask_more(w);
    check_listed(w);
}

static void ask_list(struct engine_watch *w)
{
    w->round++;
    w->asked_ns = engine_clock(w->engine);
    w->call = engine_get(w->engine, "/containers/json?all=1", on_list, w);
    if (!w->call) {
        out_of_memory(w);
    }
}

static void on_events_opened(void *arg)
{
    struct engine_watch *w = arg;
    w->up = true;
    w->listing = true;
    w->calls.up(w->calls.arg, true, NULL);
    ask_list(w);
}

static void on_event(void *arg, const struct engine_event *event)
{
    struct engine_watch *w = arg;
    struct entry *e = find(w, event->id);
    if (!e) {
        if (strcmp(event->action, "start") == 0 && (e = add(w, event->id))) {
            look(e);
        }
        return;
    }
    e->again = e->call != NULL; /* what is on its way may be of before */
    if (strcmp(event->action, "destroy") == 0) {
        drop(e);
    } else if (event->time_ns < e->c.started_ns || event->time_ns < e->listed_ns) {
        return; /* of an earlier run: told again because events overlap */
    } else if (strcmp(event->action, "start") == 0) {
        e->c.running = true;
        e->c.started_ns = event->time_ns;
        changed(e, WATCH_STARTED);
    } else if (strcmp(event->action, "die") == 0) {
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
    w->call = NULL;
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
    if (w->events && w->call) {
        return; /* a list is under way */
    }
    if (w->events) {
        ask_list(w);
        return;
    }
    w->call = engine_ping(w->engine, on_ping, w);
    if (!w->call) {
        out_of_memory(w);
    }
}

/* -- for the owner ----------------------------------------------------------------------------- */

struct engine_watch *engine_watch_new(struct event_base *base, struct engine *engine, int parallel,
                                      bool brief, const struct watch_calls *calls)
{
    struct engine_watch *w = calloc(1, sizeof(*w));
    if (!w) {
        return NULL;
    }
    w->base = base;
    w->engine = engine;
    w->calls = *calls;
    w->parallel = parallel;
    w->brief = brief;
    w->backoff = WATCH_BACKOFF_MIN;
    w->timer = evtimer_new(base, on_timer, w);
    w->look_timer = evtimer_new(base, on_look_timer, w);
    if (!w->timer || !w->look_timer) {
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
    engine_cancel(w->call);
    event_stream_close(w->events);
    for (size_t i = 0; i < w->count; i++) {
        entry_free(w->entries[i]);
    }
    free(w->entries);
    if (w->timer) {
        event_free(w->timer);
    }
    if (w->look_timer) {
        event_free(w->look_timer);
    }
    free(w);
}

void engine_watch_look(struct engine_watch *w, struct engine_container *c)
{
    (void)w;
    look((struct entry *)c);
}

void engine_watch_each(struct engine_watch *w, void (*fn)(void *arg, struct engine_container *c), void *arg)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->entries[i]->known) {
            fn(arg, &w->entries[i]->c);
        }
    }
}
