/* The client of the Engine: an answer of any bytes ends in exactly one call, and comes to the same calls wherever it is
 * torn, and whether its body is counted, chunked or ends with the connection. What it takes for JSON is what jansson
 * takes for it, nothing comes after the end or after the owner let go, and a refused entry comes again. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "config/config.h"
#include "engine/events.h"
#include "engine/logs.h"
#include "engine/request.h"
#include "fuzz.h"

enum what { GET, LIST, EVENTS, LOGS, PING, WHATS };

/* How a body is sent. RAW: the input is the whole answer. */
enum sending { RAW, COUNTED, CHUNKED, UNTIL_CLOSED, FRAMINGS };

struct question {
    enum what what;
    uint8_t options; /* of the log: struct log_options; 16: each entry is refused once; 32: by Podman */
    uint8_t minor;
    uint8_t let_go; /* in the call of that number; 0: never */
    int status;
    struct slice bytes, cuts;
};

/* Of one request. */
struct client {
    const struct question *q;
    void *stream; /* NULL: none, or no more */
    struct buf seen;
    unsigned calls, items;
    bool ended, let_go, refused, resume;
    json_t *json; /* of GET, and the elements of LIST; owned */
};

static struct event_base *base;
static struct engine *engine;
static char path[64];
static int listener;

/* -- what comes -------------------------------------------------------------------------------- */

static void say(struct client *c, const char *what, struct slice text)
{
    CHECK(!c->ended && !c->let_go);
    CHECK(buf_addf(&c->seen, "%s %zu ", what, text.len) == 0 && buf_add_slice(&c->seen, text) == 0);
    CHECK(buf_add(&c->seen, "\n", 1) == 0);
}

/* Counts a call in which the owner may let go. Did it? */
static bool lets_go(struct client *c, void (*close)(void *stream))
{
    c->let_go = ++c->calls == c->q->let_go;
    if (c->let_go) {
        close(c->stream);
        c->stream = NULL;
    }
    return c->let_go;
}

static void say_end(struct client *c, const char *why)
{
    say(c, "end", slice_str(why ? why : "whole"));
    c->ended = true;
    c->stream = NULL;
}

static void on_answer(void *arg, int status, const json_t *json, const struct error *err)
{
    struct client *c = arg;
    CHECK(!err || err->text[0]);
    CHECK((json != NULL) == (!err && c->q->what == GET));
    CHECK(err || (status >= 200 && status < 300));
    c->json = json_incref((json_t *)json);
    buf_addf(&c->seen, "%d minor %d podman %d ", status, engine_api_minor(engine), engine_is_podman(engine));
    say_end(c, err ? err->text : NULL);
}

static void close_list(void *stream)
{
    engine_list_cancel(stream);
}

static void on_item(void *arg, const json_t *item)
{
    struct client *c = arg;
    CHECK(json_is_object(item));
    char *text = json_dumps(item, JSON_COMPACT);
    say(c, "item", slice_str(text));
    free(text);
    CHECK(json_array_append(c->json, (json_t *)item) == 0);
    lets_go(c, close_list);
}

static void on_list_end(void *arg, const struct error *err)
{
    CHECK(!err || err->text[0]);
    say_end(arg, err ? err->text : NULL);
}

static void close_events(void *stream)
{
    event_stream_close(stream);
}

static void on_opened_events(void *arg)
{
    say(arg, "opened", SLICE(""));
    lets_go(arg, close_events);
}

static void on_event(void *arg, const struct engine_event *event)
{
    struct client *c = arg;
    CHECK(buf_addf(&c->seen, "%s %d %lld ", event->name ? event->name : "-", event->exit_code,
                   (long long)event->time_ns) == 0);
    say(c, event->action, slice_str(event->id));
    lets_go(c, close_events);
}

static void on_events_end(void *arg, const struct error *err)
{
    CHECK(err && err->text[0]);
    say_end(arg, err->text);
}

static void close_log(void *stream)
{
    log_stream_close(stream);
}

static void on_opened_log(void *arg)
{
    say(arg, "opened", SLICE(""));
    lets_go(arg, close_log);
}

static bool on_entry(void *arg, const struct log_entry *entry)
{
    struct client *c = arg;
    CHECK(!c->resume); /* none comes before it was asked for */
    CHECK(entry->malformed == (entry->time.len == 0) && entry->stream < STREAM_COUNT);
    if ((c->q->options & 16) && !c->refused) {
        c->refused = c->resume = true;
        return false;
    }
    c->refused = false;
    buf_addf(&c->seen, "%d %lld %d ", entry->stream, (long long)entry->time_ns, entry->more);
    say(c, "time", entry->time);
    say(c, "text", entry->text);
    return !lets_go(c, close_log);
}

static void on_log_end(void *arg, enum log_end end, const struct error *err)
{
    struct client *c = arg;
    CHECK((end == LOG_END_WHOLE) == (err == NULL) && (!err || err->text[0]));
    CHECK(!c->refused);
    buf_addf(&c->seen, "%d ", end);
    say_end(c, err ? err->text : NULL);
}

/* -- a request and its answer ------------------------------------------------------------------ */

static void open_client(struct client *c)
{
    const struct question *q = c->q;
    struct list_calls list = {.item = on_item, .end = on_list_end, .arg = c};
    struct event_calls events = {
        .opened = on_opened_events, .event = on_event, .end = on_events_end, .arg = c};
    struct log_calls log = {.opened = on_opened_log, .entry = on_entry, .end = on_log_end, .arg = c};
    struct log_options options = {.tail = -1,
                                  .follow = true,
                                  .tty = q->options & 1,
                                  .tty_unknown = q->options & 2,
                                  .bare_end = q->options & 4,
                                  .own_times = q->options & 8};
    engine->minor = q->minor % (ENGINE_API_MAX_MINOR + 1);
    engine->podman = q->options & 32;
    switch (q->what) {
    case LIST:
        c->json = json_array();
        c->stream = engine_list_get(engine, "/x", &list);
        break;
    case EVENTS:
        c->stream = event_stream_open(engine, 0, &events);
        break;
    case LOGS:
        c->stream = log_stream_open(engine, "x", &options, &log);
        break;
    case PING:
        c->stream = engine_ping(engine, on_answer, c);
        break;
    default:
        c->stream = engine_get(engine, "/x", on_answer, c);
    }
    CHECK(c->stream);
}

/* Until all that was sent has been dealt with. */
static void turn(struct client *c)
{
    for (int quiet = 0; quiet < 3; quiet++) {
        if (c->resume && c->stream) {
            c->resume = false;
            log_stream_resume(c->stream);
            quiet = 0;
        }
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

/* Sends it in pieces of those lengths, one after the other, over and over; without any at once. */
static void answer(struct client *c, struct slice bytes, struct slice cuts)
{
    char request[1024];
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    turn(c);
    while (recv(fd, request, sizeof(request), MSG_DONTWAIT) > 0) {
    }
    for (size_t sent = 0, piece = 0; sent < bytes.len; piece++) {
        size_t len = cuts.len > 0 ? 1 + (unsigned char)cuts.ptr[piece % cuts.len] : bytes.len;
        len = len < bytes.len - sent ? len : bytes.len - sent;
        send(fd, bytes.ptr + sent, len, MSG_NOSIGNAL | MSG_DONTWAIT); /* the client may have hung up */
        sent += len;
        turn(c);
    }
    close(fd);
    for (int i = 0; i < 100 && !c->ended && !c->let_go; i++) {
        turn(c);
    }
    CHECK(c->ended || c->let_go);
    turn(c);
}

static void run(struct client *c, const struct question *q, struct slice bytes, struct slice cuts)
{
    *c = (struct client){.q = q};
    open_client(c);
    answer(c, bytes, cuts);
}

static void client_free(struct client *c)
{
    buf_free(&c->seen);
    json_decref(c->json);
}

static void same(const struct client *a, const struct client *b)
{
    CHECK(slice_eq(slice_of(a->seen.data, a->seen.len), slice_of(b->seen.data, b->seen.len)));
}

/* -- answers ----------------------------------------------------------------------------------- */

static void frame_body(struct buf *out, const struct question *q, enum sending sending)
{
    struct slice body = q->bytes;
    CHECK(buf_addf(out, "HTTP/1.1 %d Any\r\nApi-Version: 1.41\r\n", q->status) == 0);
    if (sending == COUNTED) {
        CHECK(buf_addf(out, "Content-Length: %zu\r\n", body.len) == 0);
    }
    CHECK(buf_addf(out, sending == CHUNKED ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n") == 0);
    for (size_t at = 0, piece = 0; sending == CHUNKED && at < body.len; piece++) {
        size_t len = q->cuts.len > 0 ? 1 + (unsigned char)q->cuts.ptr[piece % q->cuts.len] : body.len;
        len = len < body.len - at ? len : body.len - at;
        CHECK(buf_addf(out, "%zx\r\n", len) == 0 && buf_add(out, body.ptr + at, len) == 0);
        CHECK(buf_add(out, "\r\n", 2) == 0);
        at += len;
    }
    CHECK(sending == CHUNKED ? buf_add(out, "0\r\n\r\n", 5) == 0 : buf_add_slice(out, body) == 0);
}

/* A whole answer of 200 is JSON exactly where jansson says so. */
static void judge(const struct client *c)
{
    const struct question *q = c->q;
    json_error_t why;
    if (q->status != 200 || c->let_go || (q->what != GET && q->what != LIST)) {
        return;
    }
    json_t *json = json_loadb(q->bytes.ptr, q->bytes.len, 0, &why);
    if (q->what == GET) {
        CHECK(json ? json_equal(json, c->json) : c->json == NULL);
    } else if (json || json_error_code(&why) != json_error_stack_overflow) { /* the list is one level more */
        bool is_list = json_is_array(json),
             whole = c->seen.len > 6 && !memcmp(c->seen.data + c->seen.len - 6, "whole\n", 6);
        for (size_t i = 0; i < json_array_size(json); i++) {
            is_list &= json_is_object(json_array_get(json, i));
        }
        CHECK(whole == is_list && (!is_list || json_equal(json, c->json)));
    }
    json_decref(json);
}

static void raw(const struct question *q)
{
    struct client whole, torn;
    run(&whole, q, q->bytes, (struct slice){0});
    run(&torn, q, q->bytes, q->cuts);
    same(&whole, &torn);
    client_free(&whole);
    client_free(&torn);
}

static void framed(const struct question *q, enum sending sending)
{
    struct client whole, torn;
    struct buf counted = {0}, other = {0};
    frame_body(&counted, q, COUNTED);
    frame_body(&other, q, sending);
    run(&whole, q, slice_of(counted.data, counted.len), (struct slice){0});
    run(&torn, q, slice_of(other.data, other.len), q->cuts);
    same(&whole, &torn);
    judge(&whole);
    client_free(&whole);
    client_free(&torn);
    buf_free(&counted);
    buf_free(&other);
}

static void clean_up(void)
{
    engine_free(engine);
    event_base_free(base);
    close(listener);
    unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    struct error err;
    char host[80];
    snprintf(path, sizeof(path), "/tmp/sidetail-fuzz-%d.sock", (int)getpid());
    snprintf(host, sizeof(host), "unix://%s", path);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    struct config cfg = {.docker_host = host, .docker_cert_path = "", .docker_tls_verify = true};
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 4) == 0);
    base = loop_new();
    unsetenv("DOCKER_API_VERSION");
    engine = base ? engine_new(base, &cfg, &err) : NULL;
    CHECK(engine);
    return atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 200, 200, 201, 404, 409, 500, 501};
    struct asked a = {data, data + size};
    uint8_t how = asked_byte(&a);
    struct question q = {.what = how % WHATS, .options = asked_byte(&a), .minor = asked_byte(&a)};
    enum sending sending = how / WHATS % FRAMINGS;
    q.status = statuses[how / WHATS / FRAMINGS % 8];
    q.let_go = asked_byte(&a);
    q.cuts = asked_bytes(&a, asked_byte(&a) % 8);
    q.bytes = asked_bytes(&a, SIZE_MAX);
    if (sending == RAW) {
        raw(&q);
    } else {
        framed(&q, sending);
    }
    return 0;
}
