/* What `sidetail status` and `sidetail top` show: texts that fit their columns, answers taken apart, screens and keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "encode/terminal.h"
#include "report/frame.h"
#include "report/table.h"
#include "report/text.h"
#include "report/tty.h"

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

/* -- answers ----------------------------------------------------------------------------------- */

static int take(struct answer *a, const char *text)
{
    struct error err = {0};
    *a = (struct answer){0};
    put_bytes(&a->text, slice_str(text));
    int result = answer_take(a, "here", &err);
    assert_true(result == 0 || err.text[0] != '\0');
    return result;
}

#define PARTS "\"source\":{\"state\":\"ok\"},\"sink\":{\"state\":\"ok\"},\"checkpoint\":{\"state\":\"ok\"}"

static void expect_problems(const char *text, unsigned problems)
{
    struct answer a;
    assert_int_equal(take(&a, text), 0);
    assert_int_equal(a.problems, problems);
    answer_free(&a);
}

static void test_answers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "x\x1b[m",
                                        "[]",
                                        "{}",
                                        "{\"version\":2,\"logs\":[]}",
                                        "{\"version\":1}",
                                        "{\"version\":1,\"logs\":{}}"};
    struct answer a;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(take(&a, wrong[i]), -1);
        answer_free(&a);
    }
    expect_problems("{\"version\":1,\"ready\":true,\"logs\":[]}", 0);
    expect_problems("{\"version\":1,\"ready\":true," PARTS
                    ",\"logs\":[{\"service\":\"a\"}],\"left_out\":[{\"problem\":false}]}",
                    0);
    expect_problems("{\"version\":1,\"ready\":false,\"sink\":{\"state\":\"failing\"},\"logs\":[]}", 2);
    expect_problems("{\"version\":1,\"ready\":true,\"containers_too_many\":3,\"logs\":[{\"problem\":\"x\"}],"
                    "\"left_out\":[{\"problem\":true},{\"problem\":true}]}",
                    4);
    /* Members of a wrong type are as if they were not there. */
    assert_int_equal(
        take(&a, "{\"version\":1,\"logs\":[7,{\"service\":7,\"offset\":\"x\",\"last_line\":1}]}"), 0);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.rows[1].service, "");
    assert_int_equal(a.rows[1].offset, -1);
    answer_free(&a);
}

/* -- screens ----------------------------------------------------------------------------------- */

/* Without the styles: the lines of a screen, of which there are `height`, as wide as `width`. Returns them, to be freed. */
static char *plain_screen(struct answer *a, struct view *v)
{
    static const char *const styles[] = {"\x1b[H", "\x1b[K", "\x1b[J", "\x1b[7m", "\x1b[31m", "\x1b[0m"};
    struct buf out = {0}, plain = {0};
    unsigned lines = 1;
    frame_put(&out, a, v);
    put(&out, "%c", '\0');
    for (const char *p = out.data; *p;) {
        size_t skip = 0;
        for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
            skip = strncmp(p, styles[i], strlen(styles[i])) == 0 ? strlen(styles[i]) : skip;
        }
        lines += strncmp(p, "\r\n", 2) == 0;
        if (skip == 0) {
            assert_true(*p == '\r' || *p == '\n' || (unsigned char)*p >= ' ');
            put_bytes(&plain, slice_of(p, 1));
        }
        p += skip ? skip : 1;
    }
    put(&plain, "%c", '\0');
    assert_int_equal(lines, v->height);
    for (char *line = plain.data; *line; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL)) {
        assert_true(terminal_columns(slice_of(line, strcspn(line, "\r"))) <= v->width);
    }
    buf_free(&out);
    return plain.data;
}

static void expect_order(const char *screen, const char *const *names)
{
    for (; *names; names++) {
        screen = strstr(screen, *names);
        assert_non_null(screen);
    }
}

static const char three[] =
    "{\"version\":1,\"sidetail\":\"1\",\"ready\":true," PARTS ",\"logs\":["
    "{\"service\":\"slow\",\"lag_bytes\":5,\"lines_per_second\":1},"
    "{\"service\":\"fast\",\"lag_bytes\":0,\"lines_per_second\":100,\"problem\":\"its \\u001b[2J file\"},"
    "{\"service\":\"api\",\"lines_per_second\":10}],"
    "\"left_out\":[{\"reason\":\"excluded\",\"service\":\"debug\",\"detail\":\"exclude.services: d*\"}]}";

static void test_screen(void **state)
{
    (void)state;
    struct answer a;
    struct view v = {.listen = "here", .width = 80, .height = 24, .color = true};
    assert_int_equal(take(&a, three), 0);
    char *screen = plain_screen(&a, &v);
    assert_non_null(strstr(screen, "sidetail 1 at here: ready"));
    expect_order(screen, (const char *const[]){"3 logs", "SERVICE", "fast", "api", "slow", "by rate", NULL});
    free(screen);
    v.sort = SORT_LAG;
    screen = plain_screen(&a, &v);
    expect_order(screen, (const char *const[]){"SERVICE", "slow", "fast", "api", "by lag", NULL});
    free(screen);
    v.sort = SORT_NAME;
    screen = plain_screen(&a, &v);
    expect_order(screen, (const char *const[]){"SERVICE", "api", "fast", "slow", "by name", NULL});
    free(screen);
    v.problems = true;
    screen = plain_screen(&a, &v);
    expect_order(screen, (const char *const[]){"Problems:", "its ^[[2J file", "Left out:", "debug", NULL});
    free(screen);
    v.fault = "no answer from here";
    screen = plain_screen(&a, &v);
    expect_order(screen, (const char *const[]){"debug", "no answer from here", NULL});
    free(screen);
    answer_free(&a);
    screen = plain_screen(&a, &v); /* nothing came yet */
    free(screen);
}

/* All that is a problem stands below one title. */
static void test_problems(void **state)
{
    (void)state;
    struct answer a;
    struct buf out = {0};
    assert_int_equal(take(&a, "{\"version\":1,\"containers_too_many\":3,"
                              "\"logs\":[{\"service\":\"web\",\"file\":\"/a\",\"problem\":\"why\"}],"
                              "\"left_out\":[{\"file\":\"/b\",\"reason\":\"link\",\"problem\":true}]}"),
                     0);
    table_put_reasons(&out, &a, 0);
    put(&out, "%c", '\0');
    assert_string_equal(out.data,
                        "\nProblems:\n"
                        "  3 containers are too many, or described at too great length: not followed\n"
                        "  web  /a: why\n"
                        "  /b: link:\n");
    buf_free(&out);
    answer_free(&a);
}

static void test_screens_of_any_size(void **state)
{
    (void)state;
    struct answer a;
    assert_int_equal(take(&a, three), 0);
    for (unsigned width = 1; width < 140; width += 3) {
        for (unsigned height = 1; height < 30; height++) {
            struct view v = {.listen = "here", .width = width, .height = height, .first = 100};
            free(plain_screen(&a, &v));
            assert_true(v.first < 3);
            v.problems = true;
            v.first = INT32_MAX;
            free(plain_screen(&a, &v));
        }
    }
    answer_free(&a);
}

static void test_scrolling(void **state)
{
    (void)state;
    struct row many[100];
    char names[100][8];
    struct answer a = {.rows = many, .count = 100, .json = json_pack("{s:b}", "ready", 1)};
    struct view v = {.listen = "here", .sort = SORT_NAME, .width = 80, .height = 24};
    for (size_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "log%02zu", i);
        many[i] = (struct row){.service = names[i], .offset = -1, .lag_bytes = -1};
    }
    assert_int_equal(frame_page(&v), 18);
    v.first = 50;
    char *screen = plain_screen(&a, &v);
    assert_null(strstr(screen, "log49"));
    expect_order(screen, (const char *const[]){"log50", "log67", NULL});
    assert_null(strstr(screen, "log68"));
    free(screen);
    v.first = SIZE_MAX / 2;
    screen = plain_screen(&a, &v);
    assert_int_equal(v.first, 82);
    expect_order(screen, (const char *const[]){"log82", "log99", NULL});
    free(screen);
    json_decref(a.json);
}

static void test_keys(void **state)
{
    (void)state;
    static const char typed[] = "q\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~\x1b[1;5A\x1b[99~\t\xc3\x1b";
    const int wanted[] = {'q',     KEY_UP, KEY_DOWN,  KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_HOME,
                          KEY_END, KEY_UP, KEY_OTHER, KEY_OTHER,   KEY_OTHER,     KEY_OTHER};
    const char *p = typed, *end = typed + sizeof(typed) - 1;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_int_equal(tty_key(&p, end), wanted[i]);
    }
    assert_int_equal(tty_key(&p, end), KEY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_columns),
        cmocka_unit_test(test_wrapping),  cmocka_unit_test(test_table_fits),
        cmocka_unit_test(test_row),       cmocka_unit_test(test_answers),
        cmocka_unit_test(test_screen),    cmocka_unit_test(test_screens_of_any_size),
        cmocka_unit_test(test_scrolling), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
