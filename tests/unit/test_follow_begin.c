/* Where reading goes on after a stop, and with which file: files that begin alike, files that are gone, a
 * start at the end. */
#include <fcntl.h>
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
#include "source/log/tailer.h"
#include "world.h"

#define ID WORLD_ID
#define ENTRY(text)                                                                                          \
    "{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.668510088Z\"}\n"

/* The first lines of each file are the same, and longer than what files are known by. */
static void write_alike(struct world *w, const char *name, const char *text, struct buf *expected)
{
    char banner[1200];
    memset(banner, '=', sizeof(banner));
    strcpy(banner + sizeof(banner) - 2, "\n");
    world_write(w, name, banner);
    world_write(w, name, text);
    assert_int_equal(buf_addf(expected, "%s%s", banner, text), 0);
}

static void rotate_alike(bool compress)
{
    struct world w;
    struct buf expected = {0};
    world_new_plain(&w);
    world_start(&w);
    write_alike(&w, "web/a.log", "one\n", &expected);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.3");
    write_alike(&w, "web/a.log.2", "two\n", &expected);
    write_alike(&w, "web/a.log.1", "six\n", &expected);
    write_alike(&w, "web/a.log", "ten\n", &expected);
    if (compress) {
        world_pack(&w, "web/a.log.3");
        world_pack(&w, "web/a.log.2");
    }
    world_settle(&w);
    assert_int_equal(buf_add(&expected, "", 1), 0);
    world_expect(&w, expected.data);
    buf_free(&expected);
    world_free(&w);
}

static void test_files_that_begin_alike(void **state)
{
    (void)state;
    rotate_alike(false);
}

static void test_archives_that_begin_alike(void **state)
{
    (void)state;
    rotate_alike(true);
}

/* What was being read is an archive by now, and all that came later begins alike. */
static void test_archives_that_begin_alike_after_a_stop(void **state)
{
    (void)state;
    struct world w;
    struct buf expected = {0};
    world_new_plain(&w);
    world_start(&w);
    write_alike(&w, "web/a.log", "one\n", &expected);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "two\n");
    assert_int_equal(buf_addf(&expected, "two\n"), 0);
    world_rename(&w, "web/a.log", "web/a.log.3");
    world_pack(&w, "web/a.log.3");
    write_alike(&w, "web/a.log.2", "six, and more\n", &expected);
    world_pack(&w, "web/a.log.2");
    write_alike(&w, "web/a.log.1", "seven, and more\n", &expected);
    write_alike(&w, "web/a.log", "ten, and more\n", &expected);
    uint64_t gaps = metrics.gaps, truncations = metrics.truncations;
    world_start(&w);
    world_settle(&w);
    assert_int_equal(buf_add(&expected, "", 1), 0);
    world_expect(&w, expected.data);
    assert_int_equal(metrics.gaps, gaps);
    assert_int_equal(metrics.truncations, truncations);
    buf_free(&expected);
    world_free(&w);
}

/* The file that was being read is gone, and another that begins alike stands in its place. */
static void test_successor_that_begins_alike(void **state)
{
    (void)state;
    struct world w;
    struct buf expected = {0};
    world_new_plain(&w);
    world_start(&w);
    write_alike(&w, "web/a.log", "one\n", &expected);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    unlink(world_path(&w, "web/a.log"));
    write_alike(&w, "web/a.log", "six\nten\n", &expected);
    uint64_t told = metrics.gaps + metrics.truncations;
    world_start(&w);
    world_settle(&w);
    assert_int_equal(buf_add(&expected, "", 1), 0);
    world_expect(&w, expected.data);
    assert_int_equal(metrics.gaps + metrics.truncations, told + 1);
    buf_free(&expected);
    world_free(&w);
}

/* Truncated, and past the place where we were with the same beginning before we look. */
static void test_truncated_and_begun_alike(void **state)
{
    (void)state;
    struct world w;
    struct buf expected = {0};
    world_new_plain(&w);
    world_start(&w);
    write_alike(&w, "web/a.log", "one\n", &expected);
    world_settle(&w);
    assert_int_equal(truncate(world_path(&w, "web/a.log"), 0), 0);
    write_alike(&w, "web/a.log", "six\nten\n", &expected);
    world_settle(&w);
    assert_int_equal(buf_add(&expected, "", 1), 0);
    world_expect(&w, expected.data);
    buf_free(&expected);
    world_free(&w);
}

/* One more log of numbered lines: each of its files begins with the same kilobyte. */
struct alike {
    struct world w;
    struct buf expected;
    unsigned next, generations;
};

static void write_next(struct alike *a)
{
    char line[32];
    struct stat st;
    snprintf(line, sizeof(line), "line %u\n", a->next++);
    if (stat(world_path(&a->w, "web/a.log"), &st) < 0) {
        write_alike(&a->w, "web/a.log", line, &a->expected);
    } else {
        world_write(&a->w, "web/a.log", line);
        assert_int_equal(buf_addf(&a->expected, "%s", line), 0);
    }
}

static void rotate_next(struct alike *a, bool compress)
{
    char from[64], to[64];
    struct stat st;
    if (stat(world_path(&a->w, "web/a.log"), &st) < 0) {
        return;
    }
    for (unsigned i = ++a->generations; i-- > 0;) {
        for (int kind = 0; kind < 3; kind++) {
            snprintf(from, sizeof(from), "web/a.log%s%.0u%s", i ? "." : "", i,
                     kind ? world_suffixes[kind - 1] : "");
            snprintf(to, sizeof(to), "web/a.log.%u%s", i + 1, kind ? world_suffixes[kind - 1] : "");
            if (stat(world_path(&a->w, from), &st) == 0) {
                world_rename(&a->w, from, to);
            }
        }
    }
    if (compress) {
        world_suffix = world_suffixes[rand() % 2];
        world_pack(&a->w, "web/a.log.1");
    }
}

static void stop_and_go(struct alike *a)
{
    world_kill(&a->w);
    for (int i = rand() % 3; i > 0; i--) {
        write_next(a);
        rotate_next(a, rand() % 2);
    }
    world_start(&a->w);
}

static void random_run(unsigned seed)
{
    struct alike a = {.w = {.out = {0}}};
    srand(seed);
    world_new_plain(&a.w);
    a.w.cfg->hold_files = seed % 2 ? 100 : 1 + seed % 3;
    world_start(&a.w);
    for (int step = 0; step < 80; step++) {
        switch (rand() % 10) {
        case 0:
            rotate_next(&a, rand() % 2);
            break;
        case 1:
        case 2:
            world_run(&a.w, rand() % 4);
            break;
        case 3:
            world_save(&a.w);
            break;
        case 4:
            stop_and_go(&a);
            break;
        default:
            write_next(&a);
        }
    }
    write_next(&a);
    world_settle(&a.w);
    world_run(&a.w, 1100); /* a safety look, in case the last rotation was met in its middle */
    world_settle(&a.w);
    if (!slice_eq(slice_of(a.w.out.data, a.w.out.len), slice_of(a.expected.data, a.expected.len))) {
        fail_msg("seed %u: expected %zu bytes, got %zu: <<%.*s>>", seed, a.expected.len, a.w.out.len,
                 (int)a.w.out.len, a.w.out.data);
    }
    buf_free(&a.expected);
    world_free(&a.w);
}

static void test_random_rotations_of_files_alike(void **state)
{
    (void)state;
    const char *seed = getenv("FOLLOW_SEED"), *runs = getenv("FOLLOW_RUNS");
    unsigned first = seed ? (unsigned)atoi(seed) : 1;
    for (unsigned i = 0; i < (runs ? (unsigned)atoi(runs) : 4); i++) {
        random_run(first + i);
    }
}

static void test_from_end_once_it_may_be_read(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->start_at = START_END;
    world_write(&w, "web/a.log.1", "older\n");
    world_write(&w, "web/a.log", "old\n");
    assert_int_equal(chmod(world_path(&w, "web/a.log"), 0600), 0);
    world_as_nobody(&w);
    world_start(&w);
    world_settle(&w);
    world_as_root();
    assert_int_equal(chmod(world_path(&w, "web/a.log"), 0644), 0);
    world_run(&w, 1200);
    world_write(&w, "web/a.log", "new\n");
    world_settle(&w);
    world_expect(&w, "new\n");
    world_free(&w);
}

/* The live file is made anew only after the start: what was archived before is old all the same. */
/* Logs that say nothing until the next start, one of them empty: all that was written meanwhile is read then. */
static void test_from_end_of_silent_logs(void **state)
{
    (void)state;
    struct world w;
    uint64_t gaps = metrics.gaps, truncations = metrics.truncations;
    world_new_plain(&w);
    w.cfg->start_at = START_END;
    world_write(&w, "web/a.log", "old\ntorn");
    world_write(&w, "web/b.log", "");
    world_write(&w, "web/c.log", "old\n");
    world_write(&w, "web/d.log", "");
    world_start(&w);
    world_settle(&w);
    world_checkpoint(&w);
    world_kill(&w);
    usleep(20000);
    world_write(&w, "web/a.log", " line\n");
    world_write(&w, "web/b.log", "1\n");
    world_rename(&w, "web/b.log", "web/b.log.1");
    world_write(&w, "web/b.log", "2\n");
    world_rename(&w, "web/c.log", "web/c.log.1");
    world_write(&w, "web/c.log.1", "3\n");
    world_write(&w, "web/c.log", "4\n");
    world_start(&w);
    world_settle(&w);
    assert_int_equal(w.out.len, strlen("torn line\n1\n2\n3\n4\n"));
    assert_int_equal(buf_add(&w.out, "", 1), 0);
    const char *text = w.out.data;
    assert_non_null(strstr(text, "torn line\n"));
    assert_true(strstr(text, "1\n") && strstr(text, "1\n") < strstr(text, "2\n"));
    assert_true(strstr(text, "3\n") && strstr(text, "3\n") < strstr(text, "4\n"));
    assert_int_equal(metrics.gaps, gaps);
    assert_int_equal(metrics.truncations, truncations);
    world_free(&w);
}

/* What stands in the output before `then` must be there, and before it. */
static void expect_before(struct world *w, const char *first, const char *then)
{
    const char *text = w->out.data, *at = strstr(text, first), *after = strstr(text, then);
    if (!at || !after || at >= after) {
        fail_msg("%s%snot in this order in <<%s>>", first, then, text);
    }
}

/* What came while it was stopped is new, though the log has no position; what was there before is not. */
static void test_from_end_of_what_came_while_stopped(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->start_at = START_END;
    world_write(&w, "web/a.txt", "old\n");
    world_write(&w, "web/b.log.1", "old\n");
    world_write(&w, "web/c.txt", "old\n");
    usleep(20000); /* more than the clock of files needs to move on */
    world_start(&w);
    world_settle(&w);
    world_checkpoint(&w);
    world_kill(&w);
    usleep(20000);
    world_rename(&w, "web/a.txt", "web/a.log");
    world_write(&w, "web/b.log", "b1\n");
    world_rename(&w, "web/c.txt", "web/c.log.2");
    world_write(&w, "web/c.log", "c1\n");
    world_rename(&w, "web/c.log", "web/c.log.1");
    world_write(&w, "web/c.log", "c2\n");
    world_write(&w, "web/d.log", "d1\n");
    world_rename(&w, "web/d.log", "web/d.log.1");
    world_pack(&w, "web/d.log.1");
    world_write(&w, "web/d.log", "d2\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "a1\n");
    world_settle(&w);
    assert_int_equal(w.out.len, 6 * 3);
    assert_int_equal(buf_add(&w.out, "", 1), 0);
    expect_before(&w, "b1\n", "a1\n");
    expect_before(&w, "c1\n", "c2\n");
    expect_before(&w, "d1\n", "d2\n");
    world_free(&w);
}

/* The first start found no container at all. */
static void test_from_end_of_a_container_that_came_while_stopped(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    w.cfg->start_at = START_END;
    world_start(&w);
    world_settle(&w);
    world_checkpoint(&w);
    world_kill(&w);
    usleep(20000);
    world_container(&w);
    world_write_entry(&w, WORLD_ID "/" WORLD_ID "-json.log", "new\\n");
    world_start(&w);
    world_await(&w, "new\n");
    world_free(&w);
}

static void test_from_end_of_archives(void **state)
{
    (void)state;
    struct world w;
    struct error err;
    world_new_plain(&w);
    world_start(&w);
    for (unsigned i = 0; i < 500; i++) {
        world_write(&w, "b.log.1", "much older\n");
    }
    world_pack(&w, "b.log.1");
    world_rename(&w, world_packed("b.log.1"), world_packed("b.log.2"));
    for (unsigned i = 0; i < 500; i++) {
        world_write(&w, "b.log.1", "older\n");
    }
    world_pack(&w, "b.log.1");
    struct source_env env = {.base = w.base, .cfg = w.cfg, .pipeline = w.pipeline, .checkpoint = w.positions};
    struct tailer *tailer = tailer_new(&env, &err);
    struct tags *tags = tags_new(&(struct identity){.service = "web"}, w.cfg);
    struct follow_options options = {
        .key = "b", .path = world_path(&w, "b.log"), .tags = tags, .from_end = true};
    struct follow *f = tailer_follow(tailer, &options);
    follow_look(f);
    world_settle(&w);
    world_expect(&w, "");
    world_write(&w, "b.log", "new\n");
    follow_look(f);
    world_settle(&w);
    world_expect(&w, "new\n");
    tailer_unfollow(tailer, f);
    tags_unref(tags);
    tailer_free(tailer);
    world_free(&w);
}

static void save_position(struct world *w, const char *key, const struct position *pos)
{
    struct error err;
    struct checkpoint *c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, w->checkpoint, 3600 * NS_PER_S, &err), 0);
    assert_int_equal(checkpoint_set(c, key, pos), 0);
    assert_int_equal(checkpoint_save(c, &err), 0);
    checkpoint_free(c);
}

/* A position of the Engine's API says nothing of a file, at a later look neither. */
static void test_position_of_another_kind(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "one\n");
    assert_int_equal(chmod(world_path(&w, "web/a.log"), 0600), 0);
    uint64_t told = metrics.gaps + metrics.truncations;
    world_as_nobody(&w);
    save_position(&w, world_path(&w, "web/a.log"),
                  &(struct position){.kind = POSITION_API, .at.api = {INT64_MAX, 1}});
    world_start(&w);
    world_settle(&w);
    world_as_root();
    world_run(&w, 1200);
    world_expect(&w, "one\n");
    assert_int_equal(metrics.gaps + metrics.truncations, told);
    world_free(&w);
}

/* The file in which an unfinished line began is gone: its beginning is lost, and said to be. */
static void test_beginning_of_a_line_gone(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_container(&w);
    world_start(&w);
    world_write(&w, ID "/" ID "-json.log", ENTRY("one\\n"));
    world_write_entry(&w, ID "/" ID "-json.log", world_piece("be"));
    world_settle(&w);
    world_rename(&w, ID "/" ID "-json.log", ID "/" ID "-json.log.1");
    world_write_entry(&w, ID "/" ID "-json.log", world_piece("gin"));
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    uint64_t gaps = metrics.gaps;
    unlink(world_path(&w, ID "/" ID "-json.log.1"));
    world_write(&w, ID "/" ID "-json.log", ENTRY("ning\\n") ENTRY("two\\n"));
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "one\nning\ntwo\n");
    assert_int_equal(metrics.gaps, gaps + 1);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_files_that_begin_alike, world_back_to_root),
        WORLD_TEST_ARCHIVES_TEARDOWN(test_archives_that_begin_alike, world_back_to_root),
        WORLD_TEST_ARCHIVES_TEARDOWN(test_archives_that_begin_alike_after_a_stop, world_back_to_root),
        cmocka_unit_test_teardown(test_successor_that_begins_alike, world_back_to_root),
        cmocka_unit_test_teardown(test_truncated_and_begun_alike, world_back_to_root),
        cmocka_unit_test(test_random_rotations_of_files_alike),
        cmocka_unit_test_teardown(test_from_end_once_it_may_be_read, world_back_to_root),
        cmocka_unit_test(test_from_end_of_silent_logs),
        WORLD_TEST_ARCHIVES(test_from_end_of_what_came_while_stopped),
        cmocka_unit_test(test_from_end_of_a_container_that_came_while_stopped),
        WORLD_TEST_ARCHIVES_TEARDOWN(test_from_end_of_archives, world_back_to_root),
        cmocka_unit_test_teardown(test_position_of_another_kind, world_back_to_root),
        cmocka_unit_test_teardown(test_beginning_of_a_line_gone, world_back_to_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
