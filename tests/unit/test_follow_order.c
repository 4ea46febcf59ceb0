/* Which of a log's files come first, where their names and times say little. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "world.h"

static struct timespec mtime_of(struct world *w, const char *name)
{
    struct stat st;
    assert_int_equal(stat(world_path(w, name), &st), 0);
    return st.st_mtim;
}

static void set_mtime(struct world *w, const char *name, struct timespec to)
{
    struct timespec times[2] = {to, to};
    assert_int_equal(utimensat(AT_FDCWD, world_path(w, name), times, 0), 0);
}

static void start(struct world *w)
{
    world_new_plain(w);
    world_write(w, "web/a.log", "1\n");
    world_start(w);
    world_settle(w);
    world_save(w);
}

static void expect_for_good(struct world *w, const char *text)
{
    world_await(w, text);
    world_run(w, 1100);
    world_save(w);
    world_kill(w);
    world_start(w);
    world_settle(w);
    world_expect(w, text);
    world_free(w);
}

/* Two rotations at once, the file that was being read deleted: what was written between has the same time as
 * that, or an earlier one. */
static void test_times_tell_nothing_while_running(void **state)
{
    (void)state;
    for (int back = 0; back <= 10; back += 10) {
        struct world w;
        start(&w);
        struct timespec time = mtime_of(&w, "web/a.log");
        time.tv_sec -= back;
        assert_int_equal(unlink(world_path(&w, "web/a.log")), 0);
        world_write(&w, "web/a.log", "2\n");
        world_rename(&w, "web/a.log", "web/a.log.1");
        world_write(&w, "web/a.log", "3\n");
        set_mtime(&w, "web/a.log.1", time);
        set_mtime(&w, "web/a.log", time);
        expect_for_good(&w, "1\n2\n3\n");
    }
}

/* The clock is set back while it is stopped, and the log is rotated and packed. */
static void test_clock_set_back_while_stopped(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    struct timespec time = mtime_of(&w, "web/a.log");
    uint64_t gaps = metrics.gaps;
    world_kill(&w);
    world_write(&w, "web/a.log", "2\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_pack(&w, "web/a.log.1");
    world_write(&w, "web/a.log", "3\n");
    time.tv_sec -= 10;
    set_mtime(&w, world_packed("web/a.log.1"), time);
    time.tv_sec += 5;
    set_mtime(&w, "web/a.log", time);
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n");
    assert_int_equal(metrics.gaps, gaps);
}

static void rotate_up(struct world *w, const char *to)
{
    usleep(20000); /* more than the clock of files needs to move on */
    world_rename(w, "web/a.log", to);
    usleep(20000);
}

/* The oldest is .1. */
static void test_numbers_count_up(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    rotate_up(&w, "web/a.log.1");
    world_write(&w, "web/a.log", "2\n");
    rotate_up(&w, "web/a.log.2");
    world_write(&w, "web/a.log", "3\n");
    world_start(&w);
    world_await(&w, "1\n2\n3\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "4\n");
    rotate_up(&w, "web/a.log.3");
    world_write(&w, "web/a.log", "5\n");
    rotate_up(&w, "web/a.log.4");
    world_write(&w, "web/a.log", "6\n");
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n4\n5\n6\n");
}

/* The same with copytruncate, and not a line comes again at a start after that. */
static void test_copies_count_up(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    for (char copy[] = "web/a.log.1"; copy[10] <= '3'; copy[10]++) {
        char next[] = {(char)(copy[10] + 1), '\n', '\0'};
        usleep(20000);
        world_copy(&w, "web/a.log", copy);
        world_truncate_to(&w, "web/a.log", next);
    }
    world_start(&w);
    world_await(&w, "1\n2\n3\n4\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "5\n");
    world_copy(&w, "web/a.log", "web/a.log.4");
    world_truncate_to(&w, "web/a.log", "6\n");
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n4\n5\n6\n");
}

/* The same, each packed at once by what keeps no time. */
static void test_archives_count_up(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    for (char name[] = "web/a.log.1"; name[10] <= '5'; name[10]++) {
        char line[] = {name[10], '\n', '\0'};
        world_write(&w, "web/a.log", line);
        if (name[10] == '3') {
            world_start(&w);
            world_await(&w, "1\n2\n3\n");
            world_save(&w);
            world_kill(&w);
        }
        rotate_up(&w, name);
        world_pack(&w, name);
    }
    world_write(&w, "web/a.log", "6\n");
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n4\n5\n6\n");
}

/* Packed without times, so that the numbers seem to count up, while they count down: what cannot be told comes a second
 * time rather than not at all, and reading goes on. */
static void test_what_cannot_be_told_is_read(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_kill(&w);
    rotate_up(&w, "web/a.log.1");
    world_write(&w, "web/a.log", "2\n");
    usleep(20000);
    world_pack(&w, "web/a.log.1");
    world_rename(&w, world_packed("web/a.log.1"), world_packed("web/a.log.3"));
    rotate_up(&w, "web/a.log.1");
    world_pack(&w, "web/a.log.1");
    world_rename(&w, world_packed("web/a.log.1"), world_packed("web/b"));
    world_write(&w, "web/a.log", "3\n");
    usleep(20000);
    world_copy(&w, world_packed("web/b"), world_packed("web/a.log.2"));
    usleep(20000);
    world_write(&w, "web/c", "0\n");
    world_pack(&w, "web/c");
    world_rename(&w, world_packed("web/c"), world_packed("web/a.log.4"));
    world_start(&w);
    expect_for_good(&w, "1\n0\n2\n3\n");
}

/* Numbers count down. What was rotated once more while it is stopped is packed by what keeps no time: later than what
 * is newer was written. */
static void test_packed_late_without_its_time(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_kill(&w);
    rotate_up(&w, "web/a.log.1");
    world_write(&w, "web/a.log", "2\n");
    world_start(&w);
    world_await(&w, "1\n2\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "3\n");
    usleep(20000);
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_pack(&w, "web/a.log.2");
    rotate_up(&w, "web/a.log.1");
    world_write(&w, "web/a.log", "4\n");
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n4\n");
}

/* The mtime of the older file was set to one long after that of the newer. */
static void test_mtime_set(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "2\n");
    struct timespec time = mtime_of(&w, "web/a.log");
    time.tv_sec += 3600;
    rotate_up(&w, "web/a.log.1");
    set_mtime(&w, "web/a.log.1", time);
    world_write(&w, "web/a.log", "3\n");
    rotate_up(&w, "web/a.log.2");
    world_write(&w, "web/a.log", "4\n");
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n4\n");
}

/* Packed under its own name, without a number. */
static void test_packed_under_its_own_name(void **state)
{
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        struct world w;
        start(&w);
        if (stopped) {
            world_kill(&w);
        }
        world_write(&w, "web/a.log", "2\n");
        world_pack(&w, "web/a.log");
        usleep(20000);
        world_write(&w, "web/a.log", "3\n");
        if (stopped) {
            world_start(&w);
        }
        expect_for_good(&w, "1\n2\n3\n");
    }
}

/* gzip has begun, and the log is there still. */
static void test_being_packed_at_the_first_start(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    usleep(20000);
    world_copy(&w, "web/a.log", "web/b");
    world_pack(&w, "web/b");
    world_rename(&w, world_packed("web/b"), world_packed("web/a.log"));
    world_start(&w);
    expect_for_good(&w, "1\n");
}

/* A file that was made since has the inode of the one that was read: that is a gap. */
static void test_inode_used_again(void **state)
{
    (void)state;
    struct world w;
    struct stat was, is = {0};
    start(&w);
    assert_int_equal(stat(world_path(&w, "web/a.log"), &was), 0);
    uint64_t gaps = metrics.gaps;
    world_kill(&w);
    usleep(20000);
    assert_int_equal(unlink(world_path(&w, "web/a.log")), 0);
    world_write(&w, "web/a.log", "other\n");
    assert_int_equal(stat(world_path(&w, "web/a.log"), &is), 0);
    world_start(&w);
    world_await(&w, "1\nother\n");
    assert_int_equal(metrics.gaps, gaps + 1);
    world_free(&w);
}

/* The machine lost its power: the log's end never reached the disk, or as zeros only. What is written from then on
 * comes, and nothing else. The log is long enough to be known by its beginning. */
static void test_cut_by_a_power_failure(void **state)
{
    (void)state;
    for (int zeros = 0; zeros < 3; zeros++) {
        struct world w;
        struct stat st;
        char text[1300];
        snprintf(text, sizeof(text), "1\n%01200d\n22\n333\n", 0);
        start(&w);
        world_write(&w, "web/a.log", text + 2);
        world_settle(&w);
        world_save(&w);
        world_kill(&w);
        assert_int_equal(stat(world_path(&w, "web/a.log"), &st), 0);
        assert_int_equal(truncate(world_path(&w, "web/a.log"), st.st_size - 3), 0); /* inside a line */
        if (zeros == 0) {
            world_start(&w);
            world_settle(&w);
            world_save(&w);
            world_kill(&w);
        } else {
            off_t filled = zeros == 1 ? st.st_size - 1 : st.st_size + 20;
            assert_int_equal(truncate(world_path(&w, "web/a.log"), filled), 0);
        }
        world_write(&w, "web/a.log", "4\n");
        world_start(&w);
        strcat(text, "4\n");
        expect_for_good(&w, text);
    }
}

/* A copy is made later than the log that it was made of, which is written to and renamed after that. */
static void test_copied_then_renamed(void **state)
{
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        struct world w;
        world_new_plain(&w);
        world_write(&w, "web/a.log", "1\n");
        world_start(&w);
        world_settle(&w);
        world_copy(&w, "web/a.log", "web/a.log.1");
        world_truncate_to(&w, "web/a.log", "");
        world_settle(&w);
        world_save(&w);
        if (stopped) {
            world_kill(&w);
        }
        usleep(20000); /* a tick of the clock of files */
        world_write(&w, "web/a.log", "2\n");
        world_rename(&w, "web/a.log.1", "web/a.log.2");
        world_rename(&w, "web/a.log", "web/a.log.1");
        world_write(&w, "web/a.log", "3\n");
        if (stopped) {
            world_start(&w);
        }
        world_settle(&w);
        world_expect(&w, "1\n2\n3\n");
        world_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copied_then_renamed),
        cmocka_unit_test(test_times_tell_nothing_while_running),
        WORLD_TEST_ARCHIVES(test_clock_set_back_while_stopped),
        cmocka_unit_test(test_numbers_count_up),
        cmocka_unit_test(test_copies_count_up),
        WORLD_TEST_ARCHIVES(test_archives_count_up),
        WORLD_TEST_ARCHIVES(test_what_cannot_be_told_is_read),
        WORLD_TEST_ARCHIVES(test_packed_late_without_its_time),
        cmocka_unit_test(test_mtime_set),
        WORLD_TEST_ARCHIVES(test_packed_under_its_own_name),
        WORLD_TEST_ARCHIVES(test_being_packed_at_the_first_start),
        cmocka_unit_test(test_inode_used_again),
        cmocka_unit_test(test_cut_by_a_power_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
