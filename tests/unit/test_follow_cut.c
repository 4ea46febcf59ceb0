/* A loss of power cuts off the end of a log that was read; something else is written there before the next
 * start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "world.h"

#define LOG WORLD_ID "/" WORLD_ID "-json.log"

static void write_entries(struct world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        char entry[160];
        snprintf(entry, sizeof(entry),
                 "{\"log\":\"%04d\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:%02d:%02d.5Z\"}\n", i,
                 i / 60 % 60, i % 60);
        world_write(w, LOG, entry);
    }
}

static void expect_entries(const struct world *w, int from, int to)
{
    struct buf text = {0};
    for (int i = 0; i < to; i++) {
        if (i < 100 || i >= from) {
            buf_addf(&text, "%04d\n", i);
        }
    }
    world_expectf(w, "%.*s", (int)text.len, text.data);
    buf_free(&text);
}

/* 100 entries were read, `kept` of them are on the disk; then come `more`. */
static void cut(int kept, int more)
{
    struct world w;
    struct stat st;
    metrics = (struct metrics){0};
    world_new_json(&w);
    world_container(&w);
    write_entries(&w, 0, 100);
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    assert_int_equal(stat(world_path(&w, LOG), &st), 0);
    assert_int_equal(truncate(world_path(&w, LOG), st.st_size / 100 * kept), 0);
    write_entries(&w, 200, 200 + more);
    world_start(&w);
    world_settle(&w);
    expect_entries(&w, 200, 200 + more);
    assert_int_equal(metrics.cut_logs, 1);
    assert_int_equal(metrics.gaps + metrics.truncations, 0);
    write_entries(&w, 200 + more, 205 + more);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_start(&w);
    world_settle(&w);
    expect_entries(&w, 200, 205 + more);
    assert_int_equal(metrics.cut_logs, 1);
    world_free(&w);
}

static void test_shorter(void **state)
{
    (void)state;
    cut(90, 0);
    cut(50, 10);
}

static void test_as_long(void **state)
{
    (void)state;
    cut(90, 10);
}

static void test_longer(void **state)
{
    (void)state;
    cut(90, 50);
}

/* Lines without times: at its end as it is now, or behind the zeros. It is known by its first KiB. */
static void test_no_times(void **state)
{
    (void)state;
    static char text[1300];
    for (int zeros = 0; zeros < 2; zeros++) {
        struct world w;
        int len = snprintf(text, sizeof(text), "%01200d\n2\n3\n", 1);
        world_new_plain(&w);
        world_write(&w, "web/a.log", text);
        world_start(&w);
        world_settle(&w);
        world_save(&w);
        world_kill(&w);
        assert_int_equal(truncate(world_path(&w, "web/a.log"), len - 4), 0);
        assert_int_equal(truncate(world_path(&w, "web/a.log"), zeros ? len : len - 4), 0);
        world_start(&w);
        world_settle(&w);
        world_expect(&w, text);
        world_write(&w, "web/a.log", "4\n");
        strcat(text, "4\n");
        world_await(&w, text);
        world_free(&w);
    }
}

/* `text` was read; then its first `kept` bytes are left, `zeros` behind them, and `more` behind those. */
static void cut_lines(const char *text, size_t kept, size_t zeros, const char *more, const char *expected)
{
    struct world w;
    metrics = (struct metrics){0};
    world_new_plain(&w);
    world_write(&w, "web/a.log", text);
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    assert_int_equal(truncate(world_path(&w, "web/a.log"), (off_t)kept), 0);
    assert_int_equal(truncate(world_path(&w, "web/a.log"), (off_t)(kept + zeros)), 0);
    world_write(&w, "web/a.log", more);
    world_start(&w);
    world_settle(&w);
    struct buf all = {0};
    assert_int_equal(buf_addf(&all, "%s%s", text, expected), 0);
    world_expectf(&w, "%.*s", (int)all.len, all.data);
    assert_int_equal(metrics.cut_logs, 1);
    assert_int_equal(metrics.gaps + metrics.truncations, 0);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "last\n");
    world_start(&w);
    world_settle(&w);
    world_expectf(&w, "%.*slast\n", (int)all.len, all.data);
    assert_int_equal(metrics.cut_logs, 1);
    buf_free(&all);
    world_free(&w);
}

static const char *numbered(int count, const char *rest)
{
    static char text[8192];
    int len = 0;
    for (int i = 0; i < count; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%03d%s\n", i, rest);
    }
    return text;
}

/* Smaller than the first KiB by which others are known: by what is left of its lines. */
static void test_small(void **state)
{
    (void)state;
    static const struct {
        int count, len;
    } logs[] = {{3, 10}, {10, 20}, {25, 36}, {20, 50}, {50, 100}};
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        char rest[128] = {0};
        size_t line = (size_t)logs[i].len, all = line * (size_t)logs[i].count;
        memset(rest, 'x', line - 4);
        const char *text = numbered(logs[i].count, rest);
        cut_lines(text, all - line, 0, "", "");
        cut_lines(text, all - line, 0, "new 1\nnew 2\n", "new 1\nnew 2\n");
        cut_lines(text, all - line, line, "new 1\n", "new 1\n");
        cut_lines(text, all - 3, 0, "", "");
        cut_lines(text, all - 3, 3, "", "");
        cut_lines(text, all - 3, 3, "new 1\nnew 2\n", "new 1\nnew 2\n");
    }
}

/* Emptied and written anew, maybe with the same first lines: all of that is new. */
static void test_written_anew(void **state)
{
    (void)state;
    static const char *const anew[] = {"001 other\n", "banner\nversion 1\n",
                                       "banner\nversion 1\n101 x\n102 x\n", "banner\nvers"};
    const char *text = "banner\nversion 1\n001 a line of the first run\n002 another line of it\n";
    for (size_t i = 0; i < sizeof(anew) / sizeof(anew[0]); i++) {
        struct world w;
        metrics = (struct metrics){0};
        world_new_plain(&w);
        world_write(&w, "web/a.log", text);
        world_start(&w);
        world_settle(&w);
        world_save(&w);
        world_kill(&w);
        world_truncate_to(&w, "web/a.log", anew[i]);
        world_start(&w);
        world_settle(&w);
        if (i < 3) {
            world_expectf(&w, "%s%s", text, anew[i]);
        } else {
            world_write(&w, "web/a.log", "ion 1\n");
            world_settle(&w);
            world_expectf(&w, "%sbanner\nversion 1\n", text);
        }
        assert_int_equal(metrics.truncations, 1);
        assert_int_equal(metrics.cut_logs, 0);
        world_free(&w);
    }
}

/* So many percent of five entries are left. `off`: the next are written while nobody reads them. */
static void tear_entries(int kept, bool off)
{
    struct world w;
    struct stat st;
    metrics = (struct metrics){0};
    world_new_json(&w);
    world_container(&w);
    write_entries(&w, 0, 5);
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    assert_int_equal(stat(world_path(&w, LOG), &st), 0);
    assert_int_equal(truncate(world_path(&w, LOG), st.st_size * kept / 100), 0);
    if (!off) {
        world_start(&w);
        world_settle(&w);
    }
    write_entries(&w, 200, 203);
    if (off) {
        world_start(&w);
    }
    world_settle(&w);
    world_expect(&w, "0000\n0001\n0002\n0003\n0004\n0200\n0201\n0202\n");
    assert_int_equal(metrics.cut_logs, 1);
    world_free(&w);
}

/* In the middle of a line, which is gone but for its beginning: with times, and in the first of two lines. */
static void test_torn(void **state)
{
    (void)state;
    cut_lines("1 one and only line\n", 15, 0, "", "");
    cut_lines("1 one and only line\n", 15, 5, "2\n", "2\n");
    cut_lines("1 first\n2 second\n3 third\n", 19, 0, "4\n", "3 4\n"); /* where the cut was, nobody knows */
    for (int kept = 60; kept <= 99; kept += 13) {
        tear_entries(kept, false);
        tear_entries(kept, true);
    }
}

static void read_all(struct world *w, const char *text)
{
    metrics = (struct metrics){0};
    world_new_plain(w);
    world_write(w, "web/a.log", text);
    world_start(w);
    world_settle(w);
    world_save(w);
    world_kill(w);
}

/* Lines without times behind a banner that is longer than the KiB by which a file is known: what was made
 * anew is another file, whatever its inode; what was emptied and written anew cannot be told from what was
 * cut, and comes whole. */
static void test_banner(void **state)
{
    (void)state;
    static char banner[2048], text[16384], anew[4096];
    size_t len = 0;
    for (int i = 0; i < 40; i++) {
        len +=
            (size_t)snprintf(banner + len, sizeof(banner) - len, "== the banner of a program, %02d ==\n", i);
    }
    snprintf(text, sizeof(text), "%s%s", banner, numbered(60, " of the first run"));
    snprintf(anew, sizeof(anew), "%snew 1\nnew 2\n", banner);
    for (int in_place = 0; in_place < 2; in_place++) {
        struct world w;
        read_all(&w, text);
        if (in_place) {
            world_truncate_to(&w, "web/a.log", anew);
        } else {
            assert_int_equal(unlink(world_path(&w, "web/a.log")), 0);
            world_write(&w, "web/a.log", anew);
        }
        world_start(&w);
        world_settle(&w);
        world_expectf(&w, "%s%s", text, anew);
        assert_int_equal(metrics.cut_logs, in_place);
        assert_int_equal(metrics.gaps + metrics.truncations, !in_place);
        world_save(&w);
        world_kill(&w);
        world_write(&w, "web/a.log", "last\n");
        world_start(&w);
        world_settle(&w);
        world_expectf(&w, "%s%slast\n", text, anew);
        world_free(&w);
    }
}

/* Where a large log without times was cut is not known once more than a KiB is gone: some of it is read
 * again, and what that leaves out may be lost, which is said. */
static void test_large(void **state)
{
    (void)state;
    enum { COUNT = 20000, LINE = 10, KEPT = 15000, AGAIN = 6553 };
    struct buf text = {0}, again = {0};
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(buf_addf(&text, "%09d\n", i), 0);
    }
    for (int new = 0; new < 2; new ++) {
        struct world w;
        read_all(&w, text.data);
        assert_int_equal(truncate(world_path(&w, "web/a.log"), KEPT * LINE), 0);
        world_write(&w, "web/a.log", new ? "new 00001\n" : "");
        world_start(&w);
        world_settle(&w);
        again.len = 0;
        for (int i = KEPT - AGAIN + new; i < KEPT; i++) {
            assert_int_equal(buf_addf(&again, "%09d\n", i), 0);
        }
        world_expectf(&w, "%.*s%.*s%s", (int)text.len, text.data, (int)again.len, again.data,
                      new ? "new 00001\n" : "");
        assert_int_equal(metrics.cut_logs, 1);
        assert_int_equal(metrics.gaps, 1);
        world_free(&w);
    }
    buf_free(&text);
    buf_free(&again);
}

/* A new line that holds a NUL byte is no tear. */
static void test_nul(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    read_all(&w, "1\n2\n3\n4\n5\n6\n");
    assert_int_equal(truncate(world_path(&w, "web/a.log"), 10), 0);
    world_write(&w, "web/a.log", "7\n8");
    assert_int_equal(stat(world_path(&w, "web/a.log"), &st), 0);
    assert_int_equal(truncate(world_path(&w, "web/a.log"), st.st_size + 1), 0);
    world_write(&w, "web/a.log", "\n9\n");
    world_start(&w);
    world_settle(&w);
    assert_true(slice_eq(slice_of(w.out.data, w.out.len), SLICE("1\n2\n3\n4\n5\n6\n7\n8\0\n9\n")));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shorter),  cmocka_unit_test(test_as_long), cmocka_unit_test(test_longer),
        cmocka_unit_test(test_no_times), cmocka_unit_test(test_small),   cmocka_unit_test(test_written_anew),
        cmocka_unit_test(test_torn),     cmocka_unit_test(test_banner),  cmocka_unit_test(test_large),
        cmocka_unit_test(test_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
