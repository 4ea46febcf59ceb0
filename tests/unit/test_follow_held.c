/* Following logs that have more rotated files than may be held open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "world.h"

/* PATH.COUNT … PATH.1 and PATH, a line in each; those above `plain` gzipped. */
static void write_rotated(struct world *w, unsigned count, unsigned plain, struct buf *expected)
{
    char name[32], line[32];
    for (unsigned i = count + 1; i-- > 0;) {
        snprintf(name, sizeof(name), "web/a.log%s%.0u", i ? "." : "", i);
        snprintf(line, sizeof(line), "line of %u\n", i);
        world_write(w, name, line);
        if (i > plain) {
            world_pack(w, name);
        }
        assert_int_equal(buf_addf(expected, "%s", line), 0);
    }
}

/* Each of PATH and PATH.1 … PATH.(COUNT - 1) that is there gets the next name. */
static void shift(struct world *w, unsigned count)
{
    char from[32], to[32];
    for (unsigned i = count; i-- > 0;) {
        snprintf(from, sizeof(from), "web/a.log%s%.0u", i ? "." : "", i);
        snprintf(to, sizeof(to), "web/a.log.%u", i + 1);
        rename(world_path(w, from), world_path(w, to));
    }
}

static void test_more_rotated_files_than_held(void **state)
{
    (void)state;
    struct world w;
    struct buf expected = {0};
    world_new_plain(&w);
    w.cfg->hold_files = 1;
    write_rotated(&w, 9, 4, &expected);
    uint64_t lost = metrics.lost_bytes, gaps = metrics.gaps;
    world_start(&w);
    world_settle(&w);
    assert_int_equal(buf_add(&expected, "", 1), 0);
    world_expect(&w, expected.data);
    world_save(&w);
    world_settle(&w);
    world_expect(&w, expected.data);
    assert_int_equal(metrics.lost_bytes, lost);
    assert_int_equal(metrics.gaps, gaps);
    buf_free(&expected);
    world_free(&w);
}

/* A rotated file is left once a newer one was written to: empty ones in between take up no place of that. */
static void test_empty_ones_among_more_than_held(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->hold_files = 1;
    world_write(&w, "web/a.log.4", "one\n");
    world_write(&w, "web/a.log.3", "");
    world_write(&w, "web/a.log.2", "");
    world_write(&w, "web/a.log.1", "two\n");
    world_write(&w, "web/a.log", "three\n");
    world_start(&w);
    world_await(&w, "one\ntwo\nthree\n");
    world_free(&w);
}

/* As a log is that nothing is written to, and that is rotated each day. */
static void test_more_empty_ones_than_held(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->hold_files = 2;
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    for (int times = 0; times < 5; times++) {
        shift(&w, 5);
        world_write(&w, "web/a.log", "");
        world_settle(&w);
    }
    world_write(&w, "web/a.log", "2\n");
    world_await(&w, "1\n2\n");
    world_free(&w);
}

/* As with logrotate, where the writer keeps its file: that is left once another one was written to, no sooner. */
static void test_written_to_before_more_empty_ones(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->hold_files = 1;
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.3");
    world_write(&w, "web/a.log", "");
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.2");
    world_write(&w, "web/a.log", "");
    world_run(&w, 3500); /* longer than writers are waited for */
    world_write(&w, "web/a.log.3", "2\n");
    world_await(&w, "1\n2\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log.1", "3\n");
    world_write(&w, "web/a.log", "");
    world_await(&w, "1\n2\n3\n");
    world_free(&w);
}

/* The sink is away while a log is rotated again and again, and its files stay on the disk. */
static void test_more_rotated_than_held_meanwhile(void **state)
{
    (void)state;
    struct world w;
    struct buf expected = {0};
    char line[64];
    world_new_plain(&w);
    w.cfg->hold_files = 2;
    w.cfg->batch_bytes = 4096;
    w.cfg->memory_max = 65536;
    world_start(&w);
    w.stalled = true;
    for (int file = 0; file < 8; file++) {
        shift(&w, 8);
        struct buf text = {0};
        for (int i = 0; i < 2000; i++) {
            snprintf(line, sizeof(line), "file %d, line %d\n", file, i);
            assert_int_equal(buf_addf(&text, "%s", line), 0);
        }
        assert_int_equal(buf_add(&text, "", 1), 0);
        world_write(&w, "web/a.log", text.data);
        assert_int_equal(buf_addf(&expected, "%s", text.data), 0);
        buf_free(&text);
        world_run(&w, 20);
        assert_true(metrics.open_files <= 3);
    }
    uint64_t lost = metrics.lost_bytes, gaps = metrics.gaps;
    world_unstall(&w);
    world_settle(&w);
    world_run(&w, 1100);
    world_settle(&w);
    assert_int_equal(buf_add(&expected, "", 1), 0);
    world_expect(&w, expected.data);
    assert_int_equal(metrics.lost_bytes, lost);
    assert_int_equal(metrics.gaps, gaps);
    buf_free(&expected);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST_ARCHIVES(test_more_rotated_files_than_held),
        cmocka_unit_test(test_empty_ones_among_more_than_held),
        cmocka_unit_test(test_more_empty_ones_than_held),
        cmocka_unit_test(test_written_to_before_more_empty_ones),
        cmocka_unit_test(test_more_rotated_than_held_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
