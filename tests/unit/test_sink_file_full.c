/* The file sink on a full disk. */
#include <sys/mount.h>

#include "sink_file_fixture.h"

static char small[100], filler[128];

/* A file system of 256 KiB, with the output in it; the checkpoint is elsewhere. */
static int setup_small(void **state)
{
    setup(state);
    snprintf(small, sizeof(small), "%s/small", bench.dir);
    snprintf(filler, sizeof(filler), "%s/filler", small);
    if (mkdir(small, 0700) < 0 || mount("tmpfs", small, "tmpfs", 0, "size=256k") < 0) {
        print_message("no right to mount a small tmpfs: not tested\n");
        *state = small;
        return 0;
    }
    snprintf(bench.out, sizeof(bench.out), "%s/out.log", small);
    return 0;
}

static int teardown_small(void **state)
{
    if (!*state) {
        umount2(small, MNT_DETACH);
    }
    *state = NULL;
    return teardown(state);
}

static void need_small(void **state)
{
    if (*state) {
        skip();
    }
}

static void fill_disk(void)
{
    static char page[4096];
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof(page)) > 0) {
    }
    close(fd);
}

/* Room for some pages: half a batch is written, and no more. */
static void half_write(uint32_t lines)
{
    struct stat st;
    assert_int_equal(stat(filler, &st), 0);
    assert_int_equal(truncate(filler, st.st_size - 2 * 4096), 0);
    off_t before = size_of(bench.out);
    bench_submit(lines);
    assert_in_range(size_of(bench.out), before + 1, before + lines * LINE_BYTES - 1);
}

static void test_full_disk(void **state)
{
    need_small(state);
    bench_open(&sink_file);
    submit_all(1, 100);
    fill_disk();
    half_write(2000);
    bench_submit(50);
    bench_run(500);
    assert_int_equal(bench.acked, 1);
    assert_int_equal(bench.failed, -1);
    assert_in_range(metrics.sink_errors, 2, 4); /* 0, 0.1, 0.3 s; not each turn */
    assert_int_equal(metrics.sink_retries, metrics.sink_errors - 1);
    assert_int_equal(unlink(filler), 0);
    assert_true(bench_wait_acked());
    bench_expect_file(bench.out, 1, 2150);
    submit_all(1, 10);
    bench_close();
}

/* Somebody makes room by truncating the output, or the end of it, while half a batch is in it: no line is
 * torn, and what was not acknowledged is there. */
static void check_truncated(void **state, off_t left, uint32_t first)
{
    need_small(state);
    bench_open(&sink_file);
    submit_all(1, 100);
    fill_disk();
    half_write(2000);
    assert_int_equal(truncate(bench.out, left), 0);
    assert_int_equal(unlink(filler), 0);
    assert_true(bench_wait_acked());
    bench_expect_file(bench.out, first, 2100);
    save();
    bench_close();
}

static void test_emptied_on_a_full_disk(void **state)
{
    check_truncated(state, 0, 101);
}

static void test_shortened_on_a_full_disk(void **state)
{
    check_truncated(state, 101 * LINE_BYTES + 5, 1);
}

/* Saved, then killed, with half a batch in the file. */
static void test_killed_on_a_full_disk(void **state)
{
    need_small(state);
    bench_open(&sink_file);
    submit_all(1, 100);
    fill_disk();
    half_write(2000);
    save();
    forget();
    assert_int_equal(unlink(filler), 0);
    bench_open(&sink_file);
    assert_int_equal(bench.next_line, 101);
    bench_expect_file(bench.out, 1, 100);
    submit_all(1, 3000);
    bench_expect_file(bench.out, 1, 3100);
    bench_close();
}

/* logrotate moved the file while half a batch was in it: the batch is whole in the new one. */
static void test_reopened_on_a_full_disk(void **state)
{
    need_small(state);
    bench_open(&sink_file);
    submit_all(1, 100);
    fill_disk();
    half_write(2000);
    bench_submit(20);
    assert_int_equal(rename(bench.out, sibling("-1")), 0);
    bench.sink->ops->reopen(bench.sink);
    bench_expect_file(sibling("-1"), 1, 100);
    assert_int_equal(unlink(filler), 0);
    assert_true(bench_wait_acked());
    bench_expect_file(sibling("-1"), 1, 100);
    bench_expect_file(bench.out, 101, 2120);
    bench_close();
}

/* A batch is not torn by a rotation, however it comes about. */
static void test_no_rotation_within_a_batch(void **state)
{
    need_small(state);
    bench.cfg.file_rotate_bytes = 10000;
    bench.cfg.file_rotate_age = 50 * NS_PER_MS;
    bench_open(&sink_file);
    submit_all(1, 100);
    fill_disk();
    half_write(2000);
    bench_run(200);
    bench_expect_file(sibling(".1"), 1, 100);
    assert_int_equal(access(sibling(".2"), F_OK), -1);
    assert_int_equal(unlink(filler), 0);
    assert_true(bench_wait_acked());
    bench_run(200);
    bench_expect_file(sibling(".1"), 101, 2100);
    bench_expect_file(sibling(".2"), 1, 100);
    bench_close();
}

#define SMALL(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown_small)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL(test_full_disk),
        SMALL(test_emptied_on_a_full_disk),
        SMALL(test_shortened_on_a_full_disk),
        SMALL(test_killed_on_a_full_disk),
        SMALL(test_reopened_on_a_full_disk),
        SMALL(test_no_rotation_within_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
