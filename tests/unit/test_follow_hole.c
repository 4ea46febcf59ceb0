/* Holes of NUL bytes: a log is truncated in place, and its writer goes on at the offset that it had. */
#include <fcntl.h>
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

static int none_yet(void **state)
{
    (void)state;
    metrics = (struct metrics){0};
    return 0;
}

static void write_at(struct world *w, const char *name, off_t at, const char *text)
{
    int fd = open(world_path(w, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
    close(fd);
}

static void expect_for_good(struct world *w, const char *text)
{
    world_await(w, text);
    world_save(w);
    world_kill(w);
    world_start(w);
    world_settle(w);
    world_expect(w, text);
    assert_int_equal(metrics.lost_bytes, 0);
}

/* In a block of the file system, beyond it, and beyond what is read at once. */
static const off_t offsets[] = {10, 1000, 4096, 5003, 262144, 3000001};

static void test_truncated_under_a_writer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct world w;
        metrics = (struct metrics){0};
        world_new_plain(&w);
        world_write(&w, "web/a.log", "1\n");
        world_start(&w);
        world_settle(&w);
        world_truncate_to(&w, "web/a.log", "");
        write_at(&w, "web/a.log", offsets[i], "2\n");
        world_await(&w, "1\n2\n");
        write_at(&w, "web/a.log", offsets[i] + 2, "3\n");
        expect_for_good(&w, "1\n2\n3\n");
        assert_int_equal(metrics.holes, 1);
        assert_int_equal(metrics.hole_bytes, offsets[i]);
        assert_int_equal(metrics.truncations, 1);
        world_free(&w);
    }
}

static void test_met_at_the_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct world w;
        world_new_plain(&w);
        write_at(&w, "web/a.log", offsets[i], "1\n");
        world_start(&w);
        world_settle(&w);
        expect_for_good(&w, "1\n");
        world_free(&w);
    }
}

/* A line that begins with a few NUL bytes is one. */
static void test_between_lines(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    write_at(&w, "web/a.log", 0, "1\n");
    write_at(&w, "web/a.log", 70000, "2\n");
    world_start(&w);
    world_await(&w, "1\n2\n");
    write_at(&w, "web/a.log", 70002 + 100, "3\n");
    expect_for_good(&w, "1\n2\n3\n");
    assert_int_equal(metrics.holes, 2);
    assert_int_equal(metrics.hole_bytes, 70000 - 2 + 100);
    world_free(&w);
}

/* Room that was made in advance is written into. */
static void test_at_the_end(void **state)
{
    (void)state;
    struct world w;
    static char text[1500]; /* a file is known by its first KiB */
    size_t len = (size_t)snprintf(text, sizeof(text), "%01200d\n", 1);
    world_new_plain(&w);
    write_at(&w, "web/a.log", 0, text);
    assert_int_equal(truncate(world_path(&w, "web/a.log"), 1 << 20), 0);
    world_start(&w);
    world_await(&w, text);
    world_run(&w, 1100);
    world_expect(&w, text);
    write_at(&w, "web/a.log", (off_t)len, "2\n");
    strcat(text, "2\n");
    expect_for_good(&w, text);
    assert_int_equal(metrics.holes, 0);
    world_rename(&w, "web/a.log", "web/a.log.1"); /* and is left when it is rotated */
    world_write(&w, "web/a.log", "3\n");
    strcat(text, "3\n");
    world_await(&w, text);
    world_free(&w);
}

/* It is packed before it is read. */
static void test_in_an_archive(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    write_at(&w, "web/a.log", 700000, "2\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_pack(&w, "web/a.log.1");
    world_write(&w, "web/a.log", "3\n");
    uint64_t holes = metrics.holes, bytes = metrics.hole_bytes;
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n");
    assert_int_equal(metrics.holes - holes, 1);
    assert_int_equal(metrics.hole_bytes - bytes, 700000 - 2);
    world_free(&w);
}

static void test_json_file(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_container(&w);
    world_write_entry(&w, WORLD_ID "/" WORLD_ID "-json.log", "1\\n");
    world_start(&w);
    world_await(&w, "1\n");
    world_truncate_to(&w, WORLD_ID "/" WORLD_ID "-json.log", "");
    write_at(&w, WORLD_ID "/" WORLD_ID "-json.log", 300000,
             "{\"log\":\"2\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.5Z\"}\n");
    expect_for_good(&w, "1\n2\n");
    assert_int_equal(metrics.holes, 1);
    assert_int_equal(metrics.malformed_lines, 0);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_truncated_under_a_writer, none_yet),
        cmocka_unit_test_setup(test_met_at_the_start, none_yet),
        cmocka_unit_test_setup(test_between_lines, none_yet),
        cmocka_unit_test_setup(test_at_the_end, none_yet),
        WORLD_TEST_ARCHIVES(test_in_an_archive),
        cmocka_unit_test_setup(test_json_file, none_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
