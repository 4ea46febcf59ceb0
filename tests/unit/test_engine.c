/* The client of the Engine: answers, versions, and what is said where there is none. */
#include "engine_server.h"

/* -- answers ----------------------------------------------------------------------------------- */

static void test_answers(void **state)
{
    struct server *server = *state;
    begin_answer(server, OK "Content-Length: 9\r\n\r\n{\"a\":\"b\"}");
    for (size_t at = 1; at < server->answer.len; at++) {
        server->ncuts = 1;
        server->cuts[0] = at;
        ask(server, false);
        assert_int_equal(server->status, 200);
        assert_string_equal(server->seen.data, "b");
    }
    begin_answer(server, OK "Content-Length: 9\r\n\r\n{\"a\":\"b");
    server->close_after = true;
    ask(server, false);
    assert_int_equal(server->status, 0);
    assert_non_null(strstr(server->err.text, "broke the answer off"));
    begin_answer(server, OK "Content-Length: 3\r\n\r\n{a}");
    ask(server, false);
    assert_non_null(strstr(server->err.text, "not valid JSON"));
    begin_answer(server,
                 "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 18\r\n\r\n{\"message\":\"oops\"}");
    ask(server, false);
    assert_int_equal(server->status, 500);
    assert_non_null(strstr(server->err.text, "answered 500: oops"));
}

static void test_version(void **state)
{
    struct server *server = *state;
    begin_answer(server, "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Length: 2\r\n\r\nOK");
    ask(server, true);
    assert_string_equal(server->err.text, "");
    assert_int_equal(server->minor, 44);
    begin_answer(server, "HTTP/1.1 200 OK\r\nAPI-VERSION: 1.99\r\nContent-Length: 2\r\n\r\nOK");
    ask(server, true);
    assert_int_equal(server->minor, ENGINE_API_MAX_MINOR);
    begin_answer(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    ask(server, true);
    assert_non_null(strstr(server->err.text, "no Docker Engine"));
    begin_answer(server, "");
    static const char body[] =
        "{\"message\":\"client version 1.51 is too old. Minimum supported API version is 1.60\"}";
    buf_addf(&server->answer, "HTTP/1.1 400 Bad Request\r\nContent-Length: %zu\r\n\r\n%s", sizeof(body) - 1,
             body);
    ask(server, false);
    assert_non_null(strstr(server->err.text, "no API version in common"));
    assert_non_null(strstr(server->err.text, "1.60"));
}

static void test_cancel(void **state)
{
    struct server *server = *state;
    begin_answer(server, OK "Content-Length: 9\r\n\r\n{\"a\":\"b\"}");
    server->ends = 0;
    engine_cancel(engine_get(server->engine, "/x", on_answer, server));
    struct timeval soon = {0, 20000};
    event_base_loopexit(server->base, &soon);
    event_base_dispatch(server->base);
    assert_int_equal(server->ends, 0);
}

/* One answer was asked for: another one that comes with it is no part of it. */
static void test_second_answer(void **state)
{
    struct server *server = *state;
    static const char length[] = "Content-Length: 9\r\n\r\n";
    begin_answer(server, OK);
    add_text(server, length);
    add_text(server, "{\"a\":\"x\"}HTTP/1.1 404 Not Found\r\n");
    add_text(server, length);
    add_text(server, "{\"a\":\"y\"}");
    ask(server, false);
    assert_int_equal(server->status, 200);
    assert_string_equal(server->err.text, "");
    assert_string_equal(server->seen.data, "x");
}

/* -- addresses --------------------------------------------------------------------------------- */

static void test_addresses(void **state)
{
    (void)state;
    struct engine_address a;
    struct error err;
    assert_int_equal(engine_address_parse("unix:///run/x.sock", &a, &err), 0);
    assert_true(a.local);
    assert_string_equal(a.host, "/run/x.sock");
    assert_int_equal(engine_address_parse("tcp://[::1]:2376", &a, &err), 0);
    assert_string_equal(a.host, "::1");
    assert_int_equal(a.port, 2376);
    assert_int_equal(engine_address_parse("tcp://docker.example", &a, &err), 0);
    assert_int_equal(a.port, 0);
    assert_int_equal(engine_address_parse("https://h:1", &a, &err), 0);
    assert_true(a.https);
    static const char *const bad[] = {"",       "docker",         "unix://relative",    "ssh://host",
                                      "tcp://", "tcp://h:1/path", "npipe:////./pipe/x", "tcp://h:99999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.text[0] = '\0';
        assert_int_equal(engine_address_parse(bad[i], &a, &err), -1);
        assert_true(strlen(err.text) > 20);
    }
}

static void fail_to_connect(struct server *server, const char *host, const char *what)
{
    struct config cfg = {.docker_host = (char *)host, .docker_cert_path = "", .docker_tls_verify = true};
    struct engine *engine = engine_new(server->base, &cfg, &server->err), *own = server->engine;
    assert_non_null(engine);
    server->engine = engine;
    ask(server, true);
    server->engine = own;
    engine_free(engine);
    if (!strstr(server->err.text, what)) {
        fail_msg("'%s' is not in '%s'", what, server->err.text);
    }
}

static void test_unreachable(void **state)
{
    struct server *server = *state;
    fail_to_connect(server, "unix:///nowhere/docker.sock", "there is no Engine socket /nowhere/docker.sock");
    fail_to_connect(server, "tcp://127.0.0.1:1", "nobody listens at tcp://127.0.0.1:1");
    char dead[] = "/tmp/sidetail-test-dead.sock", host[64];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    strcpy(addr.sun_path, dead);
    unlink(dead);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(fd);
    snprintf(host, sizeof(host), "unix://%s", dead);
    fail_to_connect(server, host, "Docker is not running");
    unlink(dead);
}

/* As a user who may not: says which group may. */
static void test_denied(void **state)
{
    struct server *server = *state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(server->path, 0600), 0);
    assert_int_equal(seteuid(65534), 0);
    fail_to_connect(server, server->host, "permission denied on the Engine's socket");
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chown(server->path, 0, 4), 0); /* adm */
    assert_int_equal(seteuid(65534), 0);
    fail_to_connect(server, server->host, "usermod -aG adm");
    assert_int_equal(seteuid(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_answers),   T(test_version),     T(test_cancel), T(test_second_answer),
        T(test_addresses), T(test_unreachable), T(test_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
