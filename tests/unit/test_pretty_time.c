/* The time before a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "encode/pretty/time.h"

#define NOW (INT64_C(1764000000) * NS_PER_S) /* 2025-11-24T16:00:00Z */

static struct pretty_clock kept;

static const char *shown(enum pretty_times kind, int64_t ns)
{
    static char out[PRETTY_TIME_MAX];
    size_t len = pretty_time(&kept, kind, ns, NOW, out);
    assert_int_equal(len, strlen(out));
    return out;
}

static void test_utc(void **state)
{
    (void)state;
    kept = (struct pretty_clock){0};
    assert_string_equal(shown(PRETTY_TIMES_UTC, NOW), "2025-11-24T16:00:00.000Z");
    assert_string_equal(shown(PRETTY_TIMES_UTC, NOW + 999999999), "2025-11-24T16:00:00.999Z");
    assert_string_equal(shown(PRETTY_TIMES_UTC, NOW + NS_PER_S + 5 * NS_PER_MS), "2025-11-24T16:00:01.005Z");
    assert_string_equal(shown(PRETTY_TIMES_UTC, NOW), "2025-11-24T16:00:00.000Z"); /* back again */
    assert_string_equal(shown(PRETTY_TIMES_UTC, 0), "1970-01-01T00:00:00.000Z");
}

static void test_local(void **state)
{
    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    kept = (struct pretty_clock){0};
    assert_string_equal(shown(PRETTY_TIMES_LOCAL, NOW), "11-24 17:00:00.000");
    /* The hour that the clocks are put forward: 2025-03-30T01:00:00Z. */
    int64_t change = INT64_C(1743296400) * NS_PER_S;
    assert_string_equal(shown(PRETTY_TIMES_LOCAL, change - NS_PER_MS), "03-30 01:59:59.999");
    assert_string_equal(shown(PRETTY_TIMES_LOCAL, change), "03-30 03:00:00.000");
}

/* One width, so that columns stay columns. */
static void test_relative(void **state)
{
    (void)state;
    static const struct {
        int64_t ago;
        const char *want;
    } cases[] = {{-5 * NS_PER_S, "     now"},         {0, "     now"},
                 {NS_PER_S - 1, "     now"},          {NS_PER_S, "  1s ago"},
                 {59 * NS_PER_S, " 59s ago"},         {60 * NS_PER_S, "  1m ago"},
                 {3599 * NS_PER_S, " 59m ago"},       {3600 * NS_PER_S, "  1h ago"},
                 {86399 * NS_PER_S, " 23h ago"},      {86400 * NS_PER_S, "  1d ago"},
                 {400 * 86400 * NS_PER_S, "400d ago"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(shown(PRETTY_TIMES_RELATIVE, NOW - cases[i].ago), cases[i].want);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(pretty_times_find("local"), PRETTY_TIMES_LOCAL);
    assert_int_equal(pretty_times_find("relative"), PRETTY_TIMES_RELATIVE);
    assert_int_equal(pretty_times_find("utc"), PRETTY_TIMES_UTC);
    assert_int_equal(pretty_times_find("none"), -1);
    assert_int_equal(pretty_times_find(""), -1);
    assert_string_equal(shown(PRETTY_TIMES_NONE, NOW), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_utc), cmocka_unit_test(test_local),
                                       cmocka_unit_test(test_relative), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests_name("pretty_time", tests, NULL, NULL);
}
