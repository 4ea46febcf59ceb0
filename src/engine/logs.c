#include "engine/logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "decode/frame.h"
#include "request.h"

struct log_stream {
    struct engine *engine;
    struct http_request *request;
    struct log_calls calls;
    struct log_options options;
    struct tty_cutter cutter;
    struct buf rest; /* a message whose end has not come, or messages that came while paused */
    int status;
    bool opened; /* the owner knows that it is */
    bool paused;
    bool busy, closed;   /* a call is under way; the owner closed the stream in it */
    bool faulty;         /* damaged, or the Engine said in the stream that it failed: `fault` says how */
    bool over;           /* the request has ended, what is in `rest` is still to come */
    struct event *again; /* hands on what is in `rest` after a pause; made at the first pause */
    struct error fault;
    char time[CLOCK_TEXT_MAX];
};

static void stream_free(struct log_stream *s)
{
    loop_free_event(s->again);
    buf_free(&s->rest);
    free(s);
}

static void finish(struct log_stream *s, enum log_end end, const struct error *err)
{
    struct log_calls calls = s->calls;
    struct error copy = err ? *err : (struct error){0};
    stream_free(s);
    calls.end(calls.arg, end, err ? &copy : NULL);
}

/* -- entries ----------------------------------------------------------------------------------- */

/* The time as records have it: UTC, no trailing zeros in the fraction. */
static struct slice normal_time(struct log_stream *s, const struct message *m)
{
    if (m->time.len == 30 && m->time.ptr[29] == 'Z' && m->time.ptr[28] != '0') {
        return m->time;
    }
    return slice_of(s->time, clock_format(m->time_ns, s->time));
}

static void fault(struct log_stream *s, struct slice text)
{
    s->faulty = true;
    error_set(&s->fault, "the Engine at %s failed to read the log: %.*s", s->engine->address.text,
              (int)(text.len < 256 ? text.len : 256), text.ptr);
}

static void stop_reading(struct log_stream *s)
{
    s->paused = true;
    if (s->request) {
        http_pause(s->request);
    }
}

/* False: the owner did not take it. */
static bool deliver(struct log_stream *s, enum stream stream, const struct message *m)
{
    struct log_entry entry = {
        .stream = stream,
        .time_ns = m->time_ns,
        .text = m->text,
        .malformed = m->time.len == 0,
        .more = !m->newline && (m->text.len >= PIECE_MIN || s->engine->podman),
    };
    if (!entry.malformed) {
        entry.time = normal_time(s, m);
    }
    if (s->calls.entry(s->calls.arg, &entry)) {
        return true;
    }
    if (!s->closed) {
        stop_reading(s);
    }
    return false;
}

static ssize_t next_frame(struct log_stream *s, const char *p, const char *end, size_t *need)
{
    struct frame frame;
    struct message m;
    ssize_t taken = frame_next(p, end, &frame, need, &s->fault);
    if (taken <= 0) {
        return taken;
    }
    if (frame.stream == FRAME_ENGINE_ERROR) {
        fault(s, frame.payload);
        return taken;
    }
    message_parse(frame.payload, &m);
    return deliver(s, frame.stream == FRAME_STDERR ? STREAM_STDERR : STREAM_STDOUT, &m) ? taken : 0;
}

static ssize_t next_tty(struct log_stream *s, const char *p, const char *end, size_t *need)
{
    struct message m;
    *need = SIZE_MAX;
    struct tty_cutter cutter = s->cutter;
    ssize_t taken = p == end ? 0 : tty_next(&cutter, p, end, s->over, &m, &s->fault);
    if (taken <= 0) {
        return taken;
    }
    static const char grabbing[] = "Error grabbing logs: ";
    if (m.time.len == 0 && m.text.len >= sizeof(grabbing) - 1 &&
        memcmp(m.text.ptr, grabbing, sizeof(grabbing) - 1) == 0) {
        fault(s, m.text);
        return taken;
    }
    if (!deliver(s, STREAM_STDOUT, &m)) {
        return 0;
    }
    s->cutter = cutter;
    return taken;
}

/* Hands on the messages in [p, end) until the owner pauses. Returns the bytes taken. *need: see frame_next. */
static size_t hand_on(struct log_stream *s, const char *p, const char *end, size_t *need)
{
    const char *at = p;
    *need = SIZE_MAX;
    while (!s->paused && !s->faulty && !s->closed) {
        ssize_t taken = s->options.tty ? next_tty(s, at, end, need) : next_frame(s, at, end, need);
        if (taken < 0) {
            s->faulty = true;
        }
        if (taken <= 0) {
            break;
        }
        at += taken;
    }
    return (size_t)(at - p);
}

/* Takes new bytes: completes what is left of the message before, and hands on all else where it lies. */
static void take(struct log_stream *s, const char *bytes, size_t len)
{
    size_t need = SIZE_MAX;
    size_t done = hand_on(s, s->rest.data, s->rest.data + s->rest.len, &need);
    while (!s->closed) {
        buf_consume(&s->rest, done);
        if (s->rest.len == 0 || len == 0 || s->faulty) {
            break;
        }
        size_t n = s->paused || need > len ? len : need;
        if (buf_add(&s->rest, bytes, n) < 0) {
            s->faulty = true;
            error_set(&s->fault, "out of memory");
            return;
        }
        bytes += n;
        len -= n;
        done = hand_on(s, s->rest.data, s->rest.data + s->rest.len, &need);
    }
    if (s->closed || s->faulty || len == 0) {
        return;
    }
    done = hand_on(s, bytes, bytes + len, &need);
    if (!s->closed && !s->faulty && done < len && buf_add(&s->rest, bytes + done, len - done) < 0) {
        s->faulty = true;
        error_set(&s->fault, "out of memory");
    }
    if (s->rest.len == 0 && s->rest.cap > 0) {
        buf_free(&s->rest); /* a thousand idle streams keep no buffers */
    }
}

/* -- the request ------------------------------------------------------------------------------- */

/* After calls to the owner. False: the stream is gone. */
static bool settle(struct log_stream *s)
{
    s->busy = false;
    if (s->closed) {
        stream_free(s);
        return false;
    }
    if (s->faulty) {
        http_cancel(s->request);
        finish(s, LOG_END_BROKEN, &s->fault);
        return false;
    }
    return true;
}

static void opened(struct log_stream *s)
{
    if (!s->opened && s->calls.opened) {
        s->opened = true;
        s->busy = true;
        s->calls.opened(s->calls.arg);
        settle(s);
    }
}

/* Podman sends the head together with the first line, however long that takes. */
static void on_sent(void *arg)
{
    opened(arg);
}

static void on_head(void *arg, const struct http_head *head)
{
    struct log_stream *s = arg;
    s->status = head->status;
    if (s->status != 200) {
        return;
    }
    if (s->options.gather) {
        http_gather(s->request);
    }
    opened(s);
}

static void on_body(void *arg, const char *bytes, size_t len)
{
    struct log_stream *s = arg;
    if (s->status != 200) {
        size_t room = ENGINE_REFUSAL_MAX - s->rest.len;
        buf_add(&s->rest, bytes, len < room ? len : room); /* without memory the status stands alone */
        return;
    }
    if (s->options.tty_unknown && len > 0) { /* text begins with a time, or a word of the Engine's */
        s->options.tty_unknown = false;
        s->options.tty = (unsigned char)bytes[0] > FRAME_ENGINE_ERROR;
    }
    s->busy = true;
    take(s, bytes, len);
    settle(s);
}

static bool answer_has(const struct log_stream *s, const char *words)
{
    return s->rest.data && memmem(s->rest.data, s->rest.len, words, strlen(words));
}

static enum log_end end_of_refusal(const struct log_stream *s)
{
    /* While a container is being removed, its log is refused; other conflicts are none of those. */
    if (s->status == 404 || (s->status == 409 && answer_has(s, "marked for removal"))) {
        return LOG_END_GONE;
    }
    if (s->status == 501 || answer_has(s, "does not support reading") || answer_has(s, "cannot read logs")) {
        return LOG_END_UNREADABLE;
    }
    return LOG_END_BROKEN;
}

static void refused(struct log_stream *s)
{
    struct error err;
    engine_refusal(s->engine, s->status, s->rest.data, s->rest.len, &err);
    finish(s, end_of_refusal(s), &err);
}

/* All has come: hands on what is left in `rest`, then ends. */
static void complete(struct log_stream *s)
{
    s->busy = true;
    take(s, NULL, 0);
    if (!settle(s) || s->paused) {
        return;
    }
    if (s->rest.len > 0) {
        struct error err;
        error_set(&err, "the Engine at %s ended the log inside a message", s->engine->address.text);
        finish(s, LOG_END_BROKEN, &err);
        return;
    }
    finish(s, LOG_END_WHOLE, NULL);
}

static void on_end(void *arg, const struct error *broken)
{
    struct log_stream *s = arg;
    s->request = NULL;
    if (broken) {
        finish(s, LOG_END_BROKEN, broken);
    } else if (s->status != 200) {
        refused(s);
    } else {
        s->over = true;
        complete(s);
    }
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct log_stream *s = arg;
    if (s->paused) {
        return;
    }
    if (s->over) {
        complete(s);
        return;
    }
    s->busy = true;
    take(s, NULL, 0);
    if (settle(s) && !s->paused) {
        http_resume(s->request);
    }
}

/* -- for the owner ----------------------------------------------------------------------------- */

/* Podman's entries bear their second only, but it compares the exact time, as a double, and takes what is
 * later: it is asked from a little before the second on. */
static int64_t since_of(const struct engine *e, int64_t since_ns)
{
    return e->podman ? since_ns - since_ns % NS_PER_S - NS_PER_MS : since_ns;
}

static void path_of(const struct engine *e, const char *id, const struct log_options *o, char *path,
                    size_t size)
{
    int n =
        snprintf(path, size, "/containers/%s/logs?stdout=1&stderr=1&timestamps=1&follow=%d", id, o->follow);
    if (o->since_ns > 0) {
        int64_t since = since_of(e, o->since_ns);
        n += snprintf(path + n, size - (size_t)n, "&since=%lld.%09d", (long long)(since / NS_PER_S),
                      (int)(since % NS_PER_S));
    }
    if (o->until_ns > 0) {
        n += snprintf(path + n, size - (size_t)n, "&until=%lld.%09d", (long long)(o->until_ns / NS_PER_S),
                      (int)(o->until_ns % NS_PER_S));
    }
    if (o->tail >= 0) {
        snprintf(path + n, size - (size_t)n, "&tail=%lld", (long long)o->tail);
    }
}

struct log_stream *log_stream_open(struct engine *e, const char *id, const struct log_options *options,
                                   const struct log_calls *calls)
{
    struct log_stream *s = calloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    char path[PATH_MAX_LEN];
    path_of(e, id, options, path, sizeof(path));
    s->engine = e;
    s->options = *options;
    s->calls = *calls;
    s->cutter = (struct tty_cutter){.bare_end = options->bare_end,
                                    .own_times = options->own_times,
                                    .started_ns = options->started_ns,
                                    .known_ns = options->known_ns};
    struct http_calls http = {
        .sent = e->podman ? on_sent : NULL, .head = on_head, .body = on_body, .end = on_end, .arg = s};
    s->request = engine_request(e, path, false, &http);
    if (!s->request) {
        stream_free(s);
        return NULL;
    }
    return s;
}

bool log_stream_tty(const struct log_stream *s)
{
    return s->options.tty;
}

void log_stream_resume(struct log_stream *s)
{
    if (!s->paused) {
        return;
    }
    if (!s->again) {
        s->again = event_new(s->engine->peer.base, -1, 0, on_again, s);
    }
    if (!s->again) {
        return; /* out of memory: it stays paused, the owner tries again */
    }
    s->paused = false;
    loop_again(s->again);
}

void log_stream_close(struct log_stream *s)
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

/* -- quirks of drivers -------------------------------------------------------------------------- */

/* Other drivers than these two are read back from a cache in the local driver's format. */
static bool is_local_format(const struct engine *e, const char *driver)
{
    return !e->podman && strcmp(driver, "json-file") != 0 && strcmp(driver, "journald") != 0;
}

bool engine_bare_end(const struct engine *e, const char *driver)
{
    return e->minor < 42 && is_local_format(e, driver);
}

bool engine_own_times(const struct engine *e, const char *driver)
{
    return e->podman || strcmp(driver, "journald") == 0;
}

bool engine_tail_harms(const struct engine *e, const char *driver)
{
    return e->minor < 45 && is_local_format(e, driver);
}

struct log_options log_options_for(const struct engine *e, const char *driver, bool tty)
{
    return (struct log_options){
        .tail = -1,
        .tty = tty,
        .bare_end = engine_bare_end(e, driver),
        .own_times = engine_own_times(e, driver),
    };
}
