#include "monitor/server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "host.h"
#include "page/page.h"
#include "status_answer.h"

#define HEADERS_MAX 8192
#define MISDIRECTED 421
#define BODY_MAX    1024 /* requests that are served have none */
#define CLIENT_WAIT 5    /* seconds that a client may take for its next bytes */
/* Connections that may wait to be accepted. Where these are used up a client tries again only after a second. */
#define BACKLOG 128
/* Twice the longest kafka.commit_age, before which nothing is acknowledged. */
#define SINK_PATIENCE (10 * NS_PER_S)
#define LOGS_PATIENCE (2 * NS_PER_S) /* logs may take turns for so long */

struct monitor {
    struct evhttp *http;
    unsigned port;
    struct address where; /* metrics.listen */
    bool ready;
    char why[256];
};

static bool head_only(struct evhttp_request *req)
{
    return evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
}

static void add_headers(struct evhttp_request *req, const char *type)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Server", "sidetail/" VERSION);
    evhttp_add_header(headers, "Connection", "close"); /* idle clients must not hold descriptors */
    /* Pages of others may neither take it for a script or an image nor have it in their process. */
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(headers, "Cross-Origin-Resource-Policy", "same-origin");
}

static void answer(struct evhttp_request *req, int code, const char *type, const char *text, size_t len)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    struct evbuffer *body = evhttp_request_get_output_buffer(req);
    add_headers(req, type);
    if (head_only(req)) { /* libevent would send a body all the same */
        char length[24];
        snprintf(length, sizeof(length), "%zu", len);
        evhttp_add_header(headers, "Content-Length", length);
    } else if (evbuffer_add(body, text, len) < 0) {
        code = HTTP_INTERNAL;
    }
    evhttp_send_reply(req, code, code == MISDIRECTED ? "Misdirected Request" : NULL, NULL);
}

static void answer_text(struct evhttp_request *req, int code, const char *text)
{
    answer(req, code, "text/plain; charset=utf-8", text, strlen(text));
}

static void on_page(struct evhttp_request *req, const struct monitor *m)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    (void)m;
    evhttp_add_header(headers, "Content-Security-Policy", page_policy);
    evhttp_add_header(headers, "X-Frame-Options", "DENY"); /* as its policy says, to older browsers */
    evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
    evhttp_add_header(headers, "Cache-Control", "no-cache");
    answer(req, HTTP_OK, "text/html; charset=utf-8", (const char *)page_html, page_len);
}

static void on_metrics(struct evhttp_request *req, const struct monitor *m)
{
    struct buf page = {0};
    (void)m;
    if (metrics_render(&page) < 0) {
        answer_text(req, HTTP_INTERNAL, "out of memory\n");
    } else {
        answer(req, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", page.data, page.len);
    }
    buf_free(&page);
}

static void on_healthz(struct evhttp_request *req, const struct monitor *m)
{
    (void)m;
    answer_text(req, HTTP_OK, "ok\n");
}

/* Writes what keeps the collector from its work now. Returns the length of that; 0: nothing does. */
static int find_fault(const struct monitor *m, char *why, size_t cap)
{
    int64_t waiting = standing_sink_waits();
    if (!m->ready) {
        return snprintf(why, cap, "%s", m->why);
    }
    if (waiting > SINK_PATIENCE) {
        return snprintf(why, cap, "the sink has acknowledged nothing for %lld s",
                        (long long)(waiting / NS_PER_S));
    }
    int64_t logs_wait = standing.logs_wait_since_ns > 0 ? clock_monotonic() - standing.logs_wait_since_ns : 0;
    if (logs_wait > LOGS_PATIENCE) {
        return snprintf(why, cap, "%llu logs wait to be read: there are not enough file descriptors",
                        (unsigned long long)metrics.waiting_logs);
    }
    if (status.source.failing) {
        return snprintf(why, cap, "the source cannot be read");
    }
    if (status.checkpoint.failing) {
        return snprintf(why, cap, "the checkpoint cannot be saved");
    }
    return 0;
}

static void on_readyz(struct evhttp_request *req, const struct monitor *m)
{
    char why[sizeof(m->why)], text[sizeof(why) + 16];
    if (find_fault(m, why, sizeof(why)) > 0) {
        snprintf(text, sizeof(text), "not ready: %s\n", why);
        answer_text(req, HTTP_SERVUNAVAIL, text);
    } else {
        answer_text(req, HTTP_OK, "ready\n");
    }
}

static void on_status(struct evhttp_request *req, const struct monitor *m)
{
    char why[sizeof(m->why)] = "";
    if (!status_answer_room()) {
        answer_text(req, HTTP_SERVUNAVAIL, "too many ask for the status at once\n");
        return;
    }
    find_fault(m, why, sizeof(why));
    add_headers(req, "application/json");
    evhttp_add_header(evhttp_request_get_output_headers(req), "Cache-Control", "no-store");
    if (head_only(req)) {
        evhttp_send_reply(req, HTTP_OK, NULL, NULL);
    } else {
        status_answer(req, why);
    }
}

struct route {
    const char *path;
    void (*serve)(struct evhttp_request *req, const struct monitor *m);
    bool told; /* it tells names, states and errors */
};

static const struct route *find_route(const char *path)
{
    static const struct route routes[] = {{"/", on_page, true},
                                          {"/status", on_status, true},
                                          {"/metrics", on_metrics, false},
                                          {"/healthz", on_healthz, false},
                                          {"/readyz", on_readyz, false}};
    for (size_t i = 0; path && i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(path, routes[i].path) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

/* May a web page of others have sent it, to read what it may not? On a network, Prometheus goes by any name. */
static bool is_misdirected(struct evhttp_request *req, const struct route *route, const struct monitor *m)
{
    return (route->told || host_is_loopback(m->where.host)) && !host_is_own(req, m->where.host);
}

static void on_request(struct evhttp_request *req, void *arg)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const struct route *route = find_route(uri ? evhttp_uri_get_path(uri) : NULL);
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    if (!route) {
        answer_text(req, HTTP_NOTFOUND, "there are /, /status, /metrics, /healthz and /readyz\n");
    } else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
        evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
        answer_text(req, HTTP_BADMETHOD, "only GET and HEAD\n");
    } else if (is_misdirected(req, route, arg)) {
        answer_text(req, MISDIRECTED, "not under this name: ask by an address, or as localhost\n");
    } else {
        route->serve(req, arg);
    }
}

static unsigned bound_port(evutil_socket_t fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {.v6 = {0}};
    socklen_t len = sizeof(at);
    if (getsockname(fd, &at.any, &len) < 0) {
        return 0;
    }
    return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

static struct evconnlistener *listen_at(struct event_base *base, const char *text, struct address *where,
                                        struct error *err)
{
    if (address_parse(text, where, err) < 0) {
        return NULL;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    int failed = getaddrinfo(where->host[0] ? where->host : NULL, where->port, &hints, &found);
    if (failed) {
        error_set(err, "cannot serve metrics on %s: %s", text, gai_strerror(failed));
        return NULL;
    }
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG,
        found->ai_addr, (int)found->ai_addrlen);
    if (!listener) {
        error_set(err, "cannot serve metrics on %s: %s%s", text, strerror(errno),
                  errno == EADDRINUSE ? " (another sidetail? set metrics.listen, or \"\" for none)" : "");
    }
    freeaddrinfo(found);
    return listener;
}

struct monitor *monitor_open(struct event_base *base, const char *listen, struct error *err)
{
    struct address where;
    struct evconnlistener *listener = listen_at(base, listen, &where, err);
    if (!listener) {
        return NULL;
    }
    struct monitor *m = calloc(1, sizeof(*m));
    struct evhttp *http = evhttp_new(base);
    if (!m || !http || !evhttp_bind_listener(http, listener)) {
        error_set(err, "cannot serve metrics on %s: out of memory", listen);
        evconnlistener_free(listener);
        if (http) {
            evhttp_free(http);
        }
        free(m);
        return NULL;
    }
    evhttp_set_max_headers_size(http, HEADERS_MAX);
    evhttp_set_max_body_size(http, BODY_MAX);
    evhttp_set_timeout(http, CLIENT_WAIT);
    evhttp_set_allowed_methods(http, UINT16_MAX); /* on_request says 405; evhttp itself would say 501 */
    evhttp_set_gencb(http, on_request, m);
    m->http = http;
    m->where = where;
    m->port = bound_port(evconnlistener_get_fd(listener));
    monitor_set_ready(m, false, "starting");
    return m;
}

void monitor_close(struct monitor *m)
{
    if (m) {
        evhttp_free(m->http); /* the listener with it */
        free(m);
    }
}

unsigned monitor_port(const struct monitor *m)
{
    return m->port;
}

void monitor_set_ready(struct monitor *m, bool ready, const char *why)
{
    if (m) {
        m->ready = ready;
        snprintf(m->why, sizeof(m->why), "%s", why && *why ? why : "no reason given");
    }
}
