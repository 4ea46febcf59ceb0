#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

#define S NS_PER_S

static const struct {
    const char *text;
    int64_t ns;
} exact[] = {
    /* as Docker writes them: both ways */
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:00.000000001Z", 1},
    {"1969-12-31T23:59:59.999999999Z", -1},
    {"1969-12-31T23:59:59Z", -S},
    {"1972-02-29T00:00:00Z", 68169600 * S},
    {"2000-02-29T23:59:59.5Z", 951868799 * S + S / 2},
    {"2000-03-01T00:00:00Z", 951868800 * S},
    {"1999-12-31T23:59:59Z", 946684799 * S},
    {"2024-02-29T12:00:00Z", 1709208000 * S},
    {"2024-12-31T23:59:59.123456789Z", 1735689599 * S + 123456789},
    {"2026-11-24T05:00:39.668510088Z", 1795496439 * S + 668510088},
    {"2026-11-24T05:00:39.66851Z", 1795496439 * S + 668510000},
    {"2100-02-28T23:59:59Z", INT64_C(4107542399) * S}, /* no leap year */
    {"2100-03-01T00:00:00Z", INT64_C(4107542400) * S},
    {"1900-03-01T00:00:00Z", INT64_C(-2203891200) * S},
};

static void reads_and_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
        char text[CLOCK_TEXT_MAX];
        int64_t ns;
        assert_int_equal(clock_parse(slice_str(exact[i].text), &ns), 0);
        if (ns != exact[i].ns) {
            fail_msg("%s: %lld", exact[i].text, (long long)ns);
        }
        assert_int_equal(clock_format(ns, text), strlen(exact[i].text));
        assert_string_equal(text, exact[i].text);
    }
}

static void reads_other_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"1970-01-01T00:00:00.0Z", 0},
        {"1970-01-01T00:00:00.10Z", S / 10},
        {"1970-01-01t00:00:00Z", 0},
        {"1970-01-01T02:00:00+02:00", 0},
        {"1970-01-01T00:00:00+00:00", 0},
        {"1969-12-31T18:30:00-05:30", 0},
        {"2024-03-01T00:30:00.25+01:00", 1709249400 * S + S / 4}, /* is the leap day in UTC */
        {"2016-12-31T23:59:60Z", 1483228800 * S},                 /* a leap second is the next one */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns;
        assert_int_equal(clock_parse(slice_str(cases[i].text), &ns), 0);
        if (ns != cases[i].ns) {
            fail_msg("%s: %lld", cases[i].text, (long long)ns);
        }
    }
}

static void refuses_the_rest(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-24",
        "2026-11-24T05:00:39",
        "2026-11-24 05:00:39Z",
        "2026-11-24T05:00:39z ",
        "2026-13-24T05:00:39Z",
        "2026-00-24T05:00:39Z",
        "2026-11-00T05:00:39Z",
        "2026-11-32T05:00:39Z",
        "2026-11-31T05:00:39Z",
        "2026-02-29T05:00:39Z",
        "2100-02-29T05:00:39Z",
        "2024-02-30T05:00:39Z",
        "2026-11-24T24:00:39Z",
        "2026-11-24T05:60:39Z",
        "2026-11-24T05:00:61Z",
        "2026-11-24T05:00:39.Z",
        "2026-11-24T05:00:39.1234567890Z",
        "2026-11-24T05:00:39+24:00",
        "2026-11-24T05:00:39+01:60",
        "2026-11-24T05:00:39+0100",
        "2026-11-24T05:00:39+01",
        "2026-11-24T05:00:39Zx",
        "26-11-24T05:00:39Z",
        "-026-11-24T05:00:39Z",
        "2026-1-24T05:00:39Z",
        "2026-11-24T5:00:39Z",
        "2026-11-24T05:00:3 Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z", /* beyond what 64 bits of nanoseconds hold */
        "2262-04-11T23:47:16.854775808Z",
        "1677-09-21T00:12:43.145224191Z",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = 77;
        if (clock_parse(slice_str(bad[i]), &ns) != -1 || ns != 77) {
            fail_msg("%s was read", bad[i]);
        }
    }
}

/* Never a byte beyond the slice: each beginning of a good text is none. */
static void reads_within_the_slice(void **state)
{
    (void)state;
    const char *text = "2026-11-24T05:00:39.668510088+01:00";
    for (size_t len = 0; len < strlen(text); len++) {
        char *copy = malloc(len + 1);
        int64_t ns;
        memcpy(copy, text, len);
        assert_int_equal(clock_parse(slice_of(copy, len), &ns), -1);
        free(copy);
    }
}

static uint64_t random64(void)
{
    static uint64_t seed = 99;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void reads_what_it_wrote_to_both_ends(void **state)
{
    (void)state;
    static const int64_t times[] = {
        INT64_MAX, INT64_MAX - 1, INT64_MAX - S, INT64_MAX - 854775807, INT64_MAX - 854775808,
        INT64_MIN, INT64_MIN + 1, INT64_MIN + S, INT64_MIN + 854775808, INT64_MIN + 854775809};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char text[CLOCK_TEXT_MAX];
        int64_t back;
        assert_int_equal(clock_parse(slice_of(text, clock_format(times[i], text)), &back), 0);
        assert_true(back == times[i]);
    }
}

/* libc as the oracle, over all the time there is (years 1677 to 2262). */
static void agrees_with_libc(void **state)
{
    (void)state;
    for (int i = 0; i < 300000; i++) {
        int64_t ns = (int64_t)random64(), back;
        time_t seconds = (time_t)(ns / S - (ns % S < 0));
        int64_t fraction = ns - seconds * S;
        char expected[64], text[CLOCK_TEXT_MAX];
        struct tm tm;
        gmtime_r(&seconds, &tm);
        size_t len = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(expected + len, sizeof(expected) - len, ".%09lldZ", (long long)fraction);
        assert_int_equal(clock_parse(slice_str(expected), &back), 0);
        assert_true(back == ns);
        assert_int_equal(timegm(&tm), seconds);
        size_t written = clock_format(ns, text);
        assert_int_equal(written, strlen(text));
        assert_memory_equal(text, expected, 19);
        assert_int_equal(clock_parse(slice_of(text, written), &back), 0);
        assert_true(back == ns);
    }
}

/* Whatever text comes behind whatever other: what clock_parse makes of it alone. */
static void the_next_text_is_read_as_it_is_alone(void **state)
{
    (void)state;
    static const char *const seconds[] = {"2026-11-24T05:00:39", "2026-11-24T05:00:38", "2016-12-31T23:59:60",
                                          "1969-12-31T23:59:59", "2262-04-11T23:47:16", "2262-04-11T23:47:15",
                                          "2026-11-24t05:00:39", "2026-13-24T05:00:39"};
    static const char *const ends[] = {
        "Z", ".5Z", ".123456789Z", ".854775807Z", ".854775808Z", ".1234567891Z", ".Z",       "",
        "z", ".5",  "+00:00",      "-01:00",      ".5Zx",        "Z.5Z",         ".5+00:00", ".x5Z"};
    struct clock_second last = {0};
    for (int i = 0; i < 200000; i++) {
        char text[64];
        int64_t next = 77, alone = 77;
        snprintf(text, sizeof(text), "%s%s", seconds[random64() % 8 * (random64() % 3 == 0)],
                 ends[random64() % 16]);
        int result = clock_parse(slice_str(text), &alone);
        if (clock_parse_next(&last, slice_str(text), &next) != result || next != alone) {
            fail_msg("%s", text);
        }
    }
}

static void offsets_are_taken_off(void **state)
{
    (void)state;
    for (int i = 0; i < 50000; i++) {
        int64_t seconds = (int64_t)(random64() % 4000000000u), back;
        int offset = (int)(random64() % (24 * 60)), sign = random64() % 2 ? 1 : -1;
        time_t local = seconds + sign * offset * 60;
        struct tm tm;
        char text[64], zone[16];
        gmtime_r(&local, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(zone, sizeof(zone), "%c%02d:%02d", sign > 0 ? '+' : '-', offset / 60 % 24, offset % 60);
        strcat(text, zone);
        assert_int_equal(clock_parse(slice_str(text), &back), 0);
        assert_true(back == seconds * S);
    }
}

static void fraction_has_no_trailing_zeros(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    int64_t fraction = 100000000;
    for (size_t digits = 1; digits <= 9; digits++, fraction /= 10) {
        assert_int_equal(clock_format(fraction, text), 21 + digits);
        assert_int_equal(text[19 + digits], '1');
        assert_int_equal(text[20 + digits], 'Z');
    }
}

static void clocks_run(void **state)
{
    (void)state;
    int64_t now = clock_now(), monotonic = clock_monotonic();
    struct timespec nap = {.tv_nsec = 3 * NS_PER_MS};
    assert_true(llabs(now / S - (int64_t)time(NULL)) <= 1);
    assert_int_equal(nanosleep(&nap, NULL), 0);
    assert_true(clock_monotonic() - monotonic >= 3 * NS_PER_MS);
}

static void newest_follows_the_clock(void **state)
{
    (void)state;
    assert_true(clock_newest(0, 7 * S) == 7 * S);
    assert_true(clock_newest(7 * S, 8 * S) == 8 * S);
    assert_true(clock_newest(8 * S, 7 * S) == 8 * S);
    assert_true(clock_newest(8 * S, 8 * S - CLOCK_SET_BACK) == 8 * S);
    assert_true(clock_newest(8 * S, 8 * S - CLOCK_SET_BACK - 1) == 8 * S - CLOCK_SET_BACK - 1);
    assert_true(clock_newest(INT64_MAX, INT64_MIN) == INT64_MIN);
    assert_true(clock_newest(INT64_MIN, INT64_MAX) == INT64_MAX);
    assert_false(clock_fell_back(INT64_MIN, INT64_MIN + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes),
        cmocka_unit_test(reads_other_forms),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(reads_within_the_slice),
        cmocka_unit_test(reads_what_it_wrote_to_both_ends),
        cmocka_unit_test(agrees_with_libc),
        cmocka_unit_test(the_next_text_is_read_as_it_is_alone),
        cmocka_unit_test(offsets_are_taken_off),
        cmocka_unit_test(fraction_has_no_trailing_zeros),
        cmocka_unit_test(clocks_run),
        cmocka_unit_test(newest_follows_the_clock),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
