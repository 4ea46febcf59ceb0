#include "monitor/client.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

#define PATIENCE_S       2
#define FETCH_PATIENCE_S 10
#define BODY_MAX         65536
#define FETCH_BODY_MAX   (256 << 20) /* some 500,000 logs */

struct request {
    const char *where, *path; /* `where` is metrics.listen */
    int patience_s;
    struct buf *body; /* where the answer goes; NULL: nowhere */
    struct event_base *base;
    bool answered;
    int result;
    struct error *err;
};

/* The first line of the answer's body, without what a terminal could take for more than text. */
static void first_line(struct evbuffer *body, char *out, size_t cap)
{
    ssize_t n = evbuffer_copyout(body, out, cap - 1);
    size_t len = 0;
    while (n > 0 && len < (size_t)n && (unsigned char)out[len] >= ' ' && out[len] != 0x7F) {
        len++;
    }
    out[len] = '\0';
}

static int take_body(const struct request *r, struct evbuffer *body)
{
    size_t len = evbuffer_get_length(body);
    if (buf_reserve(r->body, len) < 0) {
        return error_set(r->err, "out of memory");
    }
    evbuffer_remove(body, r->body->data + r->body->len, len);
    r->body->len += len;
    return 0;
}

static int check_answer(const struct request *r, struct evhttp_request *http)
{
    char text[256];
    const char *server = evhttp_find_header(evhttp_request_get_input_headers(http), "Server");
    if (!server || strncmp(server, "sidetail/", 9) != 0) {
        return error_set(r->err, "what answers at %s is no sidetail", r->where);
    }
    if (evhttp_request_get_response_code(http) == HTTP_OK) {
        return r->body ? take_body(r, evhttp_request_get_input_buffer(http)) : 0;
    }
    first_line(evhttp_request_get_input_buffer(http), text, sizeof(text));
    return error_set(r->err, "%s at %s says %d: %s", r->path, r->where,
                     evhttp_request_get_response_code(http), text);
}

static void on_answer(struct evhttp_request *http, void *arg)
{
    struct request *r = arg;
    r->answered = true;
    if (http && evhttp_request_get_response_code(http) > 0) {
        r->result = check_answer(r, http);
    } else {
        r->result =
            error_set(r->err, "no answer from %s: is sidetail running, with that metrics.listen?", r->where);
    }
    event_base_loopbreak(r->base);
}

/* Sends the request, which the connection then owns, and waits for the answer. */
static int exchange(struct request *r, struct evhttp_connection *con)
{
    struct evhttp_request *http = evhttp_request_new(on_answer, r);
    if (!http) {
        return error_set(r->err, "out of memory");
    }
    evhttp_add_header(evhttp_request_get_output_headers(http), "Host", r->where);
    evhttp_add_header(evhttp_request_get_output_headers(http), "Connection", "close");
    if (evhttp_make_request(con, http, EVHTTP_REQ_GET, r->path) < 0) {
        return error_set(r->err, "cannot ask %s: %s", r->where, strerror(errno));
    }
    struct timeval patience = {r->patience_s, 0};
    event_base_loopexit(r->base, &patience);
    event_base_dispatch(r->base);
    return r->answered ? r->result
                       : error_set(r->err, "no answer from %s within %d s", r->where, r->patience_s);
}

static int ask(const char *listen, const char *path, int patience_s, struct buf *body, struct error *err)
{
    struct address at;
    if (address_parse(listen, &at, err) < 0) {
        return -1;
    }
    if (at.host[0] == '\0' || !strcmp(at.host, "0.0.0.0")) {
        strcpy(at.host, "127.0.0.1");
    } else if (!strcmp(at.host, "::")) {
        strcpy(at.host, "::1");
    }
    struct request r = {.where = listen,
                        .path = path,
                        .patience_s = patience_s,
                        .body = body,
                        .base = event_base_new(),
                        .err = err};
    struct evhttp_connection *con = NULL;
    if (r.base) {
        con = evhttp_connection_base_new(r.base, NULL, at.host, (unsigned short)atoi(at.port));
    }
    int result;
    if (con) {
        evhttp_connection_set_max_body_size(con, body ? FETCH_BODY_MAX : BODY_MAX);
        evhttp_connection_set_max_headers_size(con, 65536);
        result = exchange(&r, con);
        evhttp_connection_free(con);
    } else {
        result = error_set(err, "cannot ask %s: out of memory", listen);
    }
    if (r.base) {
        event_base_free(r.base);
    }
    return result;
}

int monitor_get(const char *listen, const char *path, struct error *err)
{
    return ask(listen, path, PATIENCE_S, NULL, err);
}

int monitor_fetch(const char *listen, const char *path, struct buf *body, struct error *err)
{
    return ask(listen, path, FETCH_PATIENCE_S, body, err);
}
