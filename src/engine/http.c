#include "http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <http_parser.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/loop.h"
#include "gather.h"
#include "tls.h"

#define BUSY_MIN 4096 /* bytes read at once after which more is likely to be there */

/* With less than so much in so long, one that was read by itself is one of many again. */
#define CALM_NS    (64 * NS_PER_MS)
#define CALM_BYTES 32768

struct http_request {
    const struct http_peer *peer;
    struct http_calls calls;
    struct bufferevent *bev; /* NULL: it could not be connected, `failure` says why */
    bool gather;             /* it is read as one of many, but while `much` of it comes */
    bool much;
    struct gathered gathered;
    size_t bytes; /* while much comes: so many since then … */
    int64_t since_ns;
    struct event *timer; /* until the head came; with `answer` until the end */
    http_parser parser;
    struct http_head head;
    char field[20]; /* name of the header being parsed, cut when longer */
    size_t field_len;
    char *value; /* where its value goes; NULL: nobody asks */
    size_t value_room;
    bool in_value; /* the last piece was a value's: the next name is a new one */
    bool answer, headed, whole, paused, eof;
    bool calling; /* inside the parser: freed only after it */
    bool cancelled;
    struct error failure;
};

static void request_free(struct http_request *r)
{
    gather_remove(&r->gathered);
    if (r->bev) {
        bufferevent_setcb(r->bev, NULL, NULL, NULL, NULL);
        bufferevent_free(r->bev);
    }
    loop_free_event(r->timer);
    free(r);
}

/* The last call to the owner. err NULL: the answer came whole. */
static void finish(struct http_request *r, const struct error *err)
{
    struct http_calls calls = r->calls;
    struct error copy = err ? *err : (struct error){0};
    request_free(r);
    calls.end(calls.arg, err ? &copy : NULL);
}

static void fail(struct http_request *r, const char *what)
{
    struct error err;
    error_set(&err, "%s (%s)", what, r->peer->address->text);
    finish(r, &err);
}

/* -- parsing ----------------------------------------------------------------------------------- */

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct http_request *r = parser->data;
    if (r->in_value) {
        r->in_value = false;
        r->field_len = 0;
    }
    for (size_t i = 0; i < len; i++, r->field_len++) {
        if (r->field_len < sizeof(r->field) - 1) {
            r->field[r->field_len] = at[i];
        }
    }
    return 0;
}

/* Where the value of the header just named goes. */
static void choose_value(struct http_request *r)
{
    size_t len = r->field_len < sizeof(r->field) - 1 ? r->field_len : sizeof(r->field) - 1;
    r->field[len] = '\0';
    r->value = NULL;
    if (strcasecmp(r->field, "Api-Version") == 0) {
        r->value = r->head.api_version;
        r->value_room = sizeof(r->head.api_version) - 1;
    } else if (strcasecmp(r->field, "Date") == 0) {
        r->value = r->head.date;
        r->value_room = sizeof(r->head.date) - 1;
    } else if (strcasecmp(r->field, "Libpod-Api-Version") == 0) {
        r->value = r->head.libpod;
        r->value_room = sizeof(r->head.libpod) - 1;
    }
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct http_request *r = parser->data;
    if (!r->in_value) {
        r->in_value = true;
        choose_value(r);
    }
    if (r->value) {
        size_t n = len < r->value_room ? len : r->value_room;
        memcpy(r->value, at, n);
        r->value += n;
        *r->value = '\0';
        r->value_room -= n;
    }
    return 0;
}

static void arm(struct http_request *r, int seconds)
{
    struct timeval tv = {seconds, 0};
    evtimer_add(r->timer, &tv);
}

static int on_headers_complete(http_parser *parser)
{
    struct http_request *r = parser->data;
    if (parser->status_code < 200) {
        return 0; /* 1xx: the answer itself follows */
    }
    r->headed = true;
    r->head.status = parser->status_code;
    if (r->answer) {
        arm(r, HTTP_BODY_TIMEOUT_S);
    } else {
        evtimer_del(r->timer);
    }
    if (r->calls.head) {
        r->calls.head(r->calls.arg, &r->head);
    }
    return r->cancelled ? -1 : 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct http_request *r = parser->data;
    r->calls.body(r->calls.arg, at, len);
    if (r->paused) {
        http_parser_pause(parser, 1);
    }
    return r->cancelled ? -1 : 0;
}

static int on_message_complete(http_parser *parser)
{
    struct http_request *r = parser->data;
    r->whole = r->headed;
    if (r->whole) {
        http_parser_pause(parser, 1); /* what stands behind the answer is none of it */
    }
    return 0;
}

static const http_parser_settings settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Parses one run of bytes (len 0: the end of the stream). The bytes taken, or -1: the request is gone. */
static ssize_t execute(struct http_request *r, const char *bytes, size_t len)
{
    r->calling = true;
    size_t taken = http_parser_execute(&r->parser, &settings, bytes, len);
    r->calling = false;
    if (r->cancelled) {
        request_free(r);
        return -1;
    }
    if (r->whole) {
        finish(r, NULL);
        return -1;
    }
    enum http_errno code = HTTP_PARSER_ERRNO(&r->parser);
    if (code == HPE_PAUSED) {
        http_parser_pause(&r->parser, 0);
    } else if (code != HPE_OK || r->parser.upgrade) {
        fail(r, code == HPE_INVALID_EOF_STATE ? "the Engine broke the answer off"
                                              : "the Engine's answer is not valid HTTP");
        return -1;
    }
    return (ssize_t)taken;
}

/* Parses what has come, until there is no more or the owner pauses. False: the request is gone. */
static bool parse(struct http_request *r)
{
    struct evbuffer *in = bufferevent_get_input(r->bev);
    struct evbuffer_iovec run;
    while (!r->paused && evbuffer_peek(in, -1, NULL, &run, 1) > 0 && run.iov_len > 0) {
        ssize_t taken = execute(r, run.iov_base, run.iov_len);
        if (taken < 0) {
            return false;
        }
        evbuffer_drain(in, (size_t)taken);
    }
    if (!r->eof || r->paused) {
        return true;
    }
    if (!r->headed) {
        fail(r, "the Engine closed the connection without an answer");
    } else if (execute(r, NULL, 0) >= 0) {
        fail(r, "the Engine broke the answer off");
    }
    return false;
}

/* -- the connection ---------------------------------------------------------------------------- */

static void on_broken(struct http_request *r, int code)
{
    struct error err;
    SSL *ssl = r->peer->tls ? bufferevent_openssl_get_ssl(r->bev) : NULL;
    unsigned long tls_code = ssl ? bufferevent_get_openssl_error(r->bev) : 0;
    int dns = bufferevent_socket_get_dns_error(r->bev);
    if (dns) {
        error_set(&err, "the name of the Engine's host in %s cannot be found: %s", r->peer->address->text,
                  evutil_gai_strerror(dns));
    } else if (tls_code || (ssl && !SSL_is_init_finished(ssl) && code == 0)) {
        engine_tls_explain(ssl, tls_code, r->peer->address->text, &err);
    } else if (r->headed) {
        error_set(&err, "the Engine broke the answer off: %s (%s)", code ? strerror(code) : "connection lost",
                  r->peer->address->text);
    } else {
        engine_address_explain(r->peer->address, code, &err);
    }
    finish(r, &err);
}

/* Parses a block; what is not taken, because the owner paused, waits in the input. False: the request is
 * gone. */
static bool parse_block(struct http_request *r, const char *block, size_t len)
{
    size_t done = 0;
    while (done < len && !r->paused) {
        ssize_t taken = execute(r, block + done, len - done);
        if (taken < 0) {
            return false;
        }
        done += (size_t)taken;
    }
    if (done < len && evbuffer_prepend(bufferevent_get_input(r->bev), block + done, len - done) < 0) {
        fail(r, "out of memory");
        return false;
    }
    return true;
}

/* -- one of many ------------------------------------------------------------------------------- */

static void read_gathered(void *arg);

static void start_reading(struct http_request *r)
{
    int fd = bufferevent_getfd(r->bev);
    if (r->gather && !r->much && gather_add(r->peer->gather, &r->gathered, fd, read_gathered, r)) {
        bufferevent_disable(r->bev, EV_READ);
    } else {
        bufferevent_enable(r->bev, EV_READ);
    }
}

static void stop_reading(struct http_request *r)
{
    gather_remove(&r->gathered);
    bufferevent_disable(r->bev, EV_READ);
}

static void set_much(struct http_request *r, bool much)
{
    r->much = much;
    r->bytes = 0;
    r->since_ns = clock_monotonic();
    gather_remove(&r->gathered);
    start_reading(r);
}

/* So many bytes were read at once. One that brings much is read by itself, until it was calm for a while. */
static void note_amount(struct http_request *r, size_t got)
{
    r->bytes += got;
    if (!r->gather || r->paused) {
        return;
    }
    if (!r->much && got >= BUSY_MIN) {
        set_much(r, true);
    } else if (r->much && clock_monotonic() - r->since_ns >= CALM_NS) {
        set_much(r, r->bytes >= CALM_BYTES);
    }
}

/* A busy stream is read in larger blocks than the 4 KiB that libevent 2.1 reads at once. */
static void read_on(struct http_request *r)
{
    static char block[HTTP_READ_MAX]; /* there is one loop */
    ssize_t got = recv(bufferevent_getfd(r->bev), block, sizeof(block), MSG_DONTWAIT);
    if (got > 0) {
        note_amount(r, (size_t)got);
        parse_block(r, block, (size_t)got);
    } else if (got == 0) {
        r->eof = true;
        parse(r);
    } else if (errno != EAGAIN && errno != EINTR) {
        on_broken(r, errno);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct http_request *r = arg;
    size_t got = evbuffer_get_length(bufferevent_get_input(bev));
    note_amount(r, got);
    if (parse(r) && got >= BUSY_MIN && !r->paused && !r->peer->tls) {
        read_on(r);
    }
}

static void read_gathered(void *arg)
{
    struct http_request *r = arg;
    if (evbuffer_get_length(bufferevent_get_input(r->bev)) > 0) {
        parse(r); /* it came before the rest, which is read next time */
    } else {
        read_on(r);
    }
}

static void on_written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct http_request *r = arg;
    if (r->calls.sent && !r->headed) {
        evtimer_del(r->timer);
        r->calls.sent(r->calls.arg);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct http_request *r = arg;
    int code = EVUTIL_SOCKET_ERROR();
    if (what & BEV_EVENT_CONNECTED) {
        int on = 1;
        setsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        return;
    }
    if (what & BEV_EVENT_EOF) {
        r->eof = true;
        parse(r);
    } else if (what & BEV_EVENT_ERROR) {
        on_broken(r, code);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct http_request *r = arg;
    if (!r->bev) {
        struct error err = r->failure;
        finish(r, &err);
    } else {
        fail(r, r->headed ? "the Engine did not finish its answer in time"
                          : "the Engine did not answer in time");
    }
}

static int send_request(struct http_request *r, const char *target)
{
    const struct http_peer *peer = r->peer;
    bufferevent_setcb(r->bev, on_read, on_written, on_event, r);
    bufferevent_setwatermark(r->bev, EV_READ, 0, HTTP_READ_MAX);
    bufferevent_set_max_single_read(r->bev, HTTP_READ_MAX);
    if (!peer->address->local &&
        bufferevent_socket_connect_hostname(r->bev, peer->dns, AF_UNSPEC, peer->address->host,
                                            peer->address->port) < 0) {
        return -1;
    }
    struct evbuffer *out = bufferevent_get_output(r->bev);
    if (evbuffer_add_printf(out,
                            "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sidetail/" VERSION
                            "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                            target, peer->address->local ? "docker" : peer->address->host) < 0) {
        return -1;
    }
    return bufferevent_enable(r->bev, EV_READ | EV_WRITE);
}

struct http_request *http_get(const struct http_peer *peer, const char *target, bool answer,
                              const struct http_calls *calls)
{
    struct http_request *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    r->peer = peer;
    r->calls = *calls;
    r->answer = answer;
    http_parser_init(&r->parser, HTTP_RESPONSE);
    r->parser.data = r;
    r->timer = evtimer_new(peer->base, on_timer, r);
    if (!r->timer) {
        free(r);
        return NULL;
    }
    r->bev = peer_connection(peer, &r->failure);
    if (!r->bev) {
        event_active(r->timer, EV_TIMEOUT, 0);
        return r;
    }
    arm(r, HTTP_HEAD_TIMEOUT_S);
    if (send_request(r, target) < 0) {
        request_free(r);
        return NULL;
    }
    return r;
}

void http_pause(struct http_request *r)
{
    r->paused = true;
    if (r->bev) {
        stop_reading(r);
    }
}

void http_resume(struct http_request *r)
{
    if (!r->paused) {
        return;
    }
    r->paused = false;
    if (!r->bev) {
        return; /* its failure is about to be reported */
    }
    start_reading(r);
    /* What is already here is parsed from the loop, not from within this call. */
    bufferevent_trigger(r->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void http_gather(struct http_request *r)
{
    if (r->gather || r->peer->tls || !r->peer->gather) {
        return;
    }
    r->gather = true;
    if (!r->paused) {
        start_reading(r);
    }
}

void http_cancel(struct http_request *r)
{
    if (!r) {
        return;
    }
    if (r->calling) {
        r->cancelled = true;
        return;
    }
    request_free(r);
}
