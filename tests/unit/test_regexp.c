#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/regexp.h"
#include "under_valgrind.h"

static struct regexp *compile(const char *text)
{
    struct error err;
    struct regexp *re = regexp_new(text, "test", &err);
    if (!re) {
        fail_msg("%s", err.text);
    }
    return re;
}

static void test_find(void **state)
{
    (void)state;
    struct regexp *re = compile("b+");
    struct span at;
    assert_int_equal(regexp_find(re, SLICE("aabbab"), 0, &at), REGEXP_FOUND);
    assert_int_equal(at.start, 2);
    assert_int_equal(at.end, 4);
    assert_int_equal(regexp_find(re, SLICE("aabbab"), 4, &at), REGEXP_FOUND);
    assert_int_equal(at.start, 5);
    assert_int_equal(regexp_find(re, SLICE("aabbab"), 6, &at), REGEXP_NONE);
    assert_int_equal(regexp_find(re, slice_of(NULL, 0), 0, &at), REGEXP_NONE);
    regexp_free(re);
    regexp_free(NULL);
}

static void test_unicode_and_nul(void **state)
{
    (void)state;
    struct regexp *re = compile("é.\\x{1F600}");
    struct span at;
    assert_int_equal(regexp_find(re, SLICE("caf\xc3\xa9\0\xf0\x9f\x98\x80!"), 0, &at), REGEXP_FOUND);
    assert_int_equal(at.start, 3);
    assert_int_equal(at.end, 10);
    regexp_free(re);
}

/* A text far longer than a window: matches near its end, and across the window's bounds. */
static void test_long_text(void **state)
{
    (void)state;
    size_t len = under_valgrind() ? 16384 : 1 << 20; /* its processor time is not the real one */
    char *text = malloc(len);
    struct regexp *re = compile("needle-\\d{4}");
    struct span at;
    memset(text, 'x', len);
    assert_int_equal(regexp_find(re, slice_of(text, len), 0, &at), REGEXP_NONE);
    for (size_t place = 4080; place < 4110; place++) {
        memset(text, 'x', 8192);
        memcpy(text + place, "needle-1234", 11);
        assert_int_equal(regexp_find(re, slice_of(text, len), 0, &at), REGEXP_FOUND);
        assert_int_equal(at.start, place);
        assert_int_equal(at.end, place + 11);
    }
    memset(text, 'x', 8192);
    memcpy(text + len - 11, "needle-1234", 11);
    assert_int_equal(regexp_find(re, slice_of(text, len), 0, &at), REGEXP_FOUND);
    assert_int_equal(at.start, len - 11);
    regexp_free(re);
    for (size_t i = 0; i + 3 <= len; i += 3) { /* windows must not begin inside of a character */
        memcpy(text + i, "\xe2\x82\xac", 3);
    }
    memcpy(text + len - 1, "!", 1);
    re = compile("[^€]");
    assert_int_equal(regexp_find(re, slice_of(text, len), 0, &at), REGEXP_FOUND);
    assert_int_equal(at.start, len - 1);
    regexp_free(re);
    free(text);
}

/* This process's own time: what others do on the machine does not count. */
static int64_t cpu_ms(void)
{
    return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

/* Expressions and texts that would take a backtracking search seconds to ages. */
static void test_catastrophes(void **state)
{
    (void)state;
    static const char *const bad[] = {"(a+)+$",         "(a|aa)+$",         "(a|a?)+$",  "a*a*a*a*a*[bc]",
                                      "(?:a|\\w)+[@#]", "(\\w+\\s?)*[xy]$", "(.*)*[xy]", "\\w+[@#]",
                                      "(?:\\w*)*[@#]$", "(a+)\\1[bc]"};
    static const size_t lengths[] = {40, 400, 4000, 20000, 100000, 1 << 20};
    size_t count = under_valgrind() ? 2 : sizeof(lengths) / sizeof(lengths[0]);
    char *text = malloc(1 << 20);
    memset(text, 'a', 1 << 20);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct regexp *re = compile(bad[i]);
        for (size_t k = 0; k < count; k++) {
            struct span at;
            int64_t began = cpu_ms();
            text[lengths[k] - 1] = '!';
            assert_int_not_equal(regexp_find(re, slice_of(text, lengths[k]), 0, &at), REGEXP_FOUND);
            text[lengths[k] - 1] = 'a';
            int64_t ms = cpu_ms() - began;
            if (ms > 20000) { /* with sanitizers or emulated */
                fail_msg("%s took %lld ms on %zu bytes", bad[i], (long long)ms, lengths[k]);
            }
        }
        regexp_free(re);
    }
    free(text);
}

static void test_limit_is_told(void **state)
{
    (void)state;
    struct regexp *re = compile("(a+)+$");
    struct span at;
    char text[2000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '!';
    assert_int_equal(regexp_find(re, slice_of(text, sizeof(text)), 0, &at), REGEXP_LIMIT);
    assert_int_equal(regexp_find(re, SLICE("caa"), 0, &at), REGEXP_FOUND); /* it works again */
    regexp_free(re);
}

static void test_cut(void **state)
{
    (void)state;
    struct regexp *re = compile("AKIA[0-9A-Z]{16}");
    struct span at;
    assert_int_equal(regexp_find_cut(re, SLICE("id AKIA1234"), 0, &at), REGEXP_FOUND);
    assert_int_equal(at.start, 3);
    assert_int_equal(at.end, 11);
    assert_int_equal(regexp_find_cut(re, SLICE("id AK"), 0, &at), REGEXP_FOUND);
    assert_int_equal(at.start, 3);
    assert_int_equal(regexp_find_cut(re, SLICE("id AKIA12 "), 0, &at), REGEXP_NONE);
    regexp_free(re);
}

static void test_errors(void **state)
{
    (void)state;
    struct error err;
    assert_null(regexp_new("a(b", "redact", &err));
    assert_string_equal(err.text,
                        "found \"a(b\" in redact; expected a regular expression (PCRE2): missing closing "
                        "parenthesis, behind byte 3");
    assert_null(regexp_new("\xff", "drop", &err)); /* not UTF-8 */
    assert_null(regexp_new("\\C", "drop", &err));
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),          cmocka_unit_test(test_unicode_and_nul),
        cmocka_unit_test(test_long_text),     cmocka_unit_test(test_catastrophes),
        cmocka_unit_test(test_limit_is_told), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
