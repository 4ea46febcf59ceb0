/* Lists from an Engine: cut anywhere, malformed, too large, and left in the middle. */
#include "engine_server.h"

static struct engine_list *open_list;

static void on_item(void *arg, const json_t *item)
{
    struct server *server = arg;
    const char *name = json_string_value(json_object_get(item, "a"));
    buf_addf(&server->seen, "%s|", item ? name ? name : "-" : "passed over");
    if (server->close_in_entry) {
        engine_list_cancel(open_list);
        event_base_loopexit(server->base, NULL);
    }
}

static void on_list_end(void *arg, const struct error *err)
{
    struct server *server = arg;
    server->ends++;
    server->err = err ? *err : (struct error){0};
    event_base_loopbreak(server->base);
}

static void read_list(struct server *server)
{
    struct list_calls calls = {.item = on_item, .end = on_list_end, .arg = server};
    server->seen.len = 0;
    server->ends = 0;
    open_list = engine_list_get(server->engine, "/x", &calls);
    assert_non_null(open_list);
    run(server);
    buf_add(&server->seen, "", 1);
}

static void answer_list(struct server *server, const char *text)
{
    begin_answer(server, OK);
    buf_addf(&server->answer, "Content-Length: %zu\r\n\r\n%s", strlen(text), text);
}

static void test_cut_anywhere(void **state)
{
    struct server *server = *state;
    answer_list(server, " [{\"a\":\"x\"}, {\"a\":\"]}\\\"{\",\"b\":[{},[1,2]]}\n,{}\r\n] ");
    for (size_t at = 1; at < server->answer.len; at++) {
        server->ncuts = 1;
        server->cuts[0] = at;
        read_list(server);
        assert_int_equal(server->ends, 1);
        assert_string_equal(server->err.text, "");
        assert_string_equal(server->seen.data, "x|]}\"{|-|");
    }
    answer_list(server, "[]");
    read_list(server);
    assert_string_equal(server->err.text, "");
    assert_string_equal(server->seen.data, "");
}

static void test_no_list(void **state)
{
    struct server *server = *state;
    static const char *const texts[] = {"",    "{}",    "[",      "[{}",     "[{},]",     "[{}{}]",
                                        "[1]", "[,{}]", "[{}]x",  "null",    "[{a}]",     "[{\"a\"}]",
                                        "]",   "[{]}",  "[[{}]]", "[\"a\"]", "[{}] [{}]", "\xff\xfe"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        answer_list(server, texts[i]);
        read_list(server);
        assert_int_equal(server->ends, 1);
        if (!strstr(server->err.text, "no list of containers")) {
            fail_msg("'%s': '%s'", texts[i], server->err.text);
        }
    }
}

static void test_refused_and_broken(void **state)
{
    struct server *server = *state;
    begin_answer(server,
                 "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 18\r\n\r\n{\"message\":\"oops\"}");
    read_list(server);
    assert_non_null(strstr(server->err.text, "answered 500: oops"));
    assert_string_equal(server->seen.data, "");
    begin_answer(server, OK "Content-Length: 90\r\n\r\n[{\"a\":\"x\"},{");
    server->close_after = true;
    read_list(server);
    assert_non_null(strstr(server->err.text, "broke the answer off"));
    assert_string_equal(server->seen.data, "x|");
}

static void add_many(struct server *server, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        add_text(server, text);
    }
}

/* One element that is too long, or of too many values: what is behind it comes all the same. */
static void test_huge_element(void **state)
{
    struct server *server = *state;
    static char filler[1 << 16];
    memset(filler, 'x', sizeof(filler) - 1);
    begin_answer(server, OK "\r\n[{\"a\":\"");
    add_many(server, filler, (ENGINE_OBJECT_MAX >> 16) + 1);
    add_text(server, "\"},{\"b\":[0");
    add_many(server, ",0", ENGINE_VALUES_MAX);
    add_text(server, "]},{\"a\":\"y\"}]");
    server->close_after = true;
    read_list(server);
    assert_string_equal(server->err.text, "");
    assert_string_equal(server->seen.data, "passed over|passed over|y|");
}

static void test_huge_object(void **state)
{
    struct server *server = *state;
    begin_answer(server, OK "\r\n{\"b\":[{}");
    add_many(server, ",{}", ENGINE_VALUES_MAX / 2);
    add_text(server, "]}");
    server->close_after = true;
    ask(server, false);
    assert_int_equal(server->status, 200);
    assert_non_null(strstr(server->err.text, "has more than 250000 values"));
}

static void test_cancelled_within(void **state)
{
    struct server *server = *state;
    answer_list(server, "[{\"a\":\"x\"},{\"a\":\"y\"}]");
    server->close_in_entry = true;
    read_list(server);
    assert_int_equal(server->ends, 0);
    assert_string_equal(server->seen.data, "x|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_cut_anywhere), T(test_no_list),     T(test_refused_and_broken),
        T(test_huge_element), T(test_huge_object), T(test_cancelled_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
