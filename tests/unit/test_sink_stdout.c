#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#include "sink_fixture.h"

static int kept_stdout = -1;

/* Puts fd in the place of stdout, and forgets it otherwise. */
static void become_stdout(int fd)
{
    fflush(stdout);
    kept_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_true(kept_stdout >= 0);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    bench_dir();
    return 0;
}

static int restore_stdout(void **state)
{
    (void)state;
    if (kept_stdout >= 0) {
        dup2(kept_stdout, STDOUT_FILENO);
        close(kept_stdout);
        kept_stdout = -1;
    }
    bench_remove();
    return 0;
}

static void read_some(int fd, struct buf *into, size_t len)
{
    char chunk[4096];
    while (len > 0) {
        ssize_t n = read(fd, chunk, len < sizeof(chunk) ? len : sizeof(chunk));
        assert_true(n > 0);
        assert_int_equal(buf_add(into, chunk, (size_t)n), 0);
        len -= (size_t)n;
    }
}

/* Reads what is there, turning the loop, until all is acknowledged and read. */
static void read_all(int fd, struct buf *into, size_t total)
{
    char chunk[1000];
    for (int64_t end = clock_monotonic() + PATIENCE_MS * NS_PER_MS;
         into->len < total && clock_monotonic() < end;) {
        bench_turn();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 1) == 1) {
            ssize_t n = read(fd, chunk, sizeof(chunk));
            assert_true(n > 0);
            assert_int_equal(buf_add(into, chunk, (size_t)n), 0);
        }
    }
}

/* More than the thing holds: delivery stops without a spin, nothing is acknowledged too early, all comes in
 * the end. */
static void stall_and_go_on(int reader)
{
    struct buf got = {0};
    bench_open(&sink_stdout);
    for (int i = 0; i < 200; i++) {
        bench_submit(1000);
    }
    bench_run(50);
    uint64_t acked = bench.acked;
    assert_true(acked < 200);
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    event_base_loopexit(bench.base, &(struct timeval){0, 300000});
    event_base_dispatch(bench.base);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t spent = (after.tv_sec - before.tv_sec) * NS_PER_S + after.tv_nsec - before.tv_nsec;
    assert_in_range(spent, 0, 30 * NS_PER_MS);
    assert_int_equal(bench.acked, acked);

    read_all(reader, &got, 200000 * LINE_BYTES);
    assert_true(bench_wait_acked());
    bench_expect(&got, 1, 200000);
    buf_free(&got);
}

static int status_flags(int fd)
{
    return fcntl(fd, F_GETFL);
}

static void test_pipe(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    become_stdout(ends[1]);
    stall_and_go_on(ends[0]);
    assert_int_equal(status_flags(STDOUT_FILENO) & O_NONBLOCK, 0); /* who shares it notices nothing */
    bench_close();
    close(ends[0]);
}

/* Where it cannot be opened anew, the flag is set, and taken back. */
static void test_pipe_of_another_user(void **state)
{
    (void)state;
    int ends[2];
    if (geteuid() != 0) {
        print_message("needs root to become somebody else: not tested\n");
        skip();
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    become_stdout(ends[1]);
    assert_int_equal(chmod(bench.dir, 0777), 0);
    assert_int_equal(seteuid(65534), 0);
    bench_open(&sink_stdout);
    assert_int_equal(status_flags(STDOUT_FILENO) & O_NONBLOCK, O_NONBLOCK);
    bench_close();
    assert_int_equal(status_flags(STDOUT_FILENO) & O_NONBLOCK, 0);
    assert_int_equal(unlink(bench.checkpoint_path), -1);
    stall_and_go_on(ends[0]);
    bench_close();
    assert_int_equal(seteuid(0), 0);
    close(ends[0]);
}

static void test_socket(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    become_stdout(ends[1]);
    stall_and_go_on(ends[0]);
    assert_int_equal(status_flags(STDOUT_FILENO) & O_NONBLOCK, 0);
    close(ends[0]);
    bench_submit(10);
    bench_run(20);
    assert_int_equal(bench.failed, EXIT_FAULT);
    bench_close();
}

static void test_terminal(void **state)
{
    (void)state;
    int master, slave;
    struct termios raw;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(slave, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
    become_stdout(slave);
    stall_and_go_on(master);
    assert_int_equal(status_flags(STDOUT_FILENO) & O_NONBLOCK, 0);
    close(master); /* the window is closed */
    bench_submit(10);
    bench_run(20);
    assert_int_equal(bench.failed, EXIT_FAULT);
    bench_close();
}

/* `sidetail run | head`: the process ends; what was not read is not acknowledged. */
static void test_reader_goes(void **state)
{
    (void)state;
    int ends[2];
    struct buf got = {0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    become_stdout(ends[1]);
    bench_open(&sink_stdout);
    bench_submit(10);
    read_some(ends[0], &got, 10 * LINE_BYTES);
    bench_expect(&got, 1, 10);
    bench_run(10);
    assert_int_equal(bench.acked, 1);
    assert_int_equal(bench.failed, -1);
    close(ends[0]);
    bench_run(20); /* no line comes, and yet it is noticed */
    assert_int_equal(bench.failed, EXIT_FAULT);
    assert_non_null(strstr(bench.error.text, "closed by its reader"));
    bench_submit(5);
    bench_run(10);
    assert_int_equal(bench.acked, 1);
    assert_int_equal(bench_save(), 0);
    bench_close();
    buf_free(&got);

    assert_int_equal(bench_try_open(&sink_stdout), 0);
    assert_int_equal(bench.next_line, 11); /* what was not delivered comes first */
    bench_close();
}

/* Whoever opens a named pipe next gets what follows. */
static void test_named_pipe(void **state)
{
    (void)state;
    struct buf got = {0};
    assert_int_equal(mkfifo(bench.out, 0600), 0);
    int reader = open(bench.out, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int writer = open(bench.out, O_WRONLY | O_CLOEXEC);
    assert_true(reader >= 0 && writer >= 0);
    become_stdout(writer);
    bench_open(&sink_stdout);
    bench_submit(3);
    assert_true(bench_wait_acked());
    read_all(reader, &got, 3 * LINE_BYTES);
    close(reader);
    bench_submit(4);
    bench_run(50);
    assert_int_equal(bench.failed, -1);
    assert_int_equal(bench.acked, 1);
    assert_true(metrics.sink_errors > 0);
    reader = open(bench.out, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    read_all(reader, &got, 7 * LINE_BYTES);
    assert_true(bench_wait_acked());
    bench_expect(&got, 1, 7);
    bench_close();
    buf_free(&got);
    close(reader);
}

static void test_null(void **state)
{
    (void)state;
    become_stdout(open("/dev/null", O_WRONLY));
    bench_open(&sink_stdout);
    for (int i = 0; i < 100; i++) {
        bench_submit(100);
        assert_int_equal(bench.acked, bench.submitted); /* at once */
    }
    bench_submit(0); /* only positions */
    assert_int_equal(bench.acked, bench.submitted);
    bench_close();
}

static void test_file(void **state)
{
    (void)state;
    become_stdout(open(bench.out, O_WRONLY | O_CREAT, 0600));
    bench_open(&sink_stdout);
    for (int i = 0; i < 100; i++) {
        bench_submit(100);
    }
    assert_int_equal(bench.acked, bench.submitted);
    assert_int_equal(bench_save(), 0);
    bench_expect_file(bench.out, 1, 10000);
    bench_close();
}

static void test_full_device(void **state)
{
    (void)state;
    become_stdout(open("/dev/full", O_WRONLY));
    bench_open(&sink_stdout);
    bench_submit(3);
    bench_submit(3);
    bench_run(400);
    assert_int_equal(bench.failed, -1);
    assert_int_equal(bench.acked, 0);
    assert_in_range(metrics.sink_errors, 2, 4); /* 0, 0.1, 0.3 s; not each turn */
    assert_int_equal(metrics.sink_errors, metrics.sink_retries + 1);
    dup2(open(bench.out, O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
    bench.sink->ops->drain(bench.sink); /* waits no longer */
    assert_int_equal(bench.acked, 2);
    bench_expect_file(bench.out, 1, 6);
    bench_close();
}

static void test_closed(void **state)
{
    (void)state;
    become_stdout(open("/dev/null", O_WRONLY));
    bench_open(&sink_stdout);
    close(STDOUT_FILENO);
    struct sink_env env = {.base = bench.base, .cfg = &bench.cfg, .checkpoint = bench.checkpoint};
    assert_null(sink_stdout.open(&env, &bench.error));
    assert_non_null(strstr(bench.error.text, "stdout is not open"));
    bench_close();
}

static void test_chosen(void **state)
{
    (void)state;
    assert_ptr_equal(sink_choose(&(struct config){.sink = SINK_STDOUT}), &sink_stdout);
    assert_ptr_equal(sink_choose(&(struct config){.sink = SINK_FILE}), &sink_file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, restore_stdout)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pipe),        TEST(test_pipe_of_another_user),
        TEST(test_socket),      TEST(test_terminal),
        TEST(test_reader_goes), TEST(test_named_pipe),
        TEST(test_null),        TEST(test_file),
        TEST(test_full_device), TEST(test_closed),
        TEST(test_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
