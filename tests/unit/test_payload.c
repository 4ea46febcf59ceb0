/* JSON objects as log lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "encode/pretty/payload.h"

static bool is(struct slice text, const char *want)
{
    return text.len == strlen(want) && (text.len == 0 || memcmp(text.ptr, want, text.len) == 0);
}

/* The parts, as `level|message|key=value,key=value`; "none" when it is not taken apart. */
static const char *parts(const char *text)
{
    static char out[4096];
    struct payload p;
    /* Exactly its bytes on the heap, so that a look behind them is noticed. */
    size_t len = strlen(text);
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, text, len + 1);
    bool ok = payload_parse(slice_of(copy, len), &p);
    int n = ok ? snprintf(out, sizeof(out), "%.*s|", (int)p.level.len, p.level.len ? p.level.ptr : "")
               : snprintf(out, sizeof(out), "none");
    if (ok) {
        int len_shown = p.message.ptr ? (int)p.message.len : 1;
        n += snprintf(out + n, sizeof(out) - (size_t)n, "%.*s|", len_shown,
                      p.message.ptr ? p.message.ptr : "-");
    }
    for (unsigned i = 0; ok && i < p.count; i++) {
        n += snprintf(out + n, sizeof(out) - (size_t)n, "%s%.*s=%.*s", i ? "," : "", (int)p.fields[i].key.len,
                      p.fields[i].key.ptr, (int)p.fields[i].value.len, p.fields[i].value.ptr);
    }
    free(copy);
    return out;
}

static void test_parts(void **state)
{
    (void)state;
    assert_string_equal(parts("{\"level\":\"info\",\"msg\":\"ready\",\"port\":80}"), "info|ready|port=80");
    assert_string_equal(parts("{ \"msg\" : \"a\" , \"x\" : [1, {\"y\": \"}\"}] } "),
                        "|a|x=[1, {\"y\": \"}\"}]");
    assert_string_equal(parts("{\"msg\":\"say \\\"hi\\\"\",\"n\":null}"), "|say \\\"hi\\\"|n=null");
    assert_string_equal(parts("{\"level\":30,\"msg\":\"pino\",\"time\":1764000000000}"), "30|pino|");
    assert_string_equal(parts("{\"Level\":\"warn\",\"Message\":\"m\",\"@timestamp\":\"t\"}"), "warn|m|");
    assert_string_equal(parts("{\"message\":\"\",\"a\":{}}"), "||a={}");
}

/* Of several names the one that usually holds it wins; the others stay fields. */
static void test_ranks(void **state)
{
    (void)state;
    assert_string_equal(parts("{\"error\":\"e\",\"msg\":\"m\",\"message\":\"first\"}"),
                        "|first|error=\"e\",msg=\"m\"");
    assert_string_equal(parts("{\"lvl\":\"b\",\"level\":\"a\",\"msg\":\"m\"}"), "a|m|lvl=\"b\"");
    assert_string_equal(parts("{\"level\":{\"deep\":1},\"msg\":\"m\"}"), "|m|level={\"deep\":1}");
    assert_string_equal(parts("{\"level\":12345,\"msg\":\"m\"}"), "|m|level=12345");
    assert_string_equal(parts("{\"msg\":{\"deep\":1},\"level\":\"a\"}"), "a|-|msg={\"deep\":1}");
}

static void test_others(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "{",
                                         "{}",
                                         "[]",
                                         "\"msg\"",
                                         "{\"a\":1}",
                                         "{\"msg\":\"a\"",
                                         "{]",
                                         "{\"msg\"}",
                                         "{\"msg\":}",
                                         "{\"msg\":\"a\"}x",
                                         "{\"msg\":\"a\\x\"}"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_string_equal(parts(others[i]), "none");
    }
}

static void many(char *text, int count)
{
    text += sprintf(text, "{\"msg\":\"m\"");
    for (int i = 1; i < count; i++) {
        text += sprintf(text, ",\"k%d\":%d", i, i);
    }
    strcpy(text, "}");
}

static void test_limits(void **state)
{
    (void)state;
    char text[PAYLOAD_FIELDS * 16];
    struct payload p;
    many(text, PAYLOAD_FIELDS);
    assert_true(payload_parse(slice_str(text), &p));
    assert_int_equal(p.count, PAYLOAD_FIELDS - 1);
    assert_true(is(p.message, "m") && is(p.fields[PAYLOAD_FIELDS - 2].key, "k63"));
    many(text, PAYLOAD_FIELDS + 1);
    assert_false(payload_parse(slice_str(text), &p));
}

static void test_strings(void **state)
{
    (void)state;
    assert_true(payload_is_string(SLICE("\"\"")));
    assert_true(payload_is_string(SLICE("\"a\"")));
    assert_false(payload_is_string(SLICE("\"")));
    assert_false(payload_is_string(SLICE("12")));
    assert_false(payload_is_string(SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_ranks),
                                       cmocka_unit_test(test_others), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_strings)};
    return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
