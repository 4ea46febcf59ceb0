/* Renames that are undone: a log that was rotated has its name again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "world.h"

/* What was read of it, and a new one of that text, which the collector has seen. */
static void rotate(struct world *w, const char *text)
{
    world_write(w, "web/a.log", "1\n2\n");
    world_start(w);
    world_settle(w);
    world_rename(w, "web/a.log", "web/a.log.1");
    world_write(w, "web/a.log", text);
    world_settle(w);
}

static void restart(struct world *w)
{
    world_save(w);
    world_settle(w);
}

/* The new one is gone, or has another name, and holds nothing. */
static void test_over_an_empty_one(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        struct world w;
        world_new_plain(&w);
        rotate(&w, "");
        if (kept) {
            world_rename(&w, "web/a.log", "web/a.log.2");
        }
        world_rename(&w, "web/a.log.1", "web/a.log");
        world_settle(&w);
        world_write(&w, "web/a.log", "3\n");
        world_settle(&w);
        world_run(&w, 1100);
        world_expect(&w, "1\n2\n3\n");
        restart(&w);
        world_write(&w, "web/a.log", "4\n");
        world_rename(&w, "web/a.log", "web/a.log.1");
        world_write(&w, "web/a.log", "5\n");
        world_settle(&w);
        world_expect(&w, "1\n2\n3\n4\n5\n");
        world_free(&w);
    }
}

/* Seen at once: in which order they came, nothing tells. */
static void test_written_to_meanwhile(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    rotate(&w, "");
    world_write(&w, "web/a.log.1", "3\n");
    world_write(&w, "web/a.log", "4\n");
    world_rename(&w, "web/a.log", "web/a.log.2");
    world_rename(&w, "web/a.log.1", "web/a.log");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_write(&w, "web/a.log", "5\n");
    world_await(&w, "1\n2\n3\n4\n5\n");
    world_run(&w, 1500);
    restart(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

/* Rotated once more, and packed, before the next look. */
static void test_packed(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    rotate(&w, "");
    world_rename(&w, "web/a.log.1", "web/a.log");
    world_settle(&w);
    usleep(20000); /* by the clock of files */
    world_write(&w, "web/a.log", "3\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_pack(&w, "web/a.log.1");
    world_write(&w, "web/a.log", "4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

/* What is packed holds the same as a file that is still read, and is another one. */
static void test_packed_alike(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    rotate(&w, "");
    world_write(&w, "web/a.log", "3\n");
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_rename(&w, "web/a.log", "web/a.log.1");
    usleep(20000); /* by the clock of files */
    world_write(&w, "web/a.log", "1\n2\n");
    world_rename(&w, "web/a.log.2", "web/a.log.3");
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_pack(&w, "web/a.log.1");
    usleep(20000);
    world_write(&w, "web/a.log", "4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n1\n2\n4\n");
    world_free(&w);
}

/* Who has the new one open writes to that until told. */
static void test_late_in_the_new_one(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    rotate(&w, "");
    FILE *writer = fopen(world_path(&w, "web/a.log"), "a");
    world_rename(&w, "web/a.log.1", "web/a.log");
    world_settle(&w);
    world_run(&w, 1100);
    fputs("3\n", writer);
    fclose(writer);
    world_run(&w, 1100);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_write(&w, "web/a.log", "4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

/* Its writer is in the middle of a line. `between`: the new one was written to. */
static void test_unfinished_line(void **state)
{
    (void)state;
    for (int between = 0; between < 2; between++) {
        struct world w;
        world_new_plain(&w);
        rotate(&w, "");
        world_write(&w, "web/a.log.1", "3\nfo");
        world_settle(&w);
        world_rename(&w, "web/a.log", "web/a.log.2");
        world_rename(&w, "web/a.log.1", "web/a.log");
        world_write(&w, "web/a.log.2", between ? "x\n" : "");
        world_settle(&w);
        world_run(&w, 1100);
        world_write(&w, "web/a.log", "ur\n");
        world_settle(&w);
        world_expect(&w, between ? "1\n2\n3\nx\nfour\n" : "1\n2\n3\nfour\n");
        world_free(&w);
    }
}

/* Not the file that came last is the log again. */
static void test_one_of_several(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    rotate(&w, "");
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "");
    world_settle(&w);
    world_rename(&w, "web/a.log.1", "web/a.log");
    world_settle(&w);
    world_write(&w, "web/a.log", "3\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_free(&w);
}

/* Truncated in place then, as if it had never been renamed: what it held unread is counted. */
static void test_then_truncated(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    rotate(&w, "");
    world_rename(&w, "web/a.log.1", "web/a.log");
    world_settle(&w);
    uint64_t truncations = metrics.truncations;
    world_truncate_to(&w, "web/a.log", "3\n");
    world_run(&w, 1100);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    assert_int_equal(metrics.truncations, truncations + 1);
    assert_int_equal(metrics.lost_bytes, 0);
    world_copy(&w, "web/a.log", "web/a.log.1");
    world_truncate_to(&w, "web/a.log", "4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

/* As long as logs are, and goes on for long. */
static void test_goes_on(void **state)
{
    (void)state;
    struct world w;
    struct buf expected = {0};
    char line[1200];
    world_new_plain(&w);
    for (int i = 0; i < 5; i++) {
        int len = snprintf(line, sizeof(line), "%01100d\n", i);
        assert_int_equal(buf_add(&expected, line, (size_t)len), 0);
        world_write(&w, "web/a.log", line);
        if (i == 0) {
            world_start(&w);
        }
        if (i == 1) {
            world_settle(&w);
            world_rename(&w, "web/a.log", "web/a.log.1");
            world_write(&w, "web/a.log", "");
            world_settle(&w);
            world_rename(&w, "web/a.log.1", "web/a.log");
        }
        world_settle(&w);
    }
    assert_int_equal(buf_add(&expected, "", 1), 0);
    world_expect(&w, expected.data);
    buf_free(&expected);
    world_free(&w);
}

/* With more than it held before. */
static void test_truncated_to_more(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        struct world w;
        world_new_plain(&w);
        rotate(&w, "");
        if (kept) {
            world_rename(&w, "web/a.log", "web/a.log.2");
        }
        world_rename(&w, "web/a.log.1", "web/a.log");
        world_settle(&w);
        world_truncate_to(&w, "web/a.log", "3\n4\n5\n");
        world_settle(&w);
        world_run(&w, 1100);
        world_expect(&w, "1\n2\n3\n4\n5\n");
        world_free(&w);
    }
}

/* The same, and the new one was written to as well. */
static void test_truncated_and_new_written(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    rotate(&w, "");
    world_rename(&w, "web/a.log", "web/a.log.2");
    world_rename(&w, "web/a.log.1", "web/a.log");
    world_settle(&w);
    world_write(&w, "web/a.log.2", "3\n");
    world_truncate_to(&w, "web/a.log", "4\n5\n6\n");
    world_settle(&w);
    world_run(&w, 1100);
    world_expect(&w, "1\n2\n3\n4\n5\n6\n");
    world_free(&w);
}

/* Time and again, each new one stays empty; then it is rotated. */
static void test_often(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->hold_files = 2;
    rotate(&w, "");
    for (int i = 0; i < 4; i++) {
        world_rename(&w, "web/a.log.1", "web/a.log");
        world_settle(&w);
        world_rename(&w, "web/a.log", "web/a.log.1");
        world_write(&w, "web/a.log", "");
        world_settle(&w);
    }
    world_write(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_rename(&w, "web/a.log", "web/a.log.2");
    world_write(&w, "web/a.log", "4\n");
    world_await(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

/* It never held anything; then it is copied and truncated before it is read. */
static void test_empty_itself(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "");
    world_settle(&w);
    world_rename(&w, "web/a.log.1", "web/a.log");
    world_write(&w, "web/a.log", "1\n");
    world_copy(&w, "web/a.log", "web/a.log.1");
    world_truncate_to(&w, "web/a.log", "2\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n");
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_over_an_empty_one),
        cmocka_unit_test(test_written_to_meanwhile),
        cmocka_unit_test(test_late_in_the_new_one),
        cmocka_unit_test(test_unfinished_line),
        cmocka_unit_test(test_one_of_several),
        WORLD_TEST_ARCHIVES(test_packed),
        WORLD_TEST_ARCHIVES(test_packed_alike),
        cmocka_unit_test(test_then_truncated),
        cmocka_unit_test(test_empty_itself),
        cmocka_unit_test(test_truncated_to_more),
        cmocka_unit_test(test_truncated_and_new_written),
        cmocka_unit_test(test_often),
        cmocka_unit_test(test_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
