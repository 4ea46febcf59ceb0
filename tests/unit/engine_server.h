/* A server of the test's own for the client of the Engine: it answers with given bytes, in given pieces. */
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "base/buf.h"
#include "config/config.h"
#include "engine/address.h"
#include "engine/events.h"
#include "engine/logs.h"

#define STAMP "2026-11-24T13:00:15.674264929Z "

struct server {
    struct event_base *base;
    struct evconnlistener *listener;
    struct bufferevent *client; /* the one that is being answered */
    struct event *step;
    char path[64], host[80], request[512];
    struct buf answer;
    size_t cuts[4], ncuts; /* where the answer is cut into pieces that arrive apart */
    size_t sent, piece;
    bool close_after;
    struct config cfg;
    struct engine *engine;
    /* what came */
    struct buf seen;
    struct error err;
    int ends, status, minor;
    enum log_end why;
    bool gather;      /* logs are read as one of many */
    bool refuse_once; /* each entry is refused the first time it is told */
    int refused;
    bool close_in_entry;
    struct log_stream *stream;
    struct event_stream *events;
    struct event *later, *limit;
};

static inline void send_piece(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct server *server = arg;
    if (!server->client) {
        return;
    }
    size_t stop = server->piece < server->ncuts ? server->cuts[server->piece] : server->answer.len;
    if (stop > server->sent) {
        ssize_t n =
            write(bufferevent_getfd(server->client), server->answer.data + server->sent, stop - server->sent);
        assert_true(n > 0 || errno == EAGAIN);
        server->sent += n > 0 ? (size_t)n : 0;
    }
    if (server->sent < stop || server->piece++ < server->ncuts) {
        struct timeval next_round = {0, 0};
        evtimer_add(server->step, &next_round);
    } else if (server->close_after) {
        bufferevent_free(server->client);
        server->client = NULL;
    }
}

static inline void on_request(struct bufferevent *bev, void *arg)
{
    struct server *server = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    if (evbuffer_search(in, "\r\n\r\n", 4, NULL).pos < 0) {
        return;
    }
    int n = evbuffer_remove(in, server->request, sizeof(server->request) - 1);
    server->request[n] = '\0';
    server->sent = server->piece = 0;
    send_piece(-1, 0, server);
}

static inline void on_gone(struct bufferevent *bev, short what, void *arg)
{
    (void)what;
    struct server *server = arg;
    if (server->client == bev) {
        server->client = NULL;
    }
    bufferevent_free(bev);
}

static inline void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                             int len, void *arg)
{
    (void)listener, (void)from, (void)len;
    struct server *server = arg;
    server->client = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(server->client, on_request, NULL, on_gone, server);
    bufferevent_enable(server->client, EV_READ);
}

static inline void resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct server *server = arg;
    log_stream_resume(server->stream);
}

static inline void give_up(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct server *server = arg;
    event_base_loopbreak(server->base); /* what was waited for is missing, which the test finds */
}

static inline int set_up(void **state)
{
    struct server *server = calloc(1, sizeof(*server));
    server->base = event_base_new();
    snprintf(server->path, sizeof(server->path), "/tmp/sidetail-test-%d.sock", getpid());
    snprintf(server->host, sizeof(server->host), "unix://%s", server->path);
    unlink(server->path);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    strcpy(addr.sun_path, server->path);
    server->listener = evconnlistener_new_bind(server->base, on_accept, server, LEV_OPT_CLOSE_ON_FREE, 16,
                                               (struct sockaddr *)&addr, sizeof(addr));
    server->step = evtimer_new(server->base, send_piece, server);
    server->later = evtimer_new(server->base, resume, server);
    server->limit = evtimer_new(server->base, give_up, server);
    server->cfg =
        (struct config){.docker_host = server->host, .docker_cert_path = "", .docker_tls_verify = true};
    server->engine = engine_new(server->base, &server->cfg, &server->err);
    *state = server;
    return server->listener && server->step && server->later && server->limit && server->engine ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct server *server = *state;
    engine_free(server->engine);
    if (server->client) {
        bufferevent_free(server->client);
    }
    evconnlistener_free(server->listener);
    event_free(server->step);
    event_free(server->later);
    event_free(server->limit);
    event_base_free(server->base);
    unlink(server->path);
    buf_free(&server->answer);
    buf_free(&server->seen);
    free(server);
    return 0;
}

static inline void add(struct server *server, const char *bytes, size_t len)
{
    assert_int_equal(buf_add(&server->answer, bytes, len), 0);
}

static inline void add_text(struct server *server, const char *text)
{
    add(server, text, strlen(text));
}

static inline void begin_answer(struct server *server, const char *head)
{
    server->answer.len = server->seen.len = 0;
    server->ncuts = 0;
    server->ends = server->refused = 0;
    server->close_after = false;
    server->err.text[0] = '\0';
    add_text(server, head);
}

#define OK      "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static inline void add_chunk(struct server *server, const char *bytes, size_t len)
{
    assert_int_equal(buf_addf(&server->answer, "%zx\r\n", len), 0);
    add(server, bytes, len);
    add_text(server, "\r\n");
}

/* A frame in an HTTP chunk of its own, as the Engine sends them. */
static inline void add_frame(struct server *server, int stream, const char *payload, size_t len)
{
    struct buf frame = {0};
    char head[8] = {(char)stream, 0, 0, 0, (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len};
    buf_add(&frame, head, 8);
    buf_add(&frame, payload, len);
    add_chunk(server, frame.data, frame.len);
    buf_free(&frame);
}

static inline void add_line(struct server *server, int stream, const char *text)
{
    add_frame(server, stream, text, strlen(text));
}

/* Until what was waited for has come. */
static inline void run(struct server *server)
{
    struct timeval limit = {60, 0}; /* under valgrind on a busy machine too */
    evtimer_add(server->limit, &limit);
    event_base_dispatch(server->base);
    evtimer_del(server->limit);
}

static inline void on_answer(void *arg, int status, const json_t *json, const struct error *err)
{
    struct server *server = arg;
    server->ends++;
    server->status = status;
    server->err = err ? *err : (struct error){0};
    server->minor = engine_api_minor(server->engine);
    if (json) {
        buf_addf(&server->seen, "%s", json_string_value(json_object_get(json, "a")));
    }
    event_base_loopbreak(server->base);
}

static inline void ask(struct server *server, bool ping)
{
    server->seen.len = 0;
    assert_non_null(ping ? engine_ping(server->engine, on_answer, server)
                         : engine_get(server->engine, "/x", on_answer, server));
    run(server);
    buf_add(&server->seen, "", 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
