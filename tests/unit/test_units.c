#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/units.h"

static void reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {
        {"0", 0},
        {"4096", 4096},
        {"007", 7},
        {"256KiB", 262144},
        {"3MiB", 3145728},
        {"2GiB", INT64_C(2147483648)},
        {"10kB", 10000},
        {"10MB", 10000000},
        {"10GB", INT64_C(10000000000)},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", INT64_MAX}, /* too big */
        {"99999999999999999999999", INT64_MAX},
        {"9007199254740992KiB", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t bytes = -1;
        assert_int_equal(size_parse(good[i].text, &bytes), 0);
        assert_true(bytes == good[i].bytes);
    }
    static const char *const bad[] = {"",   "KiB",  "-1",   "+1", "1.5MiB", "1 KiB", " 1",
                                      "1K", "1kib", "1KIB", "1B", "0x10",   "1KiBx"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t bytes = -7;
        assert_int_equal(size_parse(bad[i], &bytes), -1);
        assert_int_equal(bytes, -7);
    }
}

static void reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"0s", 0},
        {"2ms", 2 * NS_PER_MS},
        {"1s", NS_PER_S},
        {"90s", 90 * NS_PER_S},
        {"5m", 300 * NS_PER_S},
        {"168h", 604800 * NS_PER_S},
        {"9999999999h", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ns = -1;
        assert_int_equal(duration_parse(good[i].text, &ns), 0);
        assert_true(ns == good[i].ns);
    }
    static const char *const bad[] = {"", "5", "s", "-1s", "1.5s", "1h30m", "1d", "1S", "1 s", "1us", "00"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns;
        assert_int_equal(duration_parse(bad[i], &ns), -1);
    }
}

static void writes_the_largest_unit(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *size, *duration;
    } cases[] = {
        {0, "0", "0s"},
        {INT64_C(3) << 30, "3GiB", NULL},
        {1 << 20, "1MiB", NULL},
        {(1 << 20) + 1024, "1025KiB", NULL},
        {1000, "1000", NULL},
        {200 * NS_PER_MS, NULL, "200ms"},
        {60 * NS_PER_S, NULL, "1m"},
        {90 * NS_PER_S, NULL, "90s"},
        {168 * 3600 * NS_PER_S, NULL, "168h"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[UNITS_TEXT_MAX];
        if (cases[i].size) {
            size_format(cases[i].value, text);
            assert_string_equal(text, cases[i].size);
        }
        if (cases[i].duration) {
            duration_format(cases[i].value, text);
            assert_string_equal(text, cases[i].duration);
        }
    }
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 100000; i++) {
        char text[UNITS_TEXT_MAX];
        int64_t back;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t bytes = (int64_t)(seed >> (1 + seed % 60));
        size_format(bytes, text);
        assert_int_equal(size_parse(text, &back), 0);
        assert_true(back == bytes);
        int64_t ns = (int64_t)(seed >> 24) % (87600 * INT64_C(3600000)) * NS_PER_MS;
        duration_format(ns, text);
        assert_int_equal(duration_parse(text, &back), 0);
        assert_true(back == ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(writes_the_largest_unit),
        cmocka_unit_test(reads_what_it_writes),
    };
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
