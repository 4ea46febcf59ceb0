/* Logs from an Engine: messages cut anywhere, and streams that break. */
#include "engine_server.h"

static bool on_entry(void *arg, const struct log_entry *e)
{
    struct server *server = arg;
    if (server->refuse_once && server->refused == 0) {
        server->refused = 1;
        struct timeval soon = {0, 0};
        evtimer_add(server->later, &soon);
        return false;
    }
    server->refused = 0;
    buf_addf(&server->seen, "%d %.*s [%.*s]%s%s|", e->stream, (int)e->time.len, e->time.ptr,
             (int)(e->text.len < 40 ? e->text.len : 40), e->text.ptr ? e->text.ptr : "", e->more ? "+" : "",
             e->malformed ? "?" : "");
    if (server->close_in_entry) {
        log_stream_close(server->stream);
        server->stream = NULL;
        event_base_loopexit(server->base, NULL);
    }
    return true;
}

static void on_log_end(void *arg, enum log_end why, const struct error *err)
{
    struct server *server = arg;
    server->stream = NULL;
    server->ends++;
    server->why = why;
    if (err) {
        server->err = *err;
    }
    event_base_loopbreak(server->base);
}

static void read_log(struct server *server, struct log_options options)
{
    struct log_calls calls = {.entry = on_entry, .end = on_log_end, .arg = server};
    server->ends = 0;
    server->seen.len = 0;
    options.tail = -1;
    options.gather = server->gather;
    server->stream = log_stream_open(server->engine, "abc", &options, &calls);
    assert_non_null(server->stream);
    run(server);
    buf_add(&server->seen, "", 1);
}

static const char four[] = "0 2026-11-24T13:00:15.674264929Z [one]|1 2026-11-24T13:00:15.67426492Z [two]|"
                           "0 2026-11-24T13:00:15.674264929Z []|0 2026-11-24T13:00:15.674264929Z [end]|";

static void four_messages(struct server *server)
{
    begin_answer(server, CHUNKED);
    add_line(server, 1, STAMP "one\n");
    add_line(server, 2, "2026-11-24T13:00:15.674264920Z two\n");
    add_line(server, 1, STAMP "\n");
    add_line(server, 1, STAMP "end"); /* short, without newline: the container's output ended */
    add_text(server, "0\r\n\r\n");
}

/* The answer cut in two at each byte: head, chunk headers, frame headers, stamps, text. */
static void test_cut_anywhere(void **state)
{
    struct server *server = *state;
    four_messages(server);
    for (size_t at = 1; at < server->answer.len; at++) {
        server->ncuts = 1;
        server->cuts[0] = at;
        read_log(server, (struct log_options){0});
        assert_int_equal(server->ends, 1);
        assert_int_equal(server->why, LOG_END_WHOLE);
        assert_string_equal(server->seen.data, four);
    }
}

/* Likewise when the owner refuses each entry once. */
static void test_refused(void **state)
{
    struct server *server = *state;
    four_messages(server);
    server->refuse_once = true;
    for (size_t at = 1; at < server->answer.len; at += 3) {
        server->ncuts = 2;
        server->cuts[0] = at;
        server->cuts[1] = at + 5 < server->answer.len ? at + 5 : server->answer.len;
        read_log(server, (struct log_options){0});
        assert_int_equal(server->ends, 1);
        assert_string_equal(server->seen.data, four);
    }
}

/* All frames in one HTTP chunk, as another server (a proxy) may send them, and cut anywhere. */
static void test_one_chunk(void **state)
{
    struct server *server = *state;
    static const char body[] = "\1\0\0\0\0\0\0\043" STAMP "one\n"
                               "\2\0\0\0\0\0\0\040" STAMP "\n"
                               "\1\0\0\0\0\0\0\041" STAMP "xy";
    begin_answer(server, CHUNKED);
    add_chunk(server, body, sizeof(body) - 1);
    add_text(server, "0\r\n\r\n");
    for (int refuse = 0; refuse < 2; refuse++) {
        server->refuse_once = refuse;
        for (size_t at = 1; at < server->answer.len; at++) {
            server->ncuts = 1;
            server->cuts[0] = at;
            read_log(server, (struct log_options){0});
            assert_int_equal(server->why, LOG_END_WHOLE);
            assert_string_equal(server->seen.data,
                                "0 2026-11-24T13:00:15.674264929Z [one]|1 2026-11-24T13:00:15.674264929Z []|"
                                "0 2026-11-24T13:00:15.674264929Z [xy]|");
        }
    }
}

static void test_tty_cut_anywhere(void **state)
{
    struct server *server = *state;
    for (int refuse = 0; refuse < 2; refuse++) {
        server->refuse_once = refuse;
        begin_answer(server, CHUNKED);
        static const char body[] = STAMP "one\r\n" STAMP "two\n" STAMP "three";
        add_chunk(server, body, 70); /* between "t" and "wo" */
        add_chunk(server, body + 70, sizeof(body) - 1 - 70);
        add_text(server, "0\r\n\r\n");
        for (size_t at = 1; at < server->answer.len; at++) {
            server->ncuts = 1;
            server->cuts[0] = at;
            read_log(server, (struct log_options){.tty = true});
            assert_int_equal(server->why, LOG_END_WHOLE);
            assert_string_equal(
                server->seen.data,
                "0 2026-11-24T13:00:15.674264929Z [one\r]|0 2026-11-24T13:00:15.674264929Z [two]|"
                "0 2026-11-24T13:00:15.674264929Z [three]|");
        }
    }
}

static void test_pieces(void **state)
{
    struct server *server = *state;
    char piece[31 + 16384];
    begin_answer(server, CHUNKED);
    memcpy(piece, STAMP, 31);
    memset(piece + 31, 'x', 16384);
    add_frame(server, 1, piece, sizeof(piece));
    add_line(server, 1, STAMP "rest\n");
    add_text(server, "0\r\n\r\n");
    read_log(server, (struct log_options){0});
    assert_string_equal(server->seen.data,
                        "0 2026-11-24T13:00:15.674264929Z [xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]+|"
                        "0 2026-11-24T13:00:15.674264929Z [rest]|");
}

static void test_request(void **state)
{
    struct server *server = *state;
    begin_answer(server, CHUNKED "0\r\n\r\n");
    read_log(server, (struct log_options){
                         .since_ns = 1795528099283392083, .until_ns = 1795528100000000001, .follow = true});
    assert_non_null(strstr(server->request,
                           "GET /v1.41/containers/abc/logs?stdout=1&stderr=1&timestamps=1&follow=1"
                           "&since=1795528099.283392083&until=1795528100.000000001 HTTP/1.1\r\n"));
    assert_int_equal(server->why, LOG_END_WHOLE);
    read_log(server, (struct log_options){0});
    assert_null(strstr(server->request, "since"));
}

static void expect_broken(struct server *server, const char *what)
{
    read_log(server, (struct log_options){0});
    assert_int_equal(server->ends, 1);
    assert_int_equal(server->why, LOG_END_BROKEN);
    if (!strstr(server->err.text, what)) {
        fail_msg("'%s' is not in '%s'", what, server->err.text);
    }
}

static void test_broken(void **state)
{
    struct server *server = *state;
    begin_answer(server, CHUNKED);
    add_line(server, 1, STAMP "one\n");
    server->close_after = true; /* no final chunk: an unexpected EOF */
    expect_broken(server, "broke the answer off");
    assert_string_equal(server->seen.data, "0 2026-11-24T13:00:15.674264929Z [one]|");

    begin_answer(server, CHUNKED);
    add_line(server, 1, STAMP "one\n");
    add_chunk(server, "garbage!", 8);
    expect_broken(server, "is no frame header");
    assert_string_equal(server->seen.data, "0 2026-11-24T13:00:15.674264929Z [one]|");

    begin_answer(server, CHUNKED);
    add_line(server, 3, "Error grabbing logs: invalid character\n");
    expect_broken(server, "Error grabbing logs: invalid character");

    begin_answer(server, CHUNKED);
    add_chunk(server, "\1\0\0\0\0\0\0\5ab", 10);
    add_text(server, "0\r\n\r\n");
    expect_broken(server, "inside a message");

    begin_answer(server, "220 smtp.example ESMTP\r\n");
    expect_broken(server, "not valid HTTP");

    begin_answer(server, "");
    server->close_after = true;
    expect_broken(server, "without an answer");

    begin_answer(server, "HTTP/1.1 409 Conflict\r\nContent-Length: 19\r\n\r\n{\"message\":\"dying\"}");
    expect_broken(server, "answered 409: dying");
}

static void test_malformed_entry(void **state)
{
    struct server *server = *state;
    begin_answer(server, CHUNKED);
    add_line(server, 1, "no time\n");
    add_text(server, "0\r\n\r\n");
    read_log(server, (struct log_options){0});
    assert_int_equal(server->why, LOG_END_WHOLE);
    assert_string_equal(server->seen.data, "0  [no time]?|");
}

static void test_not_there(void **state)
{
    struct server *server = *state;
    begin_answer(server,
                 "HTTP/1.1 404 Not Found\r\nContent-Length: 31\r\n\r\n{\"message\":\"No such container\"}");
    read_log(server, (struct log_options){0});
    assert_int_equal(server->why, LOG_END_GONE);
    /* As Engines from 20.10 to 29 answer while a container is removed (daemon/logs.go). */
    begin_answer(server,
                 "HTTP/1.1 409 Conflict\r\nContent-Length: 82\r\n\r\n"
                 "{\"message\":\"can not get logs from container which is dead or marked for removal\"}\n");
    read_log(server, (struct log_options){0});
    assert_int_equal(server->why, LOG_END_GONE);
    begin_answer(server, "HTTP/1.1 501 Not Implemented\r\nContent-Length: 2\r\n\r\n{}");
    read_log(server, (struct log_options){0});
    assert_int_equal(server->why, LOG_END_UNREADABLE);
}

static void test_close_in_entry(void **state)
{
    struct server *server = *state;
    four_messages(server);
    server->close_in_entry = true;
    read_log(server, (struct log_options){0});
    assert_int_equal(server->ends, 0);
    assert_string_equal(server->seen.data, "0 2026-11-24T13:00:15.674264929Z [one]|");
}

/* -- Podman ------------------------------------------------------------------------------------ */

static void on_pong(void *arg, int status, const json_t *json, const struct error *err)
{
    struct server *server = arg;
    (void)status, (void)json;
    assert_null(err);
    event_base_loopbreak(server->base);
}

/* Which Engines a question for the last entries of a log in the local driver's format may kill. */
static void test_tail_harms(void **state)
{
    struct server *server = *state;
    for (int minor = 41; minor < 54; minor++) {
        char head[128];
        snprintf(head, sizeof(head), OK "Api-Version: 1.%d\r\nContent-Length: 2\r\n\r\nOK", minor);
        begin_answer(server, head);
        assert_non_null(engine_ping(server->engine, on_pong, server));
        run(server);
        assert_int_equal(engine_tail_harms(server->engine, "local"), minor < 45);
        assert_int_equal(engine_tail_harms(server->engine, "fluentd"),
                         minor < 45); /* a cache in that format */
        assert_false(engine_tail_harms(server->engine, "json-file"));
        assert_false(engine_tail_harms(server->engine, "journald"));
    }
}

static void meet_podman(struct server *server)
{
    begin_answer(server, OK "Libpod-Api-Version: 4.3.1\r\nContent-Length: 2\r\n\r\nOK");
    assert_false(engine_is_podman(server->engine));
    assert_non_null(engine_ping(server->engine, on_pong, server));
    run(server);
    assert_true(engine_is_podman(server->engine));
}

/* A piece without its newline is one of any length. */
static void test_podman_pieces(void **state)
{
    struct server *server = *state;
    meet_podman(server);
    begin_answer(server, CHUNKED);
    add_line(server, 1, "2026-11-24T13:00:15Z a");
    add_line(server, 1, "2026-11-24T13:00:16Z line\n");
    add_line(server, 1, "2026-11-24T15:00:16+02:00 end\n");
    add_text(server, "0\r\n\r\n");
    read_log(server, (struct log_options){0});
    assert_string_equal(server->seen.data, "0 2026-11-24T13:00:15Z [a]+|0 2026-11-24T13:00:16Z [line]|"
                                           "0 2026-11-24T13:00:16Z [end]|");
    assert_true(engine_own_times(server->engine, "json-file"));
    assert_false(engine_bare_end(server->engine, "k8s-file"));
    assert_false(engine_tail_harms(server->engine, "k8s-file"));
}

/* It compares exact times, as doubles, with `since`, and takes later ones. */
static void test_podman_since(void **state)
{
    struct server *server = *state;
    meet_podman(server);
    begin_answer(server, CHUNKED "0\r\n\r\n");
    read_log(server, (struct log_options){.since_ns = 1795528099000000000});
    assert_non_null(strstr(server->request, "&since=1795528098.999000000 "));
    read_log(server, (struct log_options){.since_ns = 1795528099283392083});
    assert_non_null(strstr(server->request, "&since=1795528098.999000000 "));
}

static void test_podman_unreadable(void **state)
{
    struct server *server = *state;
    static const char body[] =
        "{\"cause\":\"this container is not logging output\",\"message\":\"failed to obtain "
        "logs for Container 'a': this container is using the 'none' log driver, cannot "
        "read logs: this container is not logging output\",\"response\":500}";
    char head[96];
    meet_podman(server);
    snprintf(head, sizeof(head), "HTTP/1.1 500 Internal Server Error\r\nContent-Length: %zu\r\n\r\n",
             sizeof(body) - 1);
    begin_answer(server, head);
    add_text(server, body);
    read_log(server, (struct log_options){0});
    assert_int_equal(server->why, LOG_END_UNREADABLE);
}

static void on_opened(void *arg)
{
    struct server *server = arg;
    buf_addf(&server->seen, "opened|");
}

/* A silent container's head comes with its first line: the stream is open before, and says so once. */
static void test_podman_late_head(void **state)
{
    struct server *server = *state;
    struct log_calls calls = {.opened = on_opened, .entry = on_entry, .end = on_log_end, .arg = server};
    meet_podman(server);
    begin_answer(server, "");
    server->request[0] = '\0';
    server->stream = log_stream_open(server->engine, "abc", &(struct log_options){.tail = -1}, &calls);
    assert_non_null(server->stream);
    while (server->seen.len == 0 || server->request[0] == '\0') {
        assert_int_equal(event_base_loop(server->base, EVLOOP_ONCE), 0);
    }
    add_text(server, CHUNKED);
    add_line(server, 1, "2026-11-24T13:00:15Z one\n");
    add_text(server, "0\r\n\r\n");
    send_piece(-1, 0, server);
    run(server);
    buf_add(&server->seen, "", 1);
    assert_string_equal(server->seen.data, "opened|0 2026-11-24T13:00:15Z [one]|");
    assert_int_equal(server->why, LOG_END_WHOLE);
}

static int set_up_gathered(void **state)
{
    int result = set_up(state);
    struct server *server = *state;
    server->gather = true;
    return result;
}

/* Each is read by itself, and then as one of many. */
#define T2(name)                                                                                             \
    T(name),                                                                                                 \
    {                                                                                                        \
#name ", gathered", name, set_up_gathered, tear_down, NULL                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        T2(test_cut_anywhere),     T2(test_refused),
        T2(test_one_chunk),        T2(test_tty_cut_anywhere),
        T2(test_pieces),           T2(test_request),
        T2(test_broken),           T2(test_malformed_entry),
        T2(test_not_there),        T2(test_close_in_entry),
        T2(test_tail_harms),       T2(test_podman_pieces),
        T2(test_podman_since),     T2(test_podman_unreadable),
        T2(test_podman_late_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
