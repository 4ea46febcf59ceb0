/* A second process with the same checkpoint: it is refused before it touches anything. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/store.h"

/* Stands in front of libc's: a file system without locks, as some NFS. 0: locks are to be had. */
static int no_locks;

int flock(int fd, int operation)
{
    if (no_locks) {
        errno = no_locks;
        return -1;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

#define WEEK (168 * 3600 * NS_PER_S)

static char dir[64], path[256];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_checkpoint.XXXXXX");
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    return mkdtemp(dir) && snprintf(path, sizeof(path), "%s/checkpoint.json", dir) > 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static struct checkpoint *load(void)
{
    struct error err = {0};
    struct checkpoint *c = checkpoint_new();
    assert_non_null(c);
    if (checkpoint_load(c, path, WEEK, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

static void set(struct checkpoint *c, uint64_t offset)
{
    struct position pos = {.kind = POSITION_FILE,
                           .at.file = {.file = {.dev = 1, .ino = 2}, .offset = offset}};
    assert_int_equal(checkpoint_set(c, "log", &pos), 0);
}

static void save(struct checkpoint *c)
{
    struct error err = {0};
    if (checkpoint_save(c, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

/* `who` is told to whoever comes second. */
static void expect_refused(const char *who)
{
    struct error err = {0};
    struct checkpoint *second = checkpoint_new();
    assert_non_null(second);
    assert_int_equal(checkpoint_load(second, path, WEEK, &err), -1);
    assert_int_equal(err.exit_code, EXIT_LOCKED);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, who));
    set(second, 2);
    save(second); /* keeps nothing on disk */
    checkpoint_free(second);
}

static void test_second_changes_nothing(void **state)
{
    (void)state;
    char self[40];
    struct checkpoint *first = load();
    set(first, 1);
    save(first);
    snprintf(self, sizeof(self), "(pid %d on host ", (int)getpid());
    expect_refused(self);
    checkpoint_free(first);
    first = load(); /* its lock is gone */
    assert_int_equal(checkpoint_get(first, "log")->at.file.offset, 1);
    checkpoint_free(first);
}

/* What is damaged for the one that comes second may be half of what the first one writes. */
static void test_nothing_is_set_aside(void **state)
{
    (void)state;
    struct checkpoint *first = load();
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("half of it\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    expect_refused("pid");
    assert_int_equal(access(path, F_OK), 0);
    checkpoint_free(first);
}

/* The lock goes with its process, however that ends; its file stays. */
static void test_after_a_kill(void **state)
{
    (void)state;
    int ready[2];
    char byte, who[40];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        load();
        (void)!write(ready[1], "r", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(who, sizeof(who), "(pid %d on host ", (int)pid);
    expect_refused(who);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    checkpoint_free(load());
    close(ready[0]);
    close(ready[1]);
}

/* Nobody is led to another file by a planted link. */
static void test_planted_link(void **state)
{
    (void)state;
    struct error err = {0};
    char lock[300], victim[300];
    snprintf(lock, sizeof(lock), "%s.lock", path);
    snprintf(victim, sizeof(victim), "%s/victim", dir);
    assert_int_equal(symlink(victim, lock), 0);
    struct checkpoint *c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, path, WEEK, &err), -1);
    assert_non_null(strstr(err.text, lock));
    assert_int_equal(access(victim, F_OK), -1);
    checkpoint_free(c);
}

/* By a second name, the positions would be had without their lock. */
static void test_link_to_the_checkpoint(void **state)
{
    (void)state;
    struct error err = {0};
    char link[300];
    struct checkpoint *first = load();
    set(first, 1);
    save(first);
    snprintf(link, sizeof(link), "%s/link.json", dir);
    assert_int_equal(symlink(path, link), 0);
    struct checkpoint *c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, link, WEEK, &err), -1);
    assert_int_equal(err.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(err.text, "is a link"));
    checkpoint_free(c);
    checkpoint_free(first);
}

/* As cleaners of old files do: the lock is taken again, or whoever has it by then is told. */
static void test_lock_is_removed(void **state)
{
    (void)state;
    struct error err = {0};
    char lock[300];
    snprintf(lock, sizeof(lock), "%s.lock", path);
    struct checkpoint *first = load();
    set(first, 1);
    save(first);
    assert_int_equal(unlink(lock), 0);
    set(first, 2);
    save(first);
    expect_refused("pid");
    assert_int_equal(unlink(lock), 0);
    struct checkpoint *second = load();
    set(first, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(checkpoint_save(first, &err), -1);
        assert_int_equal(err.exit_code, EXIT_LOCKED);
    }
    assert_int_equal(checkpoint_get(second, "log")->at.file.offset, 2);
    checkpoint_free(second);
    save(first); /* the other has gone */
    checkpoint_free(first);
}

/* A disk on which there is no inode left for the lock: a start is possible, and a second one is refused once there is. */
static void test_no_room(void **state)
{
    (void)state;
    char filler[200];
    if (mount("none", dir, "tmpfs", 0, "size=1m,nr_inodes=8") < 0) {
        print_message("no right to mount a small tmpfs: not tested\n");
        skip();
    }
    for (int i = 0; i < 8; i++) {
        snprintf(filler, sizeof(filler), "%s/filler%d", dir, i);
        int fd = open(filler, O_WRONLY | O_CREAT, 0600);
        if (fd >= 0) {
            close(fd);
        }
    }
    struct checkpoint *first = load();
    for (int i = 0; i < 3; i++) {
        snprintf(filler, sizeof(filler), "%s/filler%d", dir, i);
        assert_int_equal(unlink(filler), 0);
    }
    set(first, 1);
    save(first);
    expect_refused("pid");
    checkpoint_free(first);
    assert_int_equal(umount(dir), 0);
}

/* Root ran it once: that the lock is to be given away too is said, and nothing is read again for want of that. */
static void test_lock_of_another_user(void **state)
{
    (void)state;
    char lock[300];
    struct error err = {0};
    if (geteuid() != 0) {
        print_message("only root can give files away: not tested\n");
        skip();
    }
    checkpoint_free(load());
    snprintf(lock, sizeof(lock), "%s.lock", path);
    assert_int_equal(chown(dir, 65534, 65534), 0);
    assert_int_equal(seteuid(65534), 0);
    struct checkpoint *c = checkpoint_new();
    int result = checkpoint_load(c, path, WEEK, &err);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(result, -1);
    assert_int_equal(err.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(err.text, "user 0's"));
    assert_non_null(strstr(err.text, "user 65534"));
    checkpoint_free(c);
}

static void expect_file(const char *at, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(at, "r");
    assert_non_null(f);
    assert_true(fread(got, 1, sizeof(got) - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(got, text);
}

static int write_second(void *arg, int fd)
{
    (void)arg;
    return write(fd, "second", 6) == 6 ? 0 : -1;
}

/* The other one starts and saves while this one has written half. */
static int write_first(void *arg, int fd)
{
    struct error err = {0};
    bool starts = *(bool *)arg;
    assert_int_equal(write(fd, "fir", 3), 3);
    if (starts) {
        assert_int_equal(store_check(path, &err), 0);
    }
    assert_int_equal(store_write(path, write_second, NULL, &err), 0);
    expect_file(path, "second");
    assert_int_equal(write(fd, "st", 2), 2);
    return 0;
}

/* Where there are no locks, two may write at once. None renames what the other has half written. */
static void test_two_writers(void **state)
{
    (void)state;
    struct error err = {0};
    bool starts = false;
    assert_int_equal(store_write(path, write_first, &starts, &err), 0);
    expect_file(path, "first");
    starts = true; /* and removes what it takes for a killed one's: this save fails, the next one does not */
    assert_int_equal(store_write(path, write_first, &starts, &err), -1);
    expect_file(path, "second");
    starts = false;
    assert_int_equal(store_write(path, write_first, &starts, &err), 0);
    expect_file(path, "first");
}

static void make(const char *suffix)
{
    char name[300];
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static bool is_there(const char *suffix)
{
    char name[300];
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return access(name, F_OK) == 0;
}

/* What saves left that were killed goes at a start, and nothing else does. */
static void test_left_by_kills(void **state)
{
    (void)state;
    static const char *const left[] = {".new", ".new.a1B2c3", ".new.Zz0000"};
    static const char *const others[] = {".new.backup-1", ".newer", ".corrupt-1", ".1"};
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        make(left[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        make(others[i]);
    }
    checkpoint_free(load());
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        assert_false(is_there(left[i]));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_true(is_there(others[i]));
    }
}

/* Its start goes on where locks are not to be had, and says so, once. */
static void test_no_locks(void **state)
{
    (void)state;
    static const int answers[] = {ENOLCK, EOPNOTSUPP, ENOSYS};
    char said[300], text[4096];
    snprintf(said, sizeof(said), "%s/said", dir);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        int fd = open(said, O_RDWR | O_CREAT | O_TRUNC, 0600), before = dup(STDERR_FILENO);
        assert_true(fd >= 0 && before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
        log_setup(LEVEL_WARN, LOG_LOGFMT);
        no_locks = answers[i];
        struct checkpoint *first = load();
        for (uint64_t offset = 1; offset < 4; offset++) {
            set(first, 10 * i + offset);
            save(first);
        }
        no_locks = 0;
        checkpoint_free(first);
        log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
        assert_true(dup2(before, STDERR_FILENO) >= 0);
        ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
        assert_true(len > 0);
        text[len] = '\0';
        const char *once = strstr(text, "has no locks");
        assert_non_null(once);
        assert_null(strstr(once + 1, "has no locks"));
        close(fd);
        close(before);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        TEST(test_second_changes_nothing),
        TEST(test_nothing_is_set_aside),
        TEST(test_after_a_kill),
        TEST(test_planted_link),
        TEST(test_link_to_the_checkpoint),
        TEST(test_lock_is_removed),
        TEST(test_no_room),
        TEST(test_lock_of_another_user),
        TEST(test_two_writers),
        TEST(test_left_by_kills),
        TEST(test_no_locks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
