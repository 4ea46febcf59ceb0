/* The file sink: rotation and compression, by itself and by others. */
#include <signal.h>
#include <sys/file.h>
#include <zlib.h>

#include "sink_file_fixture.h"

/* -- rotation ---------------------------------------------------------------------------------- */

static void test_rotates_by_size(void **state)
{
    (void)state;
    bench.cfg.file_rotate_bytes = 1000; /* 62 lines */
    bench.cfg.file_keep = 3;
    bench_open(&sink_file);
    submit_all(12, 20); /* three batches a file */
    bench_expect_file(bench.out, 181, 240);
    bench_expect_file(sibling(".1"), 121, 180);
    bench_expect_file(sibling(".2"), 61, 120);
    bench_expect_file(sibling(".3"), 1, 60);
    bench_submit(200); /* larger than a file may be: whole, in one of its own */
    bench_submit(1);
    assert_int_equal(bench.acked, bench.submitted);
    bench_expect_file(bench.out, 441, 441);
    bench_expect_file(sibling(".1"), 241, 440);
    bench_expect_file(sibling(".2"), 181, 240);
    bench_expect_file(sibling(".3"), 121, 180);
    assert_int_equal(access(sibling(".4"), F_OK), -1);
    assert_int_equal(access(sibling(".new"), F_OK), -1);
    bench_close();
}

static void test_keeps_none(void **state)
{
    (void)state;
    bench.cfg.file_rotate_bytes = 1000;
    bench.cfg.file_keep = 0;
    bench_open(&sink_file);
    submit_all(7, 20);
    bench_expect_file(bench.out, 121, 140);
    assert_int_equal(access(sibling(".1"), F_OK), -1);
    bench_close();
}

static void test_keeps_the_mode(void **state)
{
    (void)state;
    struct stat st;
    bench.cfg.file_rotate_bytes = 1000;
    bench_open(&sink_file);
    assert_int_equal(chmod(bench.out, 0604), 0);
    submit_all(4, 20);
    assert_int_equal(stat(bench.out, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0604);
    bench_close();
}

static void test_rotates_by_age(void **state)
{
    (void)state;
    bench.cfg.file_rotate_age = 600 * NS_PER_MS;
    bench_open(&sink_file);
    bench_run(700);
    assert_int_equal(access(sibling(".1"), F_OK), -1); /* nothing in it */
    submit_all(1, 10);
    bench_run(150);
    assert_int_equal(access(sibling(".1"), F_OK), -1);
    submit_all(1, 10);
    bench_run(600);
    bench_expect_file(sibling(".1"), 1, 20); /* though no batch came */
    assert_int_equal(size_of(bench.out), 0);
    bench_run(700);
    assert_int_equal(access(sibling(".2"), F_OK), -1);
    submit_all(1, 10);
    save();
    bench_close();
    bench.cfg.file_rotate_age = 100 * NS_PER_MS;
    usleep(150000);
    bench_open(&sink_file); /* age counts through a restart */
    bench_run(50);
    bench_expect_file(sibling(".1"), 21, 30);
    bench_close();
}

static void test_leaves_others_rotated_files_alone(void **state)
{
    (void)state;
    bench_write_file(sibling(".1"), "of logrotate\n");
    bench_write_file(sibling(".2"), "of logrotate\n");
    bench.cfg.file_keep = 1;
    bench.cfg.file_compress = true;
    bench_open(&sink_file);
    submit_all(10, 100);
    bench_run(50);
    assert_int_equal(size_of(sibling(".1")), 13);
    assert_int_equal(size_of(sibling(".2")), 13);
    bench_close();
}

/* It cannot be rotated: the file grows on, and nothing is lost. */
static void test_rotation_fails(void **state)
{
    (void)state;
    bench.cfg.file_rotate_bytes = 1000;
    bench_write_file(sibling(".new"), "in the way\n");
    bench_open(&sink_file);
    submit_all(10, 20);
    bench_expect_file(bench.out, 1, 200);
    assert_int_equal(size_of(sibling(".new")), 11);
    bench_close();
}

static void test_reopens(void **state)
{
    (void)state;
    bench_open(&sink_file);
    submit_all(1, 10);
    bench.sink->ops->reopen(bench.sink); /* it was not moved */
    submit_all(1, 10);
    assert_int_equal(rename(bench.out, sibling("-20261124")), 0);
    submit_all(1, 10);
    bench_expect_file(sibling("-20261124"), 1, 30);
    bench.sink->ops->reopen(bench.sink);
    submit_all(1, 10);
    bench_expect_file(sibling("-20261124"), 1, 30);
    bench_expect_file(bench.out, 31, 40);
    save();
    submit_all(1, 10);
    forget();
    bench_open(&sink_file);
    submit_all(1, 5);
    bench_expect_file(bench.out, 31, 45);
    bench_close();
}

/* Moved away by somebody else, and killed before the signal came: it is cut where it is. */
static void test_killed_after_it_was_moved(void **state)
{
    (void)state;
    bench_open(&sink_file);
    submit_all(2, 10);
    save();
    submit_all(2, 10);
    assert_int_equal(rename(bench.out, sibling("-20261124")), 0);
    submit_all(2, 10);
    forget();
    bench_open(&sink_file);
    assert_int_equal(bench.next_line, 21);
    submit_all(1, 10);
    bench_expect_file(sibling("-20261124"), 1, 20);
    bench_expect_file(bench.out, 21, 30);
    bench_close();
}

static void test_deleted_while_open(void **state)
{
    (void)state;
    bench_open(&sink_file);
    submit_all(1, 10);
    assert_int_equal(unlink(bench.out), 0);
    submit_all(1, 10);
    bench_expect_file(bench.out, 11, 20);
    bench_close();
}

static void test_truncated_while_open(void **state)
{
    (void)state;
    bench_open(&sink_file);
    submit_all(1, 10);
    save();
    assert_int_equal(truncate(bench.out, 0), 0); /* logrotate's copytruncate */
    submit_all(1, 10);
    bench_expect_file(bench.out, 11, 20); /* no hole */
    save();
    submit_all(1, 10);
    forget();
    bench_open(&sink_file);
    bench_expect_file(bench.out, 11, 20);
    bench_close();
}

/* While a checkpoint cannot be saved nothing is read, so no write would ever come to notice what happened. */
static void test_truncated_before_the_first_save(void **state)
{
    (void)state;
    bench_open(&sink_file);
    submit_all(1, 10);
    assert_int_equal(truncate(bench.out, 0), 0);
    save();
    submit_all(1, 10);
    bench_expect_file(bench.out, 11, 20);
    save();
    submit_all(1, 10);
    forget();
    bench_open(&sink_file);
    bench_expect_file(bench.out, 11, 20);
    bench_close();
}

/* -- compression ------------------------------------------------------------------------------- */

static void expect_packed(const char *path, uint32_t first, uint32_t last)
{
    struct buf got = {0};
    char chunk[4096];
    gzFile f = gzopen(path, "r");
    assert_non_null(f);
    assert_int_equal(gzdirect(f), 0);
    for (int n; (n = gzread(f, chunk, sizeof(chunk))) != 0;) {
        assert_true(n > 0);
        assert_int_equal(buf_add(&got, chunk, (size_t)n), 0);
    }
    gzclose(f);
    bench_expect(&got, first, last);
    buf_free(&got);
}

static void test_compresses(void **state)
{
    (void)state;
    struct stat st;
    bench.cfg.file_rotate_bytes = 4 << 20;
    bench.cfg.file_compress = true;
    bench.cfg.file_keep = 2;
    bench_open(&sink_file);
    assert_int_equal(chmod(bench.out, 0604), 0);
    bench_submit(250000);
    bench_submit(250000); /* rotates */
    int64_t longest = 0;
    for (int64_t end = clock_monotonic() + 20 * NS_PER_S;
         access(sibling(".1"), F_OK) == 0 && clock_monotonic() < end;) {
        struct timespec before, after; /* of CPU: the machine may be busy with other things */
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        bench_turn();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        int64_t took = (after.tv_sec - before.tv_sec) * NS_PER_S + after.tv_nsec - before.tv_nsec;
        longest = took > longest ? took : longest;
    }
    expect_packed(sibling(".1.gz"), 1, 250000);
    assert_int_equal(access(sibling(".gz.new"), F_OK), -1);
    assert_int_equal(stat(sibling(".1.gz"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0604);
    print_message("longest turn of the loop: %lld us of CPU\n", (long long)longest / 1000);
    bench_submit(250000); /* while .1 is compressed, it becomes .2 and .3 */
    bench_turn();
    bench_submit(250000);
    bench_run(1);
    bench_submit(250000);
    for (int i = 0; i < 10000 && (access(sibling(".1"), F_OK) == 0 || access(sibling(".2"), F_OK) == 0);
         i++) {
        bench_run(1);
    }
    expect_packed(sibling(".1.gz"), 750001, 1000000);
    expect_packed(sibling(".2.gz"), 500001, 750000);
    assert_int_equal(access(sibling(".3"), F_OK), -1);
    assert_int_equal(access(sibling(".3.gz"), F_OK), -1);
    bench_close();
}

/* A compressed file cannot be cut: none is made of what the saved checkpoint may still want cut. */
static void test_compresses_nothing_unsaved(void **state)
{
    (void)state;
    char kept[200];
    snprintf(kept, sizeof(kept), "%s.kept", bench.checkpoint_path);
    bench.cfg.file_rotate_bytes = 1000000;
    bench.cfg.file_compress = true;
    bench_open(&sink_file);
    submit_all(2, 60000); /* .1 is being compressed now */
    save();
    submit_all(1, 20);
    assert_int_equal(rename(bench.checkpoint_path, kept), 0);
    assert_int_equal(mkdir(bench.checkpoint_path, 0700), 0); /* saves fail from here on */
    bench_submit(60000);
    for (int i = 0; i < 2000 && access(sibling(".2"), F_OK) == 0; i++) {
        bench_run(1);
    }
    bench_run(500); /* long enough for .1 too */
    expect_packed(sibling(".2.gz"), 1, 60000);
    assert_int_equal(access(sibling(".1.gz"), F_OK), -1);
    bench_expect_file(sibling(".1"), 60001, 120020);
    assert_int_equal(bench.acked, 3);
    assert_int_equal(size_of(bench.out), 0); /* nor is anything written */
    forget();
    assert_int_equal(rmdir(bench.checkpoint_path), 0);
    assert_int_equal(rename(kept, bench.checkpoint_path), 0);
    bench_open(&sink_file);
    assert_int_equal(bench.next_line, 120001);
    submit_all(1, 40);
    for (int i = 0; i < 2000 && access(sibling(".1"), F_OK) == 0; i++) {
        bench_run(1);
    }
    expect_packed(sibling(".1.gz"), 60001, 120000);
    bench_expect_file(bench.out, 120001, 120040);
    bench_close();
}

/* Killed between the rename and the unlink. */
static void test_cleans_after_compression(void **state)
{
    (void)state;
    char command[1024];
    bench.cfg.file_rotate_bytes = 1000;
    bench_open(&sink_file);
    submit_all(7, 20);
    save();
    bench_close();
    snprintf(command, sizeof(command),
             "gzip -k %s.1 && gzip -k %s.2 && echo more >> %s.2 && echo x > %s.gz.new", bench.out, bench.out,
             bench.out, bench.out);
    assert_int_equal(system(command), 0);
    bench.cfg.file_compress = true;
    bench_open(&sink_file);
    bench_run(30);
    expect_packed(sibling(".1.gz"), 61, 120);
    assert_int_equal(access(sibling(".1"), F_OK), -1);
    assert_int_equal(access(sibling(".gz.new"), F_OK), -1);
    expect_packed(sibling(".2.gz"), 1, 60); /* they differ: nobody knows which is meant */
    assert_int_equal(size_of(sibling(".2")), 60 * LINE_BYTES + 5);
    bench_close();
}

static int locked(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

/* Three files of 60 lines, of which the youngest lies at the path, and nobody runs. */
static void leave_three(void)
{
    bench.cfg.file_rotate_bytes = 1000;
    bench_open(&sink_file);
    submit_all(7, 20);
    save();
    bench_close();
}

/* Somebody moved it away under another collector, which has not been told yet. */
static void test_leaves_what_another_writes(void **state)
{
    (void)state;
    leave_three();
    int writer = locked(sibling(".2"));
    bench.cfg.file_compress = true;
    bench.cfg.file_keep = 2;
    bench_open(&sink_file);
    bench_run(30);
    expect_packed(sibling(".1.gz"), 61, 120);
    bench_expect_file(sibling(".2"), 1, 60);
    bench_close();
    bench.cfg.file_keep = 1;
    bench_open(&sink_file);
    bench_run(30);
    bench_expect_file(sibling(".2"), 1, 60);
    bench_close();
    close(writer);
    bench_open(&sink_file);
    bench_run(30);
    assert_int_equal(access(sibling(".2"), F_OK), -1);
    bench_close();
}

/* And compresses: neither puts its half in the place of the other's whole. */
static void test_leaves_what_another_compresses(void **state)
{
    (void)state;
    leave_three();
    int writer = locked(sibling(".gz.new"));
    assert_int_equal(write(writer, "half", 4), 4);
    bench.cfg.file_compress = true;
    bench_open(&sink_file);
    bench_run(30);
    assert_int_equal(size_of(sibling(".gz.new")), 4);
    bench_expect_file(sibling(".1"), 61, 120);
    bench_expect_file(sibling(".2"), 1, 60);
    bench_close();
    close(writer);
    bench_open(&sink_file);
    bench_run(30);
    expect_packed(sibling(".1.gz"), 61, 120);
    expect_packed(sibling(".2.gz"), 1, 60);
    bench_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rotates_by_size),
        TEST(test_keeps_none),
        TEST(test_keeps_the_mode),
        TEST(test_rotates_by_age),
        TEST(test_leaves_others_rotated_files_alone),
        TEST(test_rotation_fails),
        TEST(test_reopens),
        TEST(test_killed_after_it_was_moved),
        TEST(test_deleted_while_open),
        TEST(test_truncated_while_open),
        TEST(test_truncated_before_the_first_save),
        TEST(test_compresses),
        TEST(test_compresses_nothing_unsaved),
        TEST(test_cleans_after_compression),
        TEST(test_leaves_what_another_writes),
        TEST(test_leaves_what_another_compresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
