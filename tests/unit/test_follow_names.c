/* Files whose names have a number or date before their ending: rotated ones of the log beside them, or logs
 * of their own. */
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

/* Rotated while running; stopped and started while only the rotated file is there, and once more after. */
static void rotate_to(const char *name)
{
    struct world w;
    char path[64];
    snprintf(path, sizeof(path), "web/%s", name);
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", path);
    world_settle(&w);
    world_write(&w, path, "2\n");
    world_settle(&w);
    world_save(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n");
    world_write(&w, "web/a.log", "3\n");
    world_settle(&w);
    world_run(&w, 1100);
    world_save(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

static void test_renamed_before_the_ending(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a.2026-11-25.log",    "a-2026-11-25.log", "a.2026-11-25.1.log",  "a-2026-11-25-1.log", "a.1.log",
        "a.2026-11-25_13.log", "a_20261125.log",   "a-2026-11-25-13.log", "a.log.2026-11-25",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        rotate_to(names[i]);
    }
}

static void test_renamed_while_stopped(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n2\n");
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "3\n");
    world_rename(&w, "web/a.log", "web/a.2026-11-23.log");
    usleep(20000); /* a rotation later, by the clock of files */
    world_write(&w, "web/a.log", "4\n");
    world_rename(&w, "web/a.log", "web/a.2026-11-24.log");
    world_pack(&w, "web/a.2026-11-24.log");
    usleep(20000);
    world_write(&w, "web/a.log", "5\n");
    world_rename(&w, "web/a.log", "web/a.2026-11-25.log");
    usleep(20000);
    world_write(&w, "web/a.log", "6\n");
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n6\n");
    world_free(&w);
}

static void test_there_at_the_first_start(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a-2026-11-24-1.log", "1\n");
    usleep(20000);
    world_write(&w, "web/a-2026-11-24-2.log", "2\n");
    world_pack(&w, "web/a-2026-11-24-2.log");
    usleep(20000);
    world_write(&w, "web/a-2026-11-25-1.log", "3\n");
    usleep(20000);
    world_write(&w, "web/a.log", "4\n");
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

/* The numbers of all files shift, several times between two looks. */
static void test_numbers_shift(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    for (int turn = 0; turn < 3; turn++) {
        rename(world_path(&w, "web/a.2.log"), world_path(&w, "web/a.3.log"));
        rename(world_path(&w, "web/a.1.log"), world_path(&w, "web/a.2.log"));
        world_rename(&w, "web/a.log", "web/a.1.log");
        usleep(20000);
        world_write(&w, "web/a.log", turn == 0 ? "2\n" : turn == 1 ? "3\n" : "4\n");
    }
    world_settle(&w);
    world_save(&w);
    world_settle(&w);
    world_rename(&w, "web/a.3.log", "web/a.4.log");
    world_rename(&w, "web/a.2.log", "web/a.3.log");
    world_rename(&w, "web/a.1.log", "web/a.2.log");
    world_rename(&w, "web/a.log", "web/a.1.log");
    world_settle(&w);
    world_write(&w, "web/a.log", "5\n");
    world_settle(&w);
    world_run(&w, 1100);
    world_save(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

static void test_copied_and_truncated(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_copy(&w, "web/a.log", "web/a.1.log");
    world_truncate_to(&w, "web/a.log", "");
    world_settle(&w);
    world_write(&w, "web/a.log", "two\n");
    world_settle(&w);
    world_write(&w, "web/a.log", "three\n"); /* unread as it is copied */
    world_rename(&w, "web/a.1.log", "web/a.2.log");
    world_copy(&w, "web/a.log", "web/a.1.log");
    world_truncate_to(&w, "web/a.log", "");
    world_write(&w, "web/a.log", "4\n");
    world_settle(&w);
    world_run(&w, 1100);
    world_expect(&w, "1\ntwo\nthree\n4\n");
    world_free(&w);
}

/* An application that opens a new file each day, or numbers its own. */
static void test_no_log_beside(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a-2026-11-24.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a-2026-11-25.log", "2\n");
    world_settle(&w);
    world_write(&w, "web/b.2.log", "3\n");
    world_settle(&w);
    world_save(&w);
    world_write(&w, "web/a-2026-11-24.log", "4\n");
    world_settle(&w);
    world_write(&w, "web/a-2026-11-25.log", "5\n");
    world_settle(&w);
    world_write(&w, "web/b.2.log", "6\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n6\n");
    world_free(&w);
}

/* Both are written to, each by a process of its own. */
static void test_two_live_logs(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.1.log", "2\n");
    world_settle(&w);
    world_write(&w, "web/a.log", "3\n");
    world_settle(&w);
    world_write(&w, "web/a.1.log", "4\n");
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.1.log", "5\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "6\n");
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.2026-11-25.log");
    world_write(&w, "web/a.log", "7\n");
    world_settle(&w);
    world_write(&w, "web/a.1.log", "8\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n6\n7\n8\n");
    world_free(&w);
}

/* Both were there at the first start, the one was read and delivered when we were killed, the other not. */
static void test_two_live_logs_and_a_kill(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_checkpoint(&w);
    w.stalled = true;
    world_write(&w, "web/a.1.log", "2\n");
    world_run(&w, 50);
    world_kill(&w);
    w.stalled = false;
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n");
    world_free(&w);
}

/* Older than the log, so it looked like a file of it; then somebody writes to it. */
static void test_older_one_is_written_to(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a-1.log", "1\n");
    usleep(20000);
    world_write(&w, "web/a.log", "2\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n");
    world_write(&w, "web/a-1.log", "3\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_save(&w);
    world_write(&w, "web/a-1.log", "4\n");
    world_settle(&w);
    world_write(&w, "web/a.log", "5\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

/* The log's name is a link to the newest of the files. */
static void test_link_to_the_newest(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a-2026-11-24.log", "1\n");
    assert_int_equal(symlink("a-2026-11-24.log", world_path(&w, "web/a.log")), 0);
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a-2026-11-24.log", "2\n");
    world_settle(&w);
    world_run(&w, 1100);
    world_expect(&w, "1\n2\n");
    world_free(&w);
}

/* -- everything at random --------------------------------------------------------------------- */

struct writer {
    struct world w;
    struct buf expected;
    unsigned next, generations;
    bool dated;
};

static void write_next(struct writer *wr)
{
    char line[32];
    snprintf(line, sizeof(line), "line %u\n", wr->next++);
    world_write(&wr->w, "web/a.log", line);
    assert_int_equal(buf_addf(&wr->expected, "%s", line), 0);
}

static void rotate(struct writer *wr, bool compress)
{
    char from[64], to[64];
    struct stat st;
    usleep(8000); /* more than the clock of files needs to move on */
    if (stat(world_path(&wr->w, "web/a.log"), &st) < 0) {
        return;
    }
    unsigned n = ++wr->generations;
    if (wr->dated) {
        snprintf(to, sizeof(to), "web/a-2026-%02u-%02u.log", n / 28 + 1, n % 28 + 1);
        world_rename(&wr->w, "web/a.log", to);
    } else {
        strcpy(to, "web/a.1.log");
        for (unsigned i = n; i-- > 0;) {
            for (int kind = 0; kind < 3; kind++) {
                snprintf(from, sizeof(from), "web/a%s%.0u.log%s", i ? "." : "", i,
                         kind ? world_suffixes[kind - 1] : "");
                char next[64];
                snprintf(next, sizeof(next), "web/a.%u.log%s", i + 1, kind ? world_suffixes[kind - 1] : "");
                if (stat(world_path(&wr->w, from), &st) == 0) {
                    world_rename(&wr->w, from, next);
                }
            }
        }
    }
    if (compress) {
        world_suffix = world_suffixes[rand() % 2];
        world_pack(&wr->w, to);
    }
}

static void stop_and_go(struct writer *wr)
{
    world_kill(&wr->w);
    for (int i = rand() % 3; i > 0; i--) {
        write_next(wr);
        rotate(wr, rand() % 2);
    }
    world_start(&wr->w);
}

static void random_run(unsigned seed)
{
    struct writer wr = {.dated = seed % 2};
    srand(seed);
    world_new_plain(&wr.w);
    world_start(&wr.w);
    write_next(&wr);
    world_settle(&wr.w);
    world_save(&wr.w); /* the log is known from here on, also where it is not there at a start */
    for (int step = 0; step < 80; step++) {
        switch (rand() % 10) {
        case 0:
            rotate(&wr, rand() % 2);
            break;
        case 1:
        case 2:
            world_run(&wr.w, rand() % 4);
            break;
        case 3:
            world_save(&wr.w);
            break;
        case 4:
            stop_and_go(&wr);
            break;
        default:
            write_next(&wr);
        }
    }
    write_next(&wr);
    world_settle(&wr.w);
    world_run(&wr.w, 1100); /* a safety look, in case the last rotation was met in its middle */
    world_settle(&wr.w);
    if (!slice_eq(slice_of(wr.w.out.data, wr.w.out.len), slice_of(wr.expected.data, wr.expected.len))) {
        fail_msg("seed %u: expected %zu bytes, got %zu: <<%.*s>>", seed, wr.expected.len, wr.w.out.len,
                 (int)wr.w.out.len, wr.w.out.data);
    }
    buf_free(&wr.expected);
    world_free(&wr.w);
}

static void test_random_rotations(void **state)
{
    (void)state;
    const char *seed = getenv("FOLLOW_SEED"), *runs = getenv("FOLLOW_RUNS");
    unsigned first = seed ? (unsigned)atoi(seed) : 1;
    for (unsigned i = 0; i < (runs ? (unsigned)atoi(runs) : 4); i++) {
        random_run(first + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renamed_before_the_ending),
        WORLD_TEST_ARCHIVES(test_renamed_while_stopped),
        WORLD_TEST_ARCHIVES(test_there_at_the_first_start),
        cmocka_unit_test(test_numbers_shift),
        cmocka_unit_test(test_copied_and_truncated),
        cmocka_unit_test(test_no_log_beside),
        cmocka_unit_test(test_two_live_logs),
        cmocka_unit_test(test_two_live_logs_and_a_kill),
        cmocka_unit_test(test_older_one_is_written_to),
        cmocka_unit_test(test_link_to_the_newest),
        cmocka_unit_test(test_random_rotations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
