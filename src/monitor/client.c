#include "monitor/client.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/loop.h"
#include "host.h"

#define PATIENCE_S       2
#define FETCH_PATIENCE_S 10
#define BODY_MAX         (256 << 20) /* some 500,000 logs */

struct monitor_question {
    char *where, *path; /* `where` is metrics.listen */
    int patience_s;
    struct evhttp_connection *con;
    struct event *timer; /* how long it is waited for, or that the answer is to be told */
    bool answered, well;
    struct buf body;
    struct error err;
    void (*done)(void *arg, struct buf *body, const struct error *err);
    void *arg;
};

/* -- the answer -------------------------------------------------------------------------------- */

/* The first line of the answer's body, without what a terminal could take for more than text. */
static void first_line(struct evbuffer *body, char *out, size_t cap)
{
    ssize_t n = evbuffer_copyout(body, out, cap - 1);
    size_t len = 0;
    while (n > 0 && len < (size_t)n && (unsigned char)out[len] >= ' ' && (unsigned char)out[len] < 0x7F) {
        len++;
    }
    out[len] = '\0';
}

static int take_body(struct monitor_question *q, struct evbuffer *body)
{
    size_t len = evbuffer_get_length(body);
    if (buf_reserve(&q->body, len) < 0) {
        return error_set(&q->err, "out of memory");
    }
    evbuffer_remove(body, q->body.data + q->body.len, len);
    q->body.len += len;
    return 0;
}

static int check_answer(struct monitor_question *q, struct evhttp_request *http)
{
    char text[256];
    const char *server = evhttp_find_header(evhttp_request_get_input_headers(http), "Server");
    if (!server || strncmp(server, "sidetail/", 9) != 0) {
        return error_set(&q->err, "what answers at %s is no sidetail", q->where);
    }
    if (evhttp_request_get_response_code(http) == HTTP_OK) {
        return take_body(q, evhttp_request_get_input_buffer(http));
    }
    first_line(evhttp_request_get_input_buffer(http), text, sizeof(text));
    return error_set(&q->err, "%s at %s says %d: %s", q->path, q->where,
                     evhttp_request_get_response_code(http), text);
}

/* Tells from the loop: libevent may call this from inside evhttp_make_request. */
static void on_answer(struct evhttp_request *http, void *arg)
{
    struct monitor_question *q = arg;
    if (http && evhttp_request_get_response_code(http) > 0) {
        q->well = check_answer(q, http) == 0;
    } else {
        error_set(&q->err, "no answer from %s: is sidetail running, with that metrics.listen?", q->where);
    }
    q->answered = true;
    event_del(q->timer);
    event_active(q->timer, EV_TIMEOUT, 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct monitor_question *q = arg;
    if (!q->answered) {
        evhttp_connection_free(q->con); /* on_answer does not come any more */
        q->con = NULL;
        error_set(&q->err, "no answer from %s within %d s", q->where, q->patience_s);
    }
    q->done(q->arg, q->well ? &q->body : NULL, &q->err);
}

/* -- the question ------------------------------------------------------------------------------ */

/* Sends the request, which the connection then owns. */
static int send_request(struct monitor_question *q, struct error *err)
{
    const struct timeval patience = {q->patience_s, 0};
    struct evhttp_request *http = evhttp_request_new(on_answer, q);
    if (!http || evtimer_add(q->timer, &patience) < 0) {
        return error_set(err, "out of memory");
    }
    struct evkeyvalq *headers = evhttp_request_get_output_headers(http);
    evhttp_add_header(headers, "Host", q->where);
    evhttp_add_header(headers, HOST_NO_BROWSER, "1");
    evhttp_add_header(headers, "Connection", "close");
    if (evhttp_make_request(q->con, http, EVHTTP_REQ_GET, q->path) < 0) {
        return error_set(err, "cannot ask %s: %s", q->where, strerror(errno));
    }
    return 0;
}

static int dial(struct monitor_question *q, struct event_base *base, struct error *err)
{
    struct address at;
    if (address_parse(q->where, &at, err) < 0) {
        return -1;
    }
    if (at.host[0] == '\0' || !strcmp(at.host, "0.0.0.0")) {
        strcpy(at.host, "127.0.0.1");
    } else if (!strcmp(at.host, "::")) {
        strcpy(at.host, "::1");
    }
    q->con = evhttp_connection_base_new(base, NULL, at.host, (unsigned short)atoi(at.port));
    if (!q->con) {
        return error_set(err, "cannot ask %s: out of memory", q->where);
    }
    evhttp_connection_set_max_body_size(q->con, BODY_MAX);
    evhttp_connection_set_max_headers_size(q->con, 65536);
    return 0;
}

struct monitor_question *monitor_ask(struct event_base *base, const char *listen, const char *path,
                                     int patience_s, struct monitor_calls calls, struct error *err)
{
    struct monitor_question *q = calloc(1, sizeof(*q));
    if (!q) {
        error_set(err, "out of memory");
        return NULL;
    }
    *q = (struct monitor_question){.where = strdup(listen),
                                   .path = strdup(path),
                                   .patience_s = patience_s,
                                   .done = calls.done,
                                   .arg = calls.arg};
    q->timer = evtimer_new(base, on_timer, q);
    if (!q->where || !q->path || !q->timer) {
        error_set(err, "out of memory");
    } else if (dial(q, base, err) == 0 && send_request(q, err) == 0) {
        return q;
    }
    monitor_forget(q);
    return NULL;
}

void monitor_forget(struct monitor_question *q)
{
    if (!q) {
        return;
    }
    if (q->con) {
        evhttp_connection_free(q->con);
    }
    loop_free_event(q->timer);
    buf_free(&q->body);
    free(q->where);
    free(q->path);
    free(q);
}

/* -- waiting for it ---------------------------------------------------------------------------- */

struct waiting {
    struct event_base *base;
    struct buf *body; /* where the answer goes; NULL: nowhere */
    int result;
    struct error *err;
};

static void on_done(void *arg, struct buf *body, const struct error *err)
{
    struct waiting *w = arg;
    if (!body) {
        w->result = error_set(w->err, "%s", err->text);
    } else if (w->body && buf_add(w->body, body->data, body->len) < 0) {
        w->result = error_set(w->err, "out of memory");
    } else {
        w->result = 0;
    }
    event_base_loopbreak(w->base);
}

static int wait_for(const char *listen, const char *path, int patience_s, struct buf *body, struct error *err)
{
    struct waiting w = {.base = event_base_new(), .body = body, .result = -1, .err = err};
    if (!w.base) {
        return error_set(err, "out of memory");
    }
    struct monitor_question *q =
        monitor_ask(w.base, listen, path, patience_s, (struct monitor_calls){on_done, &w}, err);
    if (q) {
        event_base_dispatch(w.base);
        monitor_forget(q);
    }
    event_base_free(w.base);
    return w.result;
}

int monitor_get(const char *listen, const char *path, struct error *err)
{
    return wait_for(listen, path, PATIENCE_S, NULL, err);
}

int monitor_fetch(const char *listen, const char *path, struct buf *body, struct error *err)
{
    return wait_for(listen, path, FETCH_PATIENCE_S, body, err);
}
