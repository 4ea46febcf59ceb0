/* Path patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/pattern.h"

static struct pattern_list parse(const char *text, bool anywhere)
{
    struct error err = {0};
    struct pattern_list list = {0};
    if (pattern_list_add(&list, text, anywhere, &err) < 0) {
        fail_msg("%s: %s", text, err.text);
    }
    return list;
}

/* Does one component match the name? */
static bool matches(const char *pattern, const char *name, struct captures *caps)
{
    char text[256] = "/";
    bool result = false;
    strcat(text, pattern);
    struct pattern_list list = parse(text, false);
    *caps = (struct captures){0};
    for (size_t i = 0; !result && i < list.count; i++) {
        assert_int_equal(pattern_depth(list.items[i]), 1);
        result = pattern_match(list.items[i], 0, name, caps);
    }
    pattern_list_free(&list);
    return result;
}

static bool matches_path(const char *pattern, const char *path)
{
    struct pattern_list list = parse(pattern, true);
    bool result = pattern_list_match(&list, path);
    pattern_list_free(&list);
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
        {"/a//b/*.log", "/a/b", 1},
        {"//a/./b//*.log", "/a/b", 1},
        {"/a/.//*/./b//c.log", "/a", 3},
        {"/a//b.log", "/a", 1},
        {"//b.log", "/", 1},
        {"/./*", "/", 1},
        {"/a/../*", "/", 1},
        {"/../a/b/../c/*/x", "/a/c", 2},
        {"/a/b/../../../d/*", "/d", 1},
        {"/a/.../..b/*", "/a/.../..b", 1},
        {"/a/\\./\\../b/*", "/b", 1},
        {"/a/\\\\./*", "/a/\\.", 1},
        {"/a/{.,b}/c", "/a", 1},
        {"/a/**/./**/d.log", "/a", 2},
        {"/a/\\*\\[1]/b/*.log", "/a/*[1]/b", 1},
        {"/a/{b,b/c}/d.log", "/a", 2},
        {"/a/**/**/d.log", "/a", 2},
        {"/a/**", "/a", 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pattern_list list = parse(cases[i].pattern, false);
        assert_string_equal(pattern_base(list.items[0]), cases[i].base);
        assert_string_equal(pattern_base(list.items[list.count - 1]), cases[i].base);
        assert_int_equal(pattern_depth(list.items[0]), cases[i].depth);
        pattern_list_free(&list);
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

static void test_sets(void **state)
{
    (void)state;
    struct captures caps;
    assert_true(matches("[]x]y", "]y", &caps));
    assert_false(matches("[!]x]y", "]y", &caps));
    assert_true(matches("[a\\]]y", "]y", &caps));
    assert_true(matches("[\\^a]y", "^y", &caps));
    assert_false(matches("[a\\-c]y", "by", &caps));
    assert_true(matches("[[:digit:]]y", "7y", &caps));
    assert_false(matches("[![:digit:]]y", "7y", &caps));
    assert_true(matches("[{]y", "{y", &caps));
    assert_true(matches("[a,]y", ",y", &caps));
    assert_false(matches("[.]y", ".y", &caps));
}

static void test_escapes(void **state)
{
    (void)state;
    struct captures caps;
    assert_true(matches("\\*.log", "*.log", &caps));
    assert_false(matches("\\*.log", "a.log", &caps));
    assert_true(matches("\\{service\\}", "{service}", &caps));
    assert_true(matches("\\{a,b\\}", "{a,b}", &caps));
    assert_true(matches("a\\\\b", "a\\b", &caps));
    assert_true(matches("\\a\\.b", "a.b", &caps));
    assert_true(matches("\\.a", ".a", &caps));
    assert_true(matches("{a\\,b,c}", "a,b", &caps));
}

static void test_alternatives(void **state)
{
    (void)state;
    struct captures caps;
    assert_true(matches("{web,db}.log", "web.log", &caps));
    assert_true(matches("{web,db}.log", "db.log", &caps));
    assert_false(matches("{web,db}.log", "secret.log", &caps));
    assert_true(matches("app{,-debug}.log", "app.log", &caps));
    assert_true(matches("{a,b{1,2}}{x,y}", "b2y", &caps));
    assert_false(matches("{a,b{1,2}}{x,y}", "by", &caps));
    assert_true(matches("{*.log,[0-9]?}", "7x", &caps));
    assert_true(matches("x-{{service}.log,none}", "x-web.log", &caps));
    assert_string_equal(caps.text[CAPTURE_SERVICE], "web");
    assert_true(matches("{.a,b}", ".a", &caps));
    assert_true(matches("a}", "a}", &caps));
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool match;
    } cases[] = {
        {"/l/**/*.log", "/l/a.log", true},
        {"/l/**/*.log", "/l/a/b/c.log", true},
        {"/l/**/*.log", "/m/a.log", false},
        {"/l/**/*.log", "/l/.a/b.log", false},
        {"/l/**", "/l/a/b", true},
        {"/l/**", "/l", false},
        {"/l/a**.log", "/l/ab.log", true},
        {"/l/a**.log", "/l/a/b.log", false},
        {"/l/{a/b,c}/x", "/l/a/b/x", true},
        {"/l/{a/b,c}/x", "/l/c/x", true},
        {"/l/{a/b,c}/x", "/l/a/x", false},
        {"/**/debug/*", "/l/m/debug/x", true},
        {"*.gz", "/l/.m/a.gz", true},
        {"**/*.gz", "/l/m/a.gz", true},
        {"*.gz", "/l/.a.gz", false},
        {"debug/*.log", "/l/debug/a.log", true},
        {"debug/*.log", "/l/mdebug/a.log", false},
        {"/l/*", "/l/a/b", false},
        {"/l//web/*.log", "/l/web/a.log", true},
        {"/l/*/.//a.log", "/l/web/a.log", true},
        {"/l/{,web/}a.log", "/l/web/a.log", true},
        {"/l/{,web/}a.log", "/l/a.log", true},
        {"/l/db/../web/*.log", "/l/web/a.log", true},
        {"./a//b.log", "/l/a/b.log", true},
        {".x/**/y", "/l/.x/.x/z/y", true}, /* that a `**` passes over no dot tells which .x it is */
        {".x/**/y", "/l/.x/z/.x/y", true},
        {".x/**/y", "/l/.x/.z/y", false},
        {"/l/**/a/b/**/c", "/l/a/a/b/c/a/b/x/c", true},
        {"/l/**/a/b/**/c", "/l/a/b", false},
        {"/l/**/a", "/l/a/b", false},
        {"/l/a", "/l/a/a", false},
        {"/l/**/x/**/y", "/l/x/x/y", true},
        {"/l/**/x/**/y", "/l/y/x", false},
        {"/l/{uid}.log", "/l/1.log", true},
        {"/*", "/a", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (matches_path(cases[i].pattern, cases[i].path) != cases[i].match) {
            fail_msg("%s, %s", cases[i].pattern, cases[i].path);
        }
    }
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *what;
    } faulty[] = {
        {"logs/*.log", "absolute"},
        {"/logs/", "a / at its end"},
        {"/logs/{service", "not closed"},
        {"/logs/{}", "no name"},
        {"/logs/[a", "not closed"},
        {"", "absolute"},
        {"/logs/{a,b", "not closed"},
        {"/logs/{a,b/}", "a / at its end"},
        {"/logs/a\\", "a \\ has no"},
        {"/logs/[z-a]", "valid glob"},
        {"/logs/{servcie}", "{service}"},
        {"/logs/{PODS}/*", "{pod}"},
        {"/logs/*/../a", "a .. is known"},
        {"/logs/{a,b}/../c", "a .. is known"},
        {"/logs/{a,..}/c", "a .. is known"},
        {"/logs/*/\\.\\./a", "a .. is known"},
        {"/logs/.", "a . at its end"},
        {"/logs/a/..", "a . at its end"},
        {"/logs/**/.", "a . at its end"},
        {"/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", "more than 1000"},
    };
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
        struct error err = {0};
        struct pattern_list list = {0};
        assert_int_equal(pattern_list_add(&list, faulty[i].pattern, false, &err), -1);
        if (!strstr(err.text, faulty[i].what)) {
            fail_msg("%s: %s", faulty[i].pattern, err.text);
        }
        pattern_list_free(&list);
    }
}

/* Whoever writes logs chooses how deep they lie, and may not choose how long it takes to leave them out. */
static void test_deep(void **state)
{
    (void)state;
    char path[4096] = "", glob[1024] = "";
    for (size_t i = 0; i < 1500; i++) {
        strcat(path, "/a");
    }
    for (size_t i = 0; i < 20; i++) {
        strcat(glob, "**/a/");
    }
    strcat(glob, "b.log");
    assert_false(matches_path(glob, path));
    strcat(path, "/b.log");
    assert_true(matches_path(glob, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),  cmocka_unit_test(test_globs),   cmocka_unit_test(test_captures),
        cmocka_unit_test(test_sets),  cmocka_unit_test(test_escapes), cmocka_unit_test(test_alternatives),
        cmocka_unit_test(test_paths), cmocka_unit_test(test_faults),  cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
