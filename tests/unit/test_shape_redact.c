/* Redaction. */
#include "shape_fixture.h"

static void test_redact(void **state)
{
    (void)state;
    add(&cfg->redact, "password=\\S+");
    add(&cfg->redact, "\\b\\d{4}-\\d{4}-\\d{4}-\\d{4}\\b");
    begin();
    put("login password=hunter2 ok, card 1234-5678-9012-3456, again password=x");
    assert_string_equal(last(), "login [redacted] ok, card [redacted], again [redacted]");
    assert_int_equal(metrics.redactions, 3);
    put_escaped("nothing\\tto see");
    assert_true(seen[nseen - 1].escaped); /* untouched */
    assert_string_equal(last(), "nothing\tto see");
    put("");
    assert_string_equal(last(), "");
    put("password=all");
    assert_string_equal(last(), "[redacted]");
}

static void test_redact_escaped(void **state)
{
    (void)state;
    add(&cfg->redact, "password\":\"[^\"]*");
    add(&cfg->redact, "<token>.*</token>");
    begin();
    put_escaped("{\\\"\\u0070assword\\\":\\\"hun\\u0074er2\\\"}");
    put_escaped("\\u003ctoken\\u003ehunter2\\u003c/token\\u003e");
    put_escaped("{\\u0022passwor\\u0064\\u0022:\\u0022hunter2\\u0022}");
    assert_int_equal(nseen, 3);
    no_secret("hunter2");
    assert_string_equal(seen[0].text, "{\"[redacted]\"}");
    assert_string_equal(seen[1].text, "[redacted]");
}

/* The payload's own escapes, inside of Docker's. */
static void test_redact_hidden(void **state)
{
    (void)state;
    add(&cfg->redact, "password\":\"[^\"]*");
    set(&cfg->parse_json, "message");
    begin();
    put("{\"p\\u0061ssword\":\"hunter2\"}");
    put("{\"password\":\"x\",\"\\u0070assword\":\"hunter2\"}");
    put_escaped("{\\\"\\\\u0070assword\\\":\\\"hunter2\\\"}");
    assert_int_equal(nseen, 3);
    no_secret("hunter2");
    put("{\"caf\\u00e9\":\"fine\"}");
    assert_string_equal(last(), "{\"caf\\u00e9\":\"fine\"}");
    assert_string_equal(seen[nseen - 1].extra, ",\"message\":{\"caf\\u00e9\":\"fine\"}");
    put("{\"password\":\"hunter2\",\"caf\\u00e9\":1}");
    assert_string_equal(last(), "{\"[redacted]\",\"caf\\u00e9\":1}");
    no_secret("hunter2");
}

static void test_redact_unicode(void **state)
{
    (void)state;
    add(&cfg->redact, "pässwörter=[^ ]+");
    add(&cfg->redact, "key=.{6}");
    set(&cfg->redact_with, "█");
    begin();
    put("ein pässwörter=geheim hier");
    assert_string_equal(last(), "ein █ hier");
    put("key=äöüß€😀!");
    assert_string_equal(last(), "█!");
    /* Bytes that are no UTF-8 neither stop the search nor end a secret. */
    put("\xff\xfe key=ab\xff"
        "cde rest");
    assert_string_equal(last(), "\xef\xbf\xbd\xef\xbf\xbd █ rest");
    put("no secret \xff");
    assert_string_equal(last(), "no secret \xff");
}

static void test_redact_group(void **state)
{
    (void)state;
    add(&cfg->redact, "BEGIN KEY[\\s\\S]*END KEY");
    set(&cfg->multiline_rule, "regex");
    set(&cfg->multiline_first, "^first");
    begin();
    put("first BEGIN KEY"), put("hunter2"), put("END KEY tail");
    shape_tick(st, INT64_MAX, out);
    assert_string_equal(last(), "first [redacted] tail");
}

static void test_redact_catastrophe(void **state)
{
    (void)state;
    add(&cfg->redact, "(secret|(a+)+)$");
    begin();
    char text[5000];
    memset(text, 'a', sizeof(text));
    memcpy(text, "secret hunter2 ", 15);
    strcpy(text + sizeof(text) - 2, "!");
    int64_t began = clock_monotonic();
    put(text);
    assert_true(clock_monotonic() - began < 2 * NS_PER_S);
    assert_string_equal(last(), "[redacted]"); /* not known to be harmless */
    assert_int_equal(metrics.redaction_failures, 1);
    put("fine");
    assert_string_equal(last(), "fine");
}

/* Every place at which a line can be cut in two, and in three: no piece may show a part of the secret. */
static void test_redact_cuts(void **state)
{
    (void)state;
    static const char line[] = "id AKIA1234567890ABCDEF and password=hunter2hunter2 end";
    add(&cfg->redact, "AKIA[0-9A-Z]{16}");
    add(&cfg->redact, "password=\\S+");
    begin();
    size_t len = strlen(line);
    for (size_t a = 1; a < len - 1; a++) {
        for (size_t b = a + 1; b < len; b++) {
            struct record rec = {.text = slice_of(line, a), .partial = true};
            struct buf all = {0};
            forget();
            shape_put(st, &rec, out);
            rec.text = slice_of(line + a, b - a);
            shape_put(st, &rec, out);
            rec.text = slice_of(line + b, len - b);
            rec.partial = false;
            shape_put(st, &rec, out);
            for (size_t i = 0; i < nseen; i++) {
                buf_addf(&all, "%s", seen[i].text);
            }
            for (const char *p = all.data; *p; p++) {
                if ((*p >= '0' && *p <= '9') || !strncmp(p, "hunt", 4) || !strncmp(p, "BCDE", 4)) {
                    fail_msg("cut at %zu and %zu: %s", a, b, all.data);
                }
            }
            assert_non_null(strstr(all.data, " end"));
            buf_free(&all);
        }
    }
    forget();
    put("unrelated 1234");
    assert_string_equal(last(), "unrelated 1234");
}

static void test_redact_far_cut(void **state)
{
    (void)state;
    add(&cfg->redact, "AKIA[0-9A-Z]{16}");
    begin();
    char *text = malloc(300001);
    memset(text, 'x', 300000);
    memcpy(text + 299990, "AKIA123456", 11);
    put_piece(text, true);
    put_piece("7890ABCDEF tail", false);
    assert_int_equal(nseen, 2);
    assert_null(strstr(seen[0].text, "AKIA"));
    assert_string_equal(last(), "[redacted] tail");
    free(text);
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {
        TEST(test_redact),         TEST(test_redact_escaped), TEST(test_redact_hidden),
        TEST(test_redact_unicode), TEST(test_redact_group),   TEST(test_redact_catastrophe),
        TEST(test_redact_cuts),    TEST(test_redact_far_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
