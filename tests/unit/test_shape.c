/* Shaping: levels, payloads, and the whole. */
#include "record/severity.h"
#include "shape_fixture.h"

static void test_off(void **state)
{
    (void)state;
    assert_false(shape_wanted(cfg));
}

/* -- level, payload ---------------------------------------------------------------------------- */

static void test_level(void **state)
{
    (void)state;
    cfg->detect_level = true;
    set(&cfg->multiline_rule, "auto");
    begin();
    put("level=warn msg=x");
    put("nothing");
    put_escaped("{\\\"level\\\":\\\"error\\\"}");
    put("java.lang.NullPointerException: x"), put("\tat a.b.C.d(C.java:1)");
    put_piece("ERROR begins", true), put_piece("INFO goes on", false);
    assert_int_equal(seen[0].level, SEVERITY_WARN);
    assert_int_equal(seen[1].level, SEVERITY_NONE);
    assert_int_equal(seen[2].level, SEVERITY_ERROR);
    assert_int_equal(seen[3].level, SEVERITY_ERROR);
    assert_int_equal(seen[4].level, SEVERITY_ERROR);
    assert_int_equal(seen[5].level, SEVERITY_ERROR);
}

static void test_payload(void **state)
{
    (void)state;
    set(&cfg->parse_json, "mess\"age");
    begin();
    put(" {\"n\":12345678901234567890.10,\"n\":1} ");
    assert_string_equal(seen[0].extra, ",\"mess\\\"age\": {\"n\":12345678901234567890.10,\"n\":1} ");
    put_escaped("{\\\"a\\\":\\\"\\\\n\\\"}");
    assert_string_equal(seen[1].extra, ",\"mess\\\"age\":{\"a\":\"\\n\"}");
    static const char *const none[] = {"", "{", "[1]", "12", "{\"a\":}", "text", "{} and more"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        put(none[i]);
        assert_string_equal(seen[nseen - 1].extra, "");
        assert_string_equal(last(), none[i]);
    }
    put_piece("{\"a\":1}", true);
    assert_string_equal(seen[nseen - 1].extra, "");
    put_piece("{\"a\":1}", false);
    assert_string_equal(seen[nseen - 1].extra, "");
}

static void test_payload_lines(void **state)
{
    (void)state;
    set(&cfg->parse_json, "j");
    set(&cfg->multiline_rule, "regex");
    set(&cfg->multiline_first, "^\\{");
    begin();
    put("{"), put("  \"a\": \"b\\nc\","), put("  \"d\": []"), put("}");
    shape_tick(st, INT64_MAX, out);
    assert_string_equal(seen[0].extra, ",\"j\":{   \"a\": \"b\\nc\",   \"d\": [] }");
}

/* -- the whole --------------------------------------------------------------------------------- */

static void test_errors(void **state)
{
    (void)state;
    struct error err;
    add(&cfg->drop, "fine");
    add(&cfg->drop, "a(");
    assert_null(shape_new(cfg, &err));
    assert_non_null(strstr(err.text, "drop"));
    cfg->drop.count = 1;
    add(&cfg->redact, "x*");
    assert_null(shape_new(cfg, &err));
    assert_non_null(strstr(err.text, "empty text"));
    free(cfg->drop.items[1]);
}

/* Random bytes through everything at once, for the sanitizers; no line is lost or doubled. */
static void test_random(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "auto");
    set(&cfg->parse_json, "m");
    cfg->detect_level = true;
    add(&cfg->redact, "s[ae]cret");
    begin();
    static const char *const parts[] = {"Traceback (most recent call last):",
                                        "\t",
                                        "at ",
                                        "secret",
                                        "ERROR",
                                        "\xff",
                                        "panic: ",
                                        "{\"a\":",
                                        "1}",
                                        "goroutine 1 [x]:",
                                        "\xc3\xa9",
                                        "",
                                        "Error: ",
                                        " ",
                                        "\x1b[31m",
                                        "level="};
    unsigned random = 7;
    size_t lines = 0, newlines = 0;
    for (int i = 0; i < 20000; i++) {
        char text[256] = "";
        for (int k = 0; k < 4; k++) {
            random = random * 1103515245 + 12345;
            strcat(text, parts[(random >> 16) % (sizeof(parts) / sizeof(parts[0]))]);
        }
        lines++;
        assert_true(put_at(text, i % 3 ? STREAM_STDOUT : STREAM_STDERR, NOON) >= 0);
        if (i % 100 == 99) {
            shape_tick(st, INT64_MAX, out);
            for (size_t k = 0; k < nseen; k++) {
                newlines++;
                for (const char *p = seen[k].text; (p = strchr(p, '\n')); p++) {
                    newlines++;
                }
            }
            no_secret("secret");
            forget();
        }
    }
    assert_int_equal(newlines, lines);
    assert_int_equal(shape_memory(shape), 0);
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {
        TEST(test_off),           TEST(test_level),  TEST(test_payload),
        TEST(test_payload_lines), TEST(test_errors), TEST(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
