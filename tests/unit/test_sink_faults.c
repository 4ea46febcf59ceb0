/* Kills and faults at every instant: each call that changes a file is, in turn, the one before which the
 * process dies, the write that is torn, the one that fails, the one at which the disk is full, and the
 * fsync that loses what was written. Afterwards each line is there once, in order.
 *
 * This program's own write, renameat, … stand in front of libc's. */
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <zlib.h>

#include "sink_fixture.h"

enum fault { NONE, DIE, TEAR, FAIL, FULL, LOSE };
static enum fault fault;
static int fault_at; /* the call, from 1 on, that meets it */
static int calls;    /* so far */
#define FULL_FOR 12  /* calls until there is room again */
#define DIED     77

/* Does this call fail? May not return at all. */
static bool meets_fault(int fd, const void *data, size_t len)
{
    calls++;
    bool now = calls == fault_at;
    if (now && (fault == DIE || fault == TEAR)) {
        if (fault == TEAR && data) {
            syscall(SYS_write, fd, data, len / 2);
        }
        _exit(DIED);
    }
    if (now && fault == FAIL) {
        errno = EIO;
        return true;
    }
    if (fault == FULL && calls >= fault_at && calls < fault_at + FULL_FOR) {
        errno = ENOSPC;
        return true;
    }
    return false;
}

ssize_t write(int fd, const void *data, size_t len)
{
    return meets_fault(fd, data, len) ? -1 : syscall(SYS_write, fd, data, len);
}

/* The first piece alone, where the disk is about to be full: a short write. */
ssize_t writev(int fd, const struct iovec *iov, int count)
{
    if (fault == FULL && calls + 1 == fault_at) {
        return syscall(SYS_write, fd, iov[0].iov_base, iov[0].iov_len > 5 ? iov[0].iov_len - 5 : 1);
    }
    return meets_fault(fd, iov[0].iov_base, iov[0].iov_len) ? -1 : syscall(SYS_writev, fd, iov, count);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return (flags & O_CREAT) && meets_fault(-1, NULL, 0) ? -1
                                                         : (int)syscall(SYS_openat, dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return (flags & O_CREAT) && meets_fault(-1, NULL, 0)
               ? -1
               : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* libc's own would not come by here. */
int mkostemp(char *path, int flags)
{
    static unsigned last;
    char *suffix = path + strlen(path) - 6;
    snprintf(suffix, 7, "%06u", ++last % 1000000);
    return open(path, flags | O_RDWR | O_CREAT | O_EXCL, 0600);
}

int ftruncate(int fd, off_t length)
{
    return meets_fault(-1, NULL, 0) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int fsync(int fd)
{
    return meets_fault(-1, NULL, 0) ? -1 : (int)syscall(SYS_fsync, fd);
}

/* How long each file was at its last fdatasync, by inode. */
static struct {
    ino_t ino;
    off_t len;
} synced[1000];

static off_t *synced_length(ino_t ino)
{
    int i = 0;
    while (synced[i].ino && synced[i].ino != ino) {
        i++;
        assert_true(i < 1000);
    }
    synced[i].ino = ino;
    return &synced[i].len;
}

/* What Linux does when it cannot write pages back: one fsync says so, the next one does not, and what the
 * pages held is gone. */
static void lose_unsynced(int fd, off_t from, off_t to)
{
    char path[64], zeros[4096] = "";
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int whole = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY); /* not to append */
    assert_true(whole >= 0);
    for (; from < to; from++) {
        assert_int_equal(pwrite(whole, zeros, 1, from), 1);
    }
    close(whole);
}

int fdatasync(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    off_t *len = synced_length(st.st_ino);
    if (meets_fault(-1, NULL, 0)) {
        return -1;
    }
    if (fault == LOSE && calls == fault_at) {
        lose_unsynced(fd, *len < st.st_size ? *len : st.st_size, st.st_size);
        errno = EIO;
        return -1;
    }
    *len = st.st_size;
    return (int)syscall(SYS_fdatasync, fd);
}

int rename(const char *from, const char *to)
{
    return meets_fault(-1, NULL, 0) ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return meets_fault(-1, NULL, 0) ? -1 : (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *path, int flags)
{
    return meets_fault(-1, NULL, 0) ? -1 : (int)syscall(SYS_unlinkat, dir, path, flags);
}

/* -- the run that is disturbed ----------------------------------------------------------------- */

#define LINES 150
#define BATCH 7

static bool moves; /* somebody else moves the file away, and asks for a reopen; else it rotates by size */

static int moved_files(void)
{
    char name[200];
    int n = 0;
    do {
        snprintf(name, sizeof(name), "%s-%d", bench.out, ++n);
    } while (access(name, F_OK) == 0);
    return n - 1;
}

static void move_away(void)
{
    char name[200];
    snprintf(name, sizeof(name), "%s-%d", bench.out, moved_files() + 1);
    syscall(SYS_renameat, AT_FDCWD, bench.out, AT_FDCWD, name);
    bench.sink->ops->reopen(bench.sink);
}

/* Is there a rotated file that is not compressed? */
static bool plain_ones(void)
{
    for (int i = 1; i < 12; i++) {
        char name[200];
        snprintf(name, sizeof(name), "%s.%d", bench.out, i);
        if (access(name, F_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* As a supervisor does, starts until a start succeeds. */
static void start(void)
{
    while (bench_try_open(&sink_file) < 0) {
        assert_true(fault >= FAIL);
        bench_close();
    }
}

/* One turn of delivering. False: all is delivered. */
static bool deliver_some(void)
{
    bench_turn();
    bench.sink->ops->drain(bench.sink); /* waits for no timer */
    if (bench.failed >= 0) {
        assert_true(fault >= FAIL);
        assert_int_equal(bench_save(), -1); /* the collector tries; what failed once counts for nothing */
        bench_close();
        start();
        return true;
    }
    if (!bench.ready || bench.acked < bench.submitted) {
        return true;
    }
    if (bench.next_line > LINES) {
        return bench_save() < 0;
    }
    uint32_t left = LINES + 1 - bench.next_line;
    bench_submit(left < BATCH ? left : BATCH);
    if (bench.submitted % 3 == 0) {
        bench_save();
    }
    if (moves && bench.submitted % 4 == 0) {
        move_away();
    }
    return true;
}

/* Delivers what is undelivered, from where the checkpoint stands. */
static void deliver(void)
{
    start();
    for (int turns = 0; deliver_some(); turns++) {
        assert_true(turns < 2000);
    }
    for (int i = 0; i < 100 && !moves && plain_ones(); i++) { /* compress */
        usleep(200);
        bench_turn();
    }
    bench_close();
}

static void read_any(const char *path, struct buf *into)
{
    char chunk[4096];
    gzFile f = gzopen(path, "r"); /* plain ones too */
    if (!f) {
        return;
    }
    for (int n; (n = gzread(f, chunk, sizeof(chunk))) != 0;) {
        assert_true(n > 0);
        assert_int_equal(buf_add(into, chunk, (size_t)n), 0);
    }
    gzclose(f);
}

static void check(void)
{
    struct buf got = {0};
    char name[200];
    for (int i = 1; moves && i <= moved_files(); i++) {
        snprintf(name, sizeof(name), "%s-%d", bench.out, i);
        read_any(name, &got);
    }
    for (int i = 50; i > 0 && !moves; i--) {
        snprintf(name, sizeof(name), "%s.%d.gz", bench.out, i);
        bool packed = access(name, F_OK) == 0;
        if (packed) {
            read_any(name, &got);
        }
        snprintf(name, sizeof(name), "%s.%d", bench.out, i);
        assert_false(packed && access(name, F_OK) == 0);
        read_any(name, &got);
    }
    read_any(bench.out, &got);
    bench_expect(&got, 1, LINES);
    buf_free(&got);
    snprintf(name, sizeof(name), "%s.new", bench.out);
    assert_int_equal(access(name, F_OK), -1);
    snprintf(name, sizeof(name), "%s.gz.new", bench.out);
    assert_int_equal(access(name, F_OK), -1);
}

/* In a child. True if it met the fault's call before its end. */
static bool disturbed(enum fault what, int at)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fault = what;
        fault_at = at;
        calls = 0;
        deliver();
        _exit(calls >= at ? DIED : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != DIED)) {
        fail_msg("fault %d at call %d: status %x", what, at, (unsigned)status);
    }
    return WEXITSTATUS(status) == DIED;
}

/* Lays down the fault at each call in turn, until the run ends before it comes. */
static void everywhere(enum fault what, bool then_once_more)
{
    bool met = true;
    int at = 0;
    while (met) {
        bench_dir_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                                   : "/tmp"); /* what fsync costs is not the question */
        bench.cfg.file_keep = 50;
        bench.cfg.file_rotate_bytes = moves ? 0 : 600;
        bench.cfg.file_compress = !moves;
        memset(synced, 0, sizeof(synced));
        met = disturbed(what, ++at);
        if (then_once_more) {
            disturbed(what, 1 + rand() % 40); /* soon after the start */
        }
        deliver();
        check();
        assert_false(!met && !moves && plain_ones());
        bench_remove();
    }
    assert_in_range(at, 60, 5000);
    print_message("%d calls\n", at);
}

static void test_killed_before_each_call(void **state)
{
    (void)state;
    everywhere(DIE, false);
}

static void test_killed_twice(void **state)
{
    (void)state;
    everywhere(DIE, true);
}

static void test_each_write_torn(void **state)
{
    (void)state;
    everywhere(TEAR, false);
}

static void test_each_call_fails(void **state)
{
    (void)state;
    everywhere(FAIL, false);
}

static void test_disk_full_at_each_call(void **state)
{
    (void)state;
    everywhere(FULL, false);
}

static void test_each_fsync_loses(void **state)
{
    (void)state;
    everywhere(LOSE, false);
}

/* In a child, whose stdout is a file. */
static int stdout_loses(void)
{
    if (!freopen(bench.out, "w", stdout)) {
        return 1;
    }
    bench_open(&sink_stdout);
    bench_submit(3);
    if (bench.acked != 1 || bench_save() != 0) {
        return 2;
    }
    bench_submit(3);
    fault = LOSE;
    fault_at = calls + 1;
    if (bench_save() != -1 || bench_save() != -1) { /* the second fsync would succeed */
        return 3;
    }
    bench_turn();
    if (bench.failed != EXIT_FAULT || !strstr(bench.error.text, "cannot fsync stdout")) {
        return 4;
    }
    bench_close();
    fault = NONE;
    return bench_try_open(&sink_stdout) == 0 && bench.next_line == 4 ? 0 : 5;
}

static void test_stdout_fsync_loses(void **state)
{
    (void)state;
    int status;
    bench_dir();
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(stdout_loses());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    bench_remove();
}

static int moved_by_others(void **state)
{
    (void)state;
    moves = true;
    return 0;
}

static int moved_by_none(void **state)
{
    (void)state;
    moves = false;
    return 0;
}

#define MOVED(name)                                                                                          \
    {                                                                                                        \
#name " moved", name, moved_by_others, moved_by_none, NULL                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_before_each_call),
        cmocka_unit_test(test_killed_twice),
        cmocka_unit_test(test_each_write_torn),
        cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_disk_full_at_each_call),
        cmocka_unit_test(test_each_fsync_loses),
        cmocka_unit_test(test_stdout_fsync_loses),
        MOVED(test_killed_before_each_call),
        MOVED(test_killed_twice),
        MOVED(test_each_write_torn),
        MOVED(test_each_call_fails),
        MOVED(test_disk_full_at_each_call),
        MOVED(test_each_fsync_loses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
