/* The file sink: exactly once, and what it refuses. */
#include <signal.h>
#include <sys/wait.h>

#include "sink_file_fixture.h"

/* -- exactly once ------------------------------------------------------------------------------ */

static void test_writes_and_acknowledges_at_once(void **state)
{
    (void)state;
    struct stat st;
    bench_open(&sink_file);
    submit_all(10, 100);
    bench_submit(0); /* only positions */
    assert_int_equal(bench.acked, bench.submitted);
    bench_expect_file(bench.out, 1, 1000);
    assert_int_equal(stat(bench.out, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    bench_close();
}

static void test_cuts_what_no_checkpoint_knows(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 5; round++) {
        bench_open(&sink_file);
        assert_int_equal(bench.next_line, round * 300 + 1);
        submit_all(3, 100);
        save();
        submit_all(2, 50); /* acknowledged, but not saved: comes again */
        forget();
    }
    bench_open(&sink_file);
    bench_expect_file(bench.out, 1, 1500);
    submit_all(1, 1);
    bench_expect_file(bench.out, 1, 1501);
    bench_close();
}

/* Killed between the first write and the first save. */
static void test_cuts_from_the_first_line_on(void **state)
{
    (void)state;
    bench_write_file(bench.out, "not ours\n");
    bench_open(&sink_file);
    submit_all(3, 100);
    forget();
    bench_open(&sink_file);
    assert_int_equal(bench.next_line, 1);
    assert_int_equal(size_of(bench.out), 9);
    bench_close();
}

static void test_keeps_foreign_text(void **state)
{
    (void)state;
    struct buf got = {0};
    bench_write_file(bench.out, "a line\nhalf a li");
    for (int round = 0; round < 2; round++) { /* the second cuts the newline too, and puts it again */
        bench_open(&sink_file);
        bench_submit(1);
        assert_int_equal(bench.acked, 1);
        forget();
    }
    bench_read(bench.out, &got);
    const char *expected = "a line\nhalf a li\nline 0000000001\n";
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.data, expected, got.len);
    buf_free(&got);
}

static void test_goes_on_when_the_output_is_gone(void **state)
{
    (void)state;
    bench_open(&sink_file);
    submit_all(3, 100);
    save();
    bench_close();
    assert_int_equal(unlink(bench.out), 0);
    bench_open(&sink_file);
    submit_all(1, 100);
    save();
    bench_close();
    bench_expect_file(bench.out, 301, 400);

    uint64_t shortened = metrics.output_shortened;
    assert_int_equal(truncate(bench.out, 50 * LINE_BYTES + 5), 0); /* shortened, in the middle of a line */
    bench_open(&sink_file);
    assert_int_equal(metrics.output_shortened, shortened + 1);
    submit_all(1, 1);
    save();
    bench_close();
    struct buf got = {0};
    bench_read(bench.out, &got);
    const char *end = "line 0000000350\nline \nline 0000000401\n";
    assert_int_equal(got.len, 50 * LINE_BYTES + 6 + LINE_BYTES);
    assert_memory_equal(got.data + got.len - strlen(end), end, strlen(end));
    buf_free(&got);
}

/* Another file in its place, with the same inode or without: it is not cut. */
static void test_does_not_cut_what_is_not_its_own(void **state)
{
    (void)state;
    bench_open(&sink_file);
    submit_all(1, 10);
    save();
    bench_close();
    FILE *f = fopen(bench.out, "r+"); /* the same inode, other content */
    for (int i = 0; i < 100; i++) {
        fputs("something else\n", f);
    }
    fclose(f);
    bench_open(&sink_file);
    submit_all(1, 1);
    bench_close();
    assert_int_equal(size_of(bench.out), 100 * 15 + LINE_BYTES);
}

/* Deleted and made anew by somebody else, with the same inode, when nothing was known of its content yet. */
static void test_does_not_cut_a_reused_inode(void **state)
{
    (void)state;
    struct stat before, after;
    char other[200];
    bench_open(&sink_file);
    bench_close();
    assert_int_equal(stat(bench.out, &before), 0);
    assert_int_equal(unlink(bench.out), 0);
    for (int i = 0; i < 100; i++) {
        bench_write_file(bench.out, "something else\n");
        assert_int_equal(stat(bench.out, &after), 0);
        if (before.st_ino == after.st_ino) {
            break;
        }
        snprintf(other, sizeof(other), "%s/other-%d", bench.dir,
                 i); /* holds the inode that was free before */
        assert_int_equal(rename(bench.out, other), 0);
    }
    if (before.st_ino != after.st_ino) {
        print_message("this file system uses no inode twice: not tested\n");
        skip();
    }
    bench_open(&sink_file);
    assert_int_equal(size_of(bench.out), 15);
    bench_close();
}

/* A volume that was copied: other inodes, other device. */
static void test_knows_its_output_by_content(void **state)
{
    (void)state;
    char command[1024];
    bench_open(&sink_file);
    submit_all(2, 100);
    save();
    submit_all(1, 77);
    forget();
    snprintf(command, sizeof(command), "cp %s %s.copy && mv %s.copy %s", bench.out, bench.out, bench.out,
             bench.out);
    assert_int_equal(system(command), 0);
    bench_open(&sink_file);
    submit_all(1, 100);
    bench_expect_file(bench.out, 1, 300);
    bench_close();
}

/* -- what is refused --------------------------------------------------------------------------- */

static void refuse(const char *why)
{
    if (bench_try_open(&sink_file) == 0) {
        fail_msg("opened; expected: %s", why);
    }
    if (!strstr(bench.error.text, why)) {
        fail_msg("'%s', expected '%s'", bench.error.text, why);
    }
    bench_close();
}

static void test_refuses(void **state)
{
    (void)state;
    assert_int_equal(symlink("elsewhere", bench.out), 0);
    refuse("symbolic link");
    unlink(bench.out);
    mkdir(bench.out, 0700);
    refuse("is a directory");
    rmdir(bench.out);
    mkfifo(bench.out, 0600);
    refuse("no regular file");
    unlink(bench.out);
    bench.cfg.file_path = "/dev/null";
    refuse("no regular file");
    bench.cfg.file_path = "/not/there/out.log";
    refuse("cannot open /not/there");
    bench.cfg.file_path = "/tmp/";
    refuse("must name a file");
    bench.cfg.file_path = "";
    refuse("must name a file");
}

static void test_refuses_a_second_collector(void **state)
{
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) { /* its checkpoint is another one, else that would refuse already */
        snprintf(bench.checkpoint_path, sizeof(bench.checkpoint_path), "%s/other.json", bench.dir);
        bench_open(&sink_file);
        (void)!write(ready[1], "r", 1);
        pause();
        _exit(0);
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    refuse("another process");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    bench_open(&sink_file); /* the lock went with it */
    bench_close();
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_writes_and_acknowledges_at_once),
        TEST(test_cuts_what_no_checkpoint_knows),
        TEST(test_cuts_from_the_first_line_on),
        TEST(test_keeps_foreign_text),
        TEST(test_goes_on_when_the_output_is_gone),
        TEST(test_does_not_cut_what_is_not_its_own),
        TEST(test_does_not_cut_a_reused_inode),
        TEST(test_knows_its_output_by_content),
        TEST(test_refuses),
        TEST(test_refuses_a_second_collector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
