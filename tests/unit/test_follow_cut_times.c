/* A loss of power cuts off so much of a log that only the times of its lines tell where it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "world.h"

#define LOG WORLD_ID "/" WORLD_ID "-json.log"

/* So many entries, one a second. */
struct run {
    int count, at_s; /* of the first: seconds since 05:00 */
};

static void write_run(struct world *w, int from, struct run run)
{
    struct buf text = {0};
    for (int i = 0; i < run.count; i++) {
        int s = run.at_s + i;
        buf_addf(&text, "{\"log\":\"%04d\\n\",\"stream\":\"%s\",\"time\":\"2026-11-24T%02d:%02d:%02d.5Z\"}\n",
                 from + i, i % 2 ? "stderr" : "stdout", 5 + s / 3600, s / 60 % 60, s % 60);
    }
    assert_int_equal(buf_addf(&text, "%s", ""), 0);
    world_write(w, LOG, text.len > 0 ? text.data : "");
    buf_free(&text);
}

static int write_runs(struct world *w, int from, const struct run runs[3])
{
    int count = 0;
    for (int i = 0; i < 3; i++) {
        write_run(w, from + count, runs[i]);
        count += runs[i].count;
    }
    return count;
}

struct loss {
    struct run old[3];
    int kept;            /* entries */
    int torn, zeros;     /* bytes behind those */
    struct run later[3]; /* numbered from 1000 */
    int again;           /* so many of those that are kept come again */
};

static off_t entries_len(int count)
{
    return count *
           (off_t)strlen("{\"log\":\"0000\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:00.5Z\"}\n");
}

static void add_numbers(struct buf *text, int from, int to)
{
    for (int i = from; i < to; i++) {
        assert_int_equal(buf_addf(text, "%04d\n", i), 0);
    }
}

static void begin_loss(struct world *w, const struct loss *loss, struct buf *text)
{
    metrics = (struct metrics){0};
    world_new_json(w);
    world_container(w);
    int old = write_runs(w, 0, loss->old);
    world_start(w);
    world_settle(w);
    world_save(w);
    world_kill(w);
    off_t len = entries_len(loss->kept) + loss->torn;
    assert_int_equal(truncate(world_path(w, LOG), len), 0);
    assert_int_equal(truncate(world_path(w, LOG), len + loss->zeros), 0);
    int later = write_runs(w, 1000, loss->later);
    add_numbers(text, 0, old);
    add_numbers(text, loss->kept - loss->again, loss->kept);
    add_numbers(text, 1000, 1000 + later);
}

/* What came out is as it has to be, also behind another start. */
static void end_loss(struct world *w, struct buf *text)
{
    world_start(w);
    world_settle(w);
    world_expectf(w, "%.*s", (int)text->len, text->data);
    assert_int_equal(metrics.cut_logs, 1);
    assert_int_equal(metrics.gaps + metrics.truncations, 0);
    world_save(w);
    world_kill(w);
    write_run(w, 2000, (struct run){2, 3000});
    add_numbers(text, 2000, 2002);
    world_start(w);
    world_settle(w);
    world_expectf(w, "%.*s", (int)text->len, text->data);
    assert_int_equal(metrics.cut_logs, 1);
    buf_free(text);
    world_free(w);
}

static void lose(const struct loss *loss)
{
    struct world w;
    struct buf text = {0};
    begin_loss(&w, loss, &text);
    end_loss(&w, &text);
}

/* At a line's end, inside an entry, with zeros behind; what comes later is newer, or there is nothing. */
static void test_where(void **state)
{
    (void)state;
    static const int torn[] = {0, 1, 40}, zeros[] = {0, 200, 20000};
    for (size_t t = 0; t < 3; t++) {
        for (size_t z = 0; z < 3; z++) {
            lose(&(struct loss){{{100, 0}}, 50, torn[t], zeros[z], {{3, 200}}, 0});
            lose(&(struct loss){{{100, 0}}, 50, torn[t], zeros[z], {{80, 200}}, 0});
            lose(&(struct loss){{{100, 0}}, 95, torn[t], zeros[z], {{3, 200}}, 0});
        }
    }
    lose(&(struct loss){{{100, 0}}, 50, 0, 0, {{0, 0}}, 0});
    lose(&(struct loss){{{100, 0}}, 50, 40, 0, {{0, 0}}, 0});
    lose(&(struct loss){{{100, 0}}, 50, 40, 100, {{0, 0}}, 0});
}

/* A clock that is behind after the loss, until it is set. */
static void test_clock_behind(void **state)
{
    (void)state;
    for (int torn = 0; torn <= 40; torn += 40) {
        lose(&(struct loss){{{100, 1000}}, 50, torn, 0, {{3, 0}}, 0});
        lose(&(struct loss){{{100, 1000}}, 50, torn, 0, {{3, 0}, {20, 1200}}, 0});
        lose(&(struct loss){{{100, 1000}}, 50, torn, 0, {{60, 0}, {3, 1200}}, 0});
        lose(&(struct loss){{{100, 1000}}, 50, torn, 0, {{3, 1020}, {3, 1200}}, 0});
        lose(&(struct loss){{{100, 1000}}, 95, torn, 0, {{3, 0}, {3, 1200}}, 0});
        lose(&(struct loss){{{100, 1000}}, 95, torn, 0, {{3, 1096}, {3, 1200}}, 0});
    }
    /* by no more than the loss and the time off: only a tear tells */
    lose(&(struct loss){{{100, 1000}}, 70, 40, 0, {{3, 1080}, {3, 1200}}, 0});
}

/* A clock that was ahead, or was set back, long before. */
static void test_clock_was_off(void **state)
{
    (void)state;
    lose(&(struct loss){{{1, 2000}, {99, 0}}, 50, 0, 0, {{3, 200}}, 0});
    lose(&(struct loss){{{20, 2000}, {100, 0}}, 50, 40, 0, {{3, 200}}, 0});
    lose(&(struct loss){{{40, 100}, {20, 0}, {100, 150}}, 100, 0, 0, {{3, 400}}, 0});
    /* all that was written since it was set is lost */
    lose(&(struct loss){{{100, 2000}, {20, 0}}, 90, 0, 0, {{3, 200}}, 0});
    lose(&(struct loss){{{100, 2000}, {20, 0}}, 90, 40, 0, {{3, 200}}, 0});
    /* and it is ahead again */
    lose(&(struct loss){{{100, 2000}, {20, 0}}, 90, 0, 0, {{3, 2200}}, 90});
}

/* The last lines of the two streams are out of order. */
static void test_order(void **state)
{
    (void)state;
    lose(&(struct loss){{{98, 0}, {1, 101}, {1, 99}}, 99, 0, 0, {{3, 200}}, 0});
    lose(&(struct loss){{{98, 0}, {1, 101}, {1, 99}}, 99, 40, 0, {{3, 200}}, 0});
    lose(&(struct loss){{{50, 0}, {1, 48}, {49, 51}}, 51, 0, 0, {{3, 200}}, 0});
    lose(&(struct loss){{{50, 0}, {1, 48}, {49, 51}}, 51, 40, 0, {{3, 200}}, 0});
}

/* A second loss, of which the first left a tear before: lines behind that were read. */
static void test_again(void **state)
{
    (void)state;
    struct world w;
    struct buf text = {0};
    static const struct loss loss = {{{100, 0}}, 50, 40, 200, {{300, 200}}, 0};
    struct stat st;
    begin_loss(&w, &loss, &text);
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    assert_int_equal(stat(world_path(&w, LOG), &st), 0);
    assert_int_equal(truncate(world_path(&w, LOG), st.st_size - entries_len(50)), 0);
    write_run(&w, 1500, (struct run){5, 700});
    add_numbers(&text, 1500, 1505);
    metrics.cut_logs = 0;
    end_loss(&w, &text);
}

/* Rotated since, packed, or copied and emptied: by its times it is known under any name. */
static void test_rotated(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        for (int kept = 50; kept < 100; kept += 45) {
            struct world w;
            struct buf text = {0};
            struct loss loss = {{{100, 0}}, kept, how == 3 ? 40 : 0, 0, {{3, 200}}, 0};
            begin_loss(&w, &loss, &text);
            if (how == 2) {
                world_copy(&w, LOG, LOG ".1");
                world_truncate_to(&w, LOG, "");
            } else {
                world_rename(&w, LOG, LOG ".1");
            }
            if (how % 2 == 1) {
                world_pack(&w, LOG ".1");
            }
            write_run(&w, 1100, (struct run){3, 300});
            add_numbers(&text, 1100, 1103);
            end_loss(&w, &text);
        }
    }
}

static void write_cri(struct world *w, int from, int to, int minute)
{
    for (int i = from; i < to; i++) {
        char entry[100];
        snprintf(entry, sizeof(entry), "2026-11-24T05:%02d:%02d.5Z stdout F %04d the text of a line\n",
                 minute, i % 60, i);
        world_write(w, "web/a.log", entry);
    }
}

/* In CRI a torn entry and the next one make an entry, but where it is torn before its text. */
static void test_cri(void **state)
{
    (void)state;
    static const int torn[] = {0, 10, 27, 50};
    for (int kept = 20; kept < 60; kept += 35) {
        for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
            struct world w;
            struct buf text = {0};
            struct stat st;
            metrics = (struct metrics){0};
            world_new_plain(&w);
            write_cri(&w, 0, 60, 1);
            world_start(&w);
            world_settle(&w);
            world_save(&w);
            world_kill(&w);
            assert_int_equal(stat(world_path(&w, "web/a.log"), &st), 0);
            assert_int_equal(truncate(world_path(&w, "web/a.log"), st.st_size / 60 * kept + torn[i]), 0);
            write_cri(&w, 1000, 1003, 9);
            for (int n = 0; n < 1003; n = n == 59 ? 1000 : n + 1) {
                assert_int_equal(buf_addf(&text, "%04d the text of a line\n", n), 0);
            }
            world_start(&w);
            world_settle(&w);
            world_expectf(&w, "%.*s", (int)text.len, text.data);
            assert_int_equal(metrics.cut_logs, 1);
            buf_free(&text);
            world_free(&w);
        }
    }
}

static void write_piece(struct world *w, const char *piece)
{
    struct buf entry = {0};
    assert_int_equal(buf_addf(&entry,
                              "{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:01:00.5Z\"}\n",
                              piece),
                     0);
    world_write(w, LOG, entry.data);
    buf_free(&entry);
}

static void write_errors(struct world *w, int from, int to, struct buf *text)
{
    for (int i = from; i < to; i++) {
        char entry[160];
        snprintf(entry, sizeof(entry),
                 "{\"log\":\"%04d\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-24T05:01:%02d.5Z\"}\n", i, i);
        world_write(w, LOG, entry);
    }
    add_numbers(text, from, to);
}

/* A line of which a piece was read and the rest was not: it is whole, where its beginning is left. */
static void test_unfinished(void **state)
{
    (void)state;
    static const struct {
        int kept;  /* of 20 + 30 lines, between which the piece is */
        bool lost; /* it is gone */
    } cuts[] = {{48, false}, {25, false}, {18, true}};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct world w;
        struct stat st;
        struct buf text = {0};
        const char *piece = world_piece("a long line");
        metrics = (struct metrics){0};
        world_new_json(&w);
        world_container(&w);
        write_errors(&w, 0, 20, &text);
        write_piece(&w, piece);
        write_errors(&w, 20, 50, &text);
        world_start(&w);
        world_settle(&w);
        world_save(&w);
        world_kill(&w);
        assert_int_equal(stat(world_path(&w, LOG), &st), 0);
        off_t len = cuts[i].lost ? entries_len(cuts[i].kept) : st.st_size - entries_len(50 - cuts[i].kept);
        assert_int_equal(truncate(world_path(&w, LOG), len), 0);
        write_piece(&w, " and its end\\n");
        assert_int_equal(buf_addf(&text, "%s and its end\n", cuts[i].lost ? "" : piece), 0);
        world_start(&w);
        world_settle(&w);
        world_expectf(&w, "%.*s", (int)text.len, text.data);
        assert_int_equal(metrics.cut_logs, 1);
        assert_int_equal(metrics.gaps, cuts[i].lost);
        buf_free(&text);
        world_free(&w);
    }
}

/* What a position keeps of the times before it, also where their texts do not sort as they do. */
static void test_newest(void **state)
{
    (void)state;
    static const struct {
        const char *time;
        int64_t newest_ms; /* since 05:00 */
    } lines[] = {
        {"05:00:10.5", 10500}, {"05:00:10.25", 10500}, {"05:00:10.51", 10510}, {"05:00:10.5", 10510},
        {"05:00:11", 11000},   {"05:00:09", 11000},    {"05:00:40", 40000},    {"05:00:36.123", 40000},
        {"05:00:20", 20000},   {"05:00:19.9", 20000},  {"05:00:21", 21000},
    };
    struct world w;
    world_new_json(&w);
    world_container(&w);
    world_start(&w);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char entry[160];
        snprintf(entry, sizeof(entry),
                 "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T%sZ\"}\n", lines[i].time);
        world_write(&w, LOG, entry);
        if (i % 3 == 2) { /* what an earlier run has seen counts as well */
            world_settle(&w);
            world_save(&w);
            world_kill(&w);
            world_start(&w);
        }
        world_settle(&w);
        const struct position *pos = pipeline_position(w.pipeline, WORLD_ID);
        assert_non_null(pos);
        assert_int_equal(pos->newest_ns / NS_PER_MS - INT64_C(1795496400000), lines[i].newest_ms);
    }
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where),         cmocka_unit_test(test_clock_behind),
        cmocka_unit_test(test_clock_was_off), cmocka_unit_test(test_order),
        cmocka_unit_test(test_again),         cmocka_unit_test(test_rotated),
        cmocka_unit_test(test_cri),           cmocka_unit_test(test_newest),
        cmocka_unit_test(test_unfinished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
