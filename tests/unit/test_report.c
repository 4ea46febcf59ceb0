/* What `sidetail status` shows: texts that fit their columns, and an answer taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "encode/terminal.h"
#include "report/table.h"
#include "report/text.h"

static void expect_number(double value, const char *wanted)
{
    char text[SHORT_MAX];
    short_number(value, text);
    assert_string_equal(text, wanted);
}

static void expect_span(double seconds, const char *wanted)
{
    char text[SHORT_MAX];
    short_span(seconds, text);
    assert_string_equal(text, wanted);
}

static void test_numbers(void **state)
{
    (void)state;
    expect_number(0, "0");
    expect_number(1, "1");
    expect_number(0.5, "0.5");
    expect_number(9.96, "10");
    expect_number(999, "999");
    expect_number(999.6, "1.0k");
    expect_number(1234, "1.2k");
    expect_number(12345, "12k");
    expect_number(999999, "1.0M");
    expect_number(123456789, "123M");
    expect_number(9.2e18, "9.2E");
    expect_number(9e24, "9000000");
    expect_span(-3, "0s");
    expect_span(1.9, "1s");
    expect_span(119, "119s");
    expect_span(120, "2m");
    expect_span(7199, "119m");
    expect_span(7200, "2h");
    expect_span(172800, "2d");
    expect_span(1e12, "99999d");
}

static void expect_column(const char *text, unsigned columns, enum side keep, enum side align,
                          const char *wanted)
{
    struct buf out = {0};
    put_column(&out, text, columns, keep, align);
    assert_int_equal(terminal_columns(slice_of(out.data, out.len)), columns);
    put(&out, "%c", '\0');
    assert_string_equal(out.data, wanted);
    buf_free(&out);
}

static void test_columns(void **state)
{
    (void)state;
    expect_column("web", 5, LEFT, LEFT, "web  ");
    expect_column("web", 5, LEFT, RIGHT, "  web");
    expect_column("web", 3, LEFT, LEFT, "web");
    expect_column("website", 5, LEFT, LEFT, "webs…");
    expect_column("/logs/web", 5, RIGHT, LEFT, "…/web");
    expect_column(NULL, 3, LEFT, LEFT, "-  ");
    expect_column("", 2, LEFT, LEFT, "  ");
    expect_column("日本語", 6, LEFT, LEFT, "日本語");
    expect_column("日本語", 5, LEFT, LEFT, "日本…");
    expect_column("日本語", 4, LEFT, LEFT, "日… ");
    expect_column("日本語", 4, RIGHT, LEFT, "…語 ");
    expect_column("a\x1b[31m\tb\x1b]0;x\a", 16, LEFT, LEFT, "a b^[]0;x^G     ");
    expect_column("\xff\xc2\x9b", 9, LEFT, LEFT, "\xef\xbf\xbd<U+009B>");
}

static void expect_wrapped(const char *text, unsigned columns, unsigned used, const char *wanted)
{
    struct buf out = {0};
    put_wrapped(&out, text, columns, used, 2);
    put(&out, "%c", '\0');
    assert_string_equal(out.data, wanted);
    buf_free(&out);
}

static void test_wrapping(void **state)
{
    (void)state;
    expect_wrapped("one two three", 0, 0, "one two three\n");
    expect_wrapped("one two three", 7, 0, "one two\n  three\n");
    expect_wrapped("one two three", 7, 3, "one\n  two\n  three\n");
    expect_wrapped("a-long-word b", 5, 0, "a-long-word\n  b\n");
    expect_wrapped("", 5, 0, "\n");
    expect_wrapped("line\nbreak", 0, 0, "line^Jbreak\n");
}

static struct row rows[] = {
    {.service = "web",
     .what = "shop_web_1",
     .driver = "json-file",
     .offset = 123456,
     .lag_bytes = 0,
     .last_ns = 98 * NS_PER_S},
    {.service = "a service whose name is far too long for any column that it could get in 80 columns",
     .what = "/var/log/a/directory/deep/down/with/a/file/whose/name/tells/who/wrote/it.log",
     .is_file = true,
     .driver = "a driver with a long name",
     .offset = INT64_MAX,
     .lag_bytes = INT64_MAX,
     .lag_seconds = 1e9,
     .rate = 1e9},
    {.service = "\x1b]0;title\a\n", .what = NULL, .offset = -1, .lag_bytes = -1},
};

static void test_table_fits(void **state)
{
    (void)state;
    struct answer a = {.rows = rows, .count = 3, .now_ns = 100 * NS_PER_S};
    for (unsigned width = 70; width < 250; width++) {
        struct table table = table_fit(&a, width);
        struct buf out = {0};
        table_put_head(&out, &table);
        unsigned head = terminal_columns(slice_of(out.data, out.len));
        assert_true(head <= width);
        for (size_t i = 0; i < a.count; i++) {
            out.len = 0;
            table_put_row(&out, &table, &rows[i], a.now_ns);
            assert_int_equal(terminal_columns(slice_of(out.data, out.len)), head);
            for (size_t k = 0; k < out.len; k++) {
                assert_true((unsigned char)out.data[k] >= ' ');
            }
        }
        buf_free(&out);
    }
    /* As wide as it takes, where it goes into no terminal: nothing is cut. */
    struct table table = table_fit(&a, 0);
    struct buf out = {0};
    table_put_row(&out, &table, &rows[1], a.now_ns);
    put(&out, "%c", '\0');
    assert_non_null(strstr(out.data, rows[1].service));
    assert_non_null(strstr(out.data, rows[1].what));
    buf_free(&out);
}

static void test_row(void **state)
{
    (void)state;
    struct answer a = {.rows = rows, .count = 1, .now_ns = 100 * NS_PER_S};
    struct table table = table_fit(&a, 120);
    struct buf out = {0};
    table_put_row(&out, &table, &rows[0], a.now_ns);
    put(&out, "%c", '\0');
    assert_string_equal(out.data, "web     shop_web_1        json-file    123k     0      0s        0    2s");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_columns), cmocka_unit_test(test_wrapping),
        cmocka_unit_test(test_table_fits), cmocka_unit_test(test_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
