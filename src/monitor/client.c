#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "monitor/monitor.h"

#define PATIENCE_S 2

struct question {
    const char *where, *path;
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

static int judge(const struct question *q, struct evhttp_request *req)
{
    char text[256];
    const char *server = evhttp_find_header(evhttp_request_get_input_headers(req), "Server");
    if (!server || strncmp(server, "sidetail/", 9) != 0) {
        return error_set(q->err, "what answers at %s is no sidetail", q->where);
    }
    if (evhttp_request_get_response_code(req) == HTTP_OK) {
        return 0;
    }
    first_line(evhttp_request_get_input_buffer(req), text, sizeof(text));
    return error_set(q->err, "%s at %s says %d: %s", q->path, q->where, evhttp_request_get_response_code(req),
                     text);
}

static void on_answer(struct evhttp_request *req, void *arg)
{
    struct question *q = arg;
    q->answered = true;
    if (req && evhttp_request_get_response_code(req) > 0) {
        q->result = judge(q, req);
    } else {
        q->result =
            error_set(q->err, "no answer from %s: is sidetail running, with that metrics.listen?", q->where);
    }
    event_base_loopbreak(q->base);
}

/* Sends the request; the connection owns it. */
static int ask(struct question *q, struct evhttp_connection *con)
{
    struct evhttp_request *req = evhttp_request_new(on_answer, q);
    if (!req) {
        return error_set(q->err, "out of memory");
    }
    evhttp_add_header(evhttp_request_get_output_headers(req), "Host", q->where);
    evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
    if (evhttp_make_request(con, req, EVHTTP_REQ_GET, q->path) < 0) {
        return error_set(q->err, "cannot ask %s: %s", q->where, strerror(errno));
    }
    struct timeval patience = {PATIENCE_S, 0};
    event_base_loopexit(q->base, &patience);
    event_base_dispatch(q->base);
    return q->answered ? q->result : error_set(q->err, "no answer from %s within %d s", q->where, PATIENCE_S);
}

int monitor_ask(const char *listen, const char *path, struct error *err)
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
    struct question q = {.where = listen, .path = path, .base = event_base_new(), .err = err};
    struct evhttp_connection *con = NULL;
    if (q.base) {
        con = evhttp_connection_base_new(q.base, NULL, at.host, (unsigned short)atoi(at.port));
    }
    int result;
    if (con) {
        evhttp_connection_set_max_body_size(con, 65536);
        evhttp_connection_set_max_headers_size(con, 65536);
        result = ask(&q, con);
        evhttp_connection_free(con);
    } else {
        result = error_set(err, "cannot ask %s: out of memory", listen);
    }
    if (q.base) {
        event_base_free(q.base);
    }
    return result;
}
