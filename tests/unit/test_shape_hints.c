/* Rules that labels gave: what they may cost, and what they leave of the operator's. */
#include "shape_fixture.h"

/* Takes some 500 times as long as others, and stays below the limit of steps. */
#define SLOW "(a{1,12}){1,4}?[bc]"

/* As begin(), with what labels ask for. */
static void begin_with(const char *hints)
{
    struct error err = {0};
    struct config *with = config_overridden(cfg, 0, hints);
    assert_non_null(with);
    shape = shape_new(with, &err);
    if (!shape) {
        fail_msg("%s", err.text);
    }
    config_free(with);
    st = shape_open(shape);
    assert_non_null(st);
}

static const char *slow_line(void)
{
    static char line[501];
    memset(line, 'a', sizeof(line) - 1);
    return line;
}

/* Rules for lines were written for lines, and a label that joins them takes none away. */
static void test_joined_by_a_label(void **state)
{
    (void)state;
    add(&cfg->redact, "^token=\\S+$");
    add(&cfg->drop, "^DEBUG");
    begin_with("{\"multiline\":{\"rule\":\"regex\",\"first\":\"^begin\"}}");
    put("begin");
    put("token=hunter2");
    put("end");
    put("DEBUG x");
    assert_string_equal(last(), "begin\n[redacted]\nend");
    put("begin");
    assert_int_equal(nseen, 1);
    assert_int_equal(metrics.dropped_rule, 1);
}

/* The operator's that were written for groups go by those. */
static void test_joined_by_the_operator(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "regex");
    set(&cfg->multiline_first, "^begin");
    add(&cfg->redact, "^token=\\S+$");
    begin_with("{\"multiline\":{\"wait\":\"5s\"}}");
    put("begin");
    put("token=hunter2");
    put("begin");
    assert_string_equal(last(), "begin\ntoken=hunter2");
}

/* Whoever may start a container can give it patterns that take long: the lines of others wait meanwhile. */
static void test_slow_drop(void **state)
{
    (void)state;
    add(&cfg->drop, "^secret");
    begin_with("{\"drop\":[\"" SLOW "\"]}");
    for (int i = 0; i < 3000 && metrics.regex_limits == 0; i++) {
        put(slow_line());
        forget();
    }
    assert_true(metrics.regex_limits > 0);
    assert_true(shape_hints_slow(shape));
    uint64_t dropped = metrics.dropped_rule;
    put("secret");
    assert_int_equal(metrics.dropped_rule, dropped + 1);
}

/* What cannot be judged does not pass. */
static void test_slow_redact(void **state)
{
    (void)state;
    begin_with("{\"redact\":[\"" SLOW "\",\"key=.*\"]}");
    for (int i = 0; i < 3000 && metrics.redaction_failures == 0; i++) {
        put(slow_line());
        assert_int_equal(put("the key=7"), PUT_DONE);
        no_secret("key=7");
        forget();
    }
    assert_true(metrics.redaction_failures > 0);
}

static void test_slow_multiline(void **state)
{
    (void)state;
    begin_with("{\"multiline\":{\"rule\":\"regex\",\"first\":\"" SLOW "\"}}");
    for (int i = 0; i < 3000 && metrics.regex_limits == 0; i++) {
        put(slow_line());
        forget();
    }
    assert_true(metrics.regex_limits > 0);
}

/* The operator's take the time they need. */
static void test_slow_of_the_operator(void **state)
{
    (void)state;
    add(&cfg->drop, SLOW);
    begin_with("{\"drop\":[\"b\"]}");
    for (int i = 0; i < 30; i++) {
        put(slow_line());
        forget();
    }
    assert_int_equal(metrics.regex_limits, 0);
}

static void test_quick(void **state)
{
    (void)state;
    begin_with("{\"drop\":[\"^DEBUG\",\"health\"],\"redact\":[\"key=\\\\S+\"]}");
    for (int i = 0; i < 20000; i++) {
        put("an ordinary line with a key=7 in it");
        assert_string_equal(last(), "an ordinary line with a [redacted] in it");
        forget();
    }
    assert_int_equal(metrics.regex_limits + metrics.redaction_failures, 0);
    assert_false(shape_hints_slow(shape));
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {TEST(test_slow_drop),
                                       TEST(test_slow_redact),
                                       TEST(test_slow_multiline),
                                       TEST(test_slow_of_the_operator),
                                       TEST(test_quick),
                                       TEST(test_joined_by_a_label),
                                       TEST(test_joined_by_the_operator)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
