#include "engine/events.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "request.h"

#define EVENT_MAX (1u << 20) /* bytes of one event; labels are in it */

struct event_stream {
    struct engine *engine;
    struct http_request *request;
    struct event_calls calls;
    struct buf rest; /* an event whose end has not come, or what the Engine said when it refused */
    int status;
    bool passing_over; /* the rest of an event that is too long */
    bool busy, closed; /* a call is under way; the owner closed the stream in it */
};

static void stream_free(struct event_stream *s)
{
    buf_free(&s->rest);
    free(s);
}

static int exit_code(const json_t *attributes)
{
    const char *text = json_string_value(json_object_get(attributes, "exitCode"));
    return text ? atoi(text) : -1;
}

/* Podman calls the removal of a container by another name. */
static const char *action(const struct event_stream *s, const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "Action"));
    return name && s->engine->podman && strcmp(name, "remove") == 0 ? "destroy" : name;
}

static void deliver(struct event_stream *s, const char *line, size_t len)
{
    json_t *json = json_loadb(line, len, 0, NULL);
    const json_t *actor = json_object_get(json, "Actor");
    const json_t *attributes = json_object_get(actor, "Attributes");
    struct engine_event event = {
        .action = action(s, json),
        .id = json_string_value(json_object_get(actor, "ID")),
        .name = json_string_value(json_object_get(attributes, "name")),
        .exit_code = exit_code(attributes),
        .time_ns = json_integer_value(json_object_get(json, "timeNano")),
    };
    if (event.action && event.id) {
        s->calls.event(s->calls.arg, &event);
    }
    json_decref(json);
}

/* After a call to the owner: true when it closed the stream, which is freed then. */
static bool ended(struct event_stream *s)
{
    s->busy = false;
    if (s->closed) {
        stream_free(s);
        return true;
    }
    return false;
}

static void on_head(void *arg, const struct http_head *head)
{
    struct event_stream *s = arg;
    s->status = head->status;
    if (s->status == 200 && s->calls.opened) {
        s->busy = true;
        s->calls.opened(s->calls.arg);
        ended(s);
    }
}

static void on_body(void *arg, const char *bytes, size_t len)
{
    struct event_stream *s = arg;
    const char *newline;
    s->passing_over |= s->rest.len + len > EVENT_MAX;
    if (s->passing_over && (newline = memchr(bytes, '\n', len))) {
        s->passing_over = false;
        s->rest.len = 0;
        len -= (size_t)(newline + 1 - bytes);
        bytes = newline + 1;
    }
    if (s->passing_over || buf_add(&s->rest, bytes, len) < 0) {
        s->passing_over = true;
        s->rest.len = 0; /* the next list of containers makes up for it */
        return;
    }
    if (s->status != 200) {
        return;
    }
    size_t done = 0;
    s->busy = true;
    while (!s->closed && (newline = memchr(s->rest.data + done, '\n', s->rest.len - done))) {
        size_t line = (size_t)(newline - s->rest.data) - done;
        deliver(s, s->rest.data + done, line);
        done += line + 1;
    }
    if (!ended(s)) {
        buf_consume(&s->rest, done);
    }
}

static void on_end(void *arg, const struct error *broken)
{
    struct event_stream *s = arg;
    struct error err;
    if (broken) {
        err = *broken;
    } else if (s->status != 200) {
        engine_refusal(s->engine, s->status, s->rest.data, s->rest.len, &err);
    } else {
        error_set(&err, "the Engine at %s ended the stream of events", s->engine->address.text);
    }
    struct event_calls calls = s->calls;
    stream_free(s);
    calls.end(calls.arg, &err);
}

struct event_stream *event_stream_open(struct engine *e, int64_t since_ns, const struct event_calls *calls)
{
    /* {"type":["container"],"event":["start","die","destroy","rename"]} */
    static const char filters[] =
        "%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22start%22%2C%22die%22%2C"
        "%22destroy%22%2C%22rename%22%5D%7D";
    /* {"type":["container"],"event":["start","die","died","remove","rename"]}: Podman 4 takes only its own
       names, and reports "died" as "die". */
    static const char podman_filters[] =
        "%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22start%22%2C%22die%22%2C"
        "%22died%22%2C%22remove%22%2C%22rename%22%5D%7D";
    struct event_stream *s = calloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    char path[PATH_MAX_LEN];
    snprintf(path, sizeof(path), "/events?since=%lld.%09d&filters=%s", (long long)(since_ns / NS_PER_S),
             (int)(since_ns % NS_PER_S), e->podman ? podman_filters : filters);
    s->engine = e;
    s->calls = *calls;
    struct http_calls http = {.head = on_head, .body = on_body, .end = on_end, .arg = s};
    s->request = engine_request(e, path, false, &http);
    if (!s->request) {
        stream_free(s);
        return NULL;
    }
    return s;
}

void event_stream_close(struct event_stream *s)
{
    if (!s) {
        return;
    }
    http_cancel(s->request);
    if (s->busy) {
        s->closed = true;
    } else {
        stream_free(s);
    }
}
