/* Opening files where others may write: by openat2, and where the kernel or a filter of system calls does not have
 * it. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/own_files.h"
#include "base/plain_file.h"
#include "base/real_path.h"

static char dir[] = "/tmp/sidetail-plain-XXXXXX";

static const char *path(const char *name)
{
    static char paths[4][512];
    static unsigned at;
    char *p = paths[at++ % 4];
    snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
    return p;
}

static void make(const char *name)
{
    FILE *f = fopen(path(name), "w");
    assert_non_null(f);
    assert_true(fputs(name, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(mkdir(path("web"), 0755), 0);
    make("web/a.log");
    make("own");
    assert_int_equal(symlink("a.log", path("web/link.log")), 0);
    assert_int_equal(symlink("web", path("linked")), 0);
    assert_int_equal(symlink("nowhere", path("dangling")), 0);
    assert_int_equal(mkfifo(path("fifo"), 0644), 0);
    assert_int_equal(link(path("own"), path("web/hard.log")), 0);
    return 0;
}

static int remove_one(const char *name, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(name);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Why it cannot be opened; 0: it can. */
static int fault_of(const char *name)
{
    int fd = plain_file_open(name);
    int why = fd < 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    return why;
}

/* What is wrong with one of them; NULL: nothing. */
static const char *look_at_all(void)
{
    static char long_name[300];
    static const struct {
        const char *name;
        int why;
    } all[] = {
        {"web/a.log", 0},          {"web//a.log", 0},        {"web/link.log", ENOENT},
        {"linked/a.log", ENOENT},  {"web/none.log", ENOENT}, {"web/a.log/x", ENOENT},
        {"dangling", ENOENT},      {"fifo", EINVAL},         {"web", EINVAL},
        {"/proc/version", EINVAL}, {"/dev/null", EINVAL},    {long_name, ENAMETOOLONG},
    };
    memset(long_name, 'x', sizeof(long_name) - 1);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const char *name = all[i].name;
        if (fault_of(*name == '/' ? name : path(name)) != all[i].why) {
            return name;
        }
    }
    return NULL;
}

/* An emulator that knows neither openat2 nor filters. */
static bool openat2_lacks_here(void)
{
    return syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0) < 0 && errno == ENOSYS;
}

/* From here on openat2 gives that error. */
static void refuse_openat2(int why)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)why),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
    if ((prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) &&
        !openat2_lacks_here()) {
        _exit(2);
    }
}

/* In a process of its own, for there is no way back. 0: openat2 is as it is here. */
static void test_with(int why)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (why) {
            refuse_openat2(why);
        }
        const char *wrong = look_at_all();
        if (wrong) {
            fprintf(stderr, "wrong: %s\n", wrong);
        }
        _exit(wrong != NULL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_as_it_is(void **state)
{
    (void)state;
    test_with(0);
}

static void test_older_kernel(void **state)
{
    (void)state;
    test_with(ENOSYS);
}

static void test_filtered(void **state)
{
    (void)state;
    test_with(EPERM);
}

static void test_stat(void **state)
{
    (void)state;
    struct stat st;
    assert_true(plain_file_stat(path("web/a.log"), &st));
    static const char *const others[] = {"web/link.log", "web/none.log", "fifo", "web", "dangling"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(plain_file_stat(path(others[i]), &st));
        assert_int_equal(errno, ENOENT);
    }
}

static void test_own_files(void **state)
{
    (void)state;
    static const char *const beside[] = {"own.1", "own.12.gz", "own.new", "own.new.a1B2c3", "own.corrupt-1"};
    static const char *const others[] = {"own.log", "ownership", "own-1", "web/a.log"};
    assert_int_equal(fault_of(path("own")), 0);
    assert_int_equal(own_files_add(path("linked/../own")), 0);
    assert_int_equal(own_files_add(path("linked/../own")), 0);
    assert_int_equal(fault_of(path("own")), ENOENT);
    assert_int_equal(fault_of(path("web/hard.log")), ENOENT); /* by another name */
    for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
        make(beside[i]);
        assert_int_equal(fault_of(path(beside[i])), ENOENT);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        make(others[i]);
        assert_int_equal(fault_of(path(others[i])), 0);
    }
    own_files_remove(path("linked/../own"));
    own_files_remove(path("linked/../own"));
    assert_int_equal(fault_of(path("own")), 0);
    assert_int_equal(fault_of(path("own.1")), 0);
}

static void expect_path(char *found, const char *want)
{
    assert_string_equal(found, want);
    free(found);
}

static void test_real_paths(void **state)
{
    (void)state;
    expect_path(real_path(path("linked/link.log")), path("web/a.log"));
    expect_path(real_path(path("dangling")), path("dangling"));
    expect_path(real_name(path("linked/link.log")), path("web/link.log"));
    expect_path(real_name(path("linked/none.log")), path("web/none.log"));
    expect_path(real_name("/none"), "/none");
    expect_path(real_name(path("none/x")), path("none/x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_it_is),  cmocka_unit_test(test_older_kernel),
        cmocka_unit_test(test_filtered),  cmocka_unit_test(test_stat),
        cmocka_unit_test(test_own_files), cmocka_unit_test(test_real_paths),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
