/* Path patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/pattern.h"

static struct pattern *parse(const char *text)
{
    struct error err = {""};
    struct pattern *p = pattern_parse(text, &err);
    if (!p) {
        fail_msg("%s: %s", text, err.text);
    }
    return p;
}

static bool matches(const char *pattern, const char *name, struct captures *caps)
{
    char text[256] = "/";
    strcat(text, pattern);
    struct pattern *p = parse(text);
    assert_int_equal(pattern_depth(p), 1);
    *caps = (struct captures){0};
    bool result = pattern_match(p, 0, name, caps);
    pattern_free(p);
    return result;
}

static void test_base(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *base;
        size_t depth;
    } cases[] = {
        {"/logs/{service}/*.log", "/logs", 2},
        {"/var/log/app.log", "/var/log", 1},
        {"/app.log", "/", 1},
        {"/*/x", "/", 2},
        {"/a/b?/c/d", "/a", 3},
        {"/a//b/*.log", "/a//b", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pattern *p = parse(cases[i].pattern);
        assert_string_equal(pattern_base(p), cases[i].base);
        assert_int_equal(pattern_depth(p), cases[i].depth);
        pattern_free(p);
    }
}

static void test_globs(void **state)
{
    (void)state;
    struct captures caps;
    assert_true(matches("*.log", "a.log", &caps));
    assert_false(matches("*.log", "a.log.1", &caps));
    assert_false(matches("*.log", "axlog", &caps)); /* a dot is a dot */
    assert_false(matches("*.log", ".hidden.log", &caps));
    assert_true(matches(".*.log", ".hidden.log", &caps));
    assert_true(matches("a?c", "abc", &caps));
    assert_true(matches("[a-c]x", "bx", &caps));
    assert_false(matches("[!a-c]x", "bx", &caps));
    assert_true(matches("a+(b)|$", "a+(b)|$", &caps)); /* nothing of a regular expression shines through */
    assert_true(matches("a.log", "a.log", &caps));
}

static void test_captures(void **state)
{
    (void)state;
    struct captures caps;
    assert_true(matches("{service}.log", "web.log", &caps));
    assert_string_equal(caps.text[CAPTURE_SERVICE], "web");
    assert_false(matches("{service}.log", ".log", &caps));
    assert_true(matches("{namespace}_{pod}_{uid}", "shop_web-7d4b_1234-56", &caps));
    assert_string_equal(caps.text[CAPTURE_NAMESPACE], "shop");
    assert_string_equal(caps.text[CAPTURE_POD], "web-7d4b");
    assert_string_equal(caps.text[CAPTURE_SERVICE], "");
}

static void test_faults(void **state)
{
    (void)state;
    static const char *const faulty[] = {"logs/*.log",     "/logs/", "/logs/{service", "/logs/{}", "/logs/[a",
                                         "/logs/**/*.log", ""};
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
        struct error err = {""};
        assert_null(pattern_parse(faulty[i], &err));
        assert_true(strlen(err.text) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
