/* Events from an Engine. */
#include "engine_server.h"

static void on_engine_event(void *arg, const struct engine_event *e)
{
    struct server *server = arg;
    buf_addf(&server->seen, "%s %s %s %d|", e->action, e->id, e->name, e->exit_code);
    if (server->close_in_entry) {
        event_stream_close(server->events);
        event_base_loopexit(server->base, NULL);
    }
}

static void on_events_end(void *arg, const struct error *err)
{
    struct server *server = arg;
    server->ends++;
    server->err = *err;
    event_base_loopbreak(server->base);
}

static const char two_events[] =
    "{\"Action\":\"start\",\"Actor\":{\"ID\":\"a1\",\"Attributes\":{\"name\":\"web\"}},\"timeNano\":5}\n"
    "{\"Action\":\"die\",\"Actor\":{\"ID\":\"a1\",\"Attributes\":{\"exitCode\":\"137\",\"name\":\"web\"}},"
    "\"timeNano\":6}\n";

static void read_events(struct server *server)
{
    struct event_calls calls = {.event = on_engine_event, .end = on_events_end, .arg = server};
    server->seen.len = 0;
    server->ends = 0;
    server->events = event_stream_open(server->engine, 1000000007, &calls);
    assert_non_null(server->events);
    run(server);
    buf_add(&server->seen, "", 1);
}

static void test_events(void **state)
{
    struct server *server = *state;
    begin_answer(server, CHUNKED);
    add_chunk(server, two_events, 50);
    add_chunk(server, two_events + 50, sizeof(two_events) - 51);
    server->close_after = true;
    for (size_t at = 1; at < server->answer.len; at += 2) {
        server->ncuts = 1;
        server->cuts[0] = at;
        read_events(server);
        assert_int_equal(server->ends, 1);
        assert_string_equal(server->seen.data, "start a1 web -1|die a1 web 137|");
    }
    assert_non_null(strstr(server->request, "/events?since=1.000000007&filters=%7B"));
    server->ncuts = 0;
    server->close_in_entry = true;
    read_events(server);
    assert_int_equal(server->ends, 0);
    assert_string_equal(server->seen.data, "start a1 web -1|");
}

/* One that is too long is passed over, and no more than it: the list of containers makes up for it. */
static void test_huge_event(void **state)
{
    struct server *server = *state;
    static char filler[1 << 16];
    memset(filler, 'x', sizeof(filler));
    begin_answer(server, CHUNKED);
    add_chunk(server, "{\"Action\":\"", 11);
    for (int i = 0; i < 20; i++) {
        add_chunk(server, filler, sizeof(filler));
    }
    add_chunk(server, "\"}\n", 3);
    add_chunk(server, two_events, sizeof(two_events) - 1);
    server->close_after = true;
    read_events(server);
    assert_int_equal(server->ends, 1);
    assert_string_equal(server->seen.data, "start a1 web -1|die a1 web 137|");
}

static void on_pong(void *arg, int status, const json_t *json, const struct error *err)
{
    struct server *server = arg;
    (void)status, (void)json;
    assert_null(err);
    event_base_loopbreak(server->base);
}

/* Podman calls the removal of a container by another name. */
static void test_podman(void **state)
{
    struct server *server = *state;
    begin_answer(server, OK "Libpod-Api-Version: 5.4.2\r\nContent-Length: 2\r\n\r\nOK");
    assert_non_null(engine_ping(server->engine, on_pong, server));
    run(server);
    static const char event[] = "{\"Action\":\"remove\",\"Actor\":{\"ID\":\"a1\",\"Attributes\":{\"name\":"
                                "\"web\"}},\"timeNano\":7}\n";
    begin_answer(server, CHUNKED);
    add_chunk(server, event, sizeof(event) - 1);
    server->close_after = true;
    read_events(server);
    assert_string_equal(server->seen.data, "destroy a1 web -1|");
    assert_non_null(strstr(server->request, "%22died%22%2C%22remove%22"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_events),
        T(test_huge_event),
        T(test_podman),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
