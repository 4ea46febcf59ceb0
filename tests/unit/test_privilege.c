/* Taking the capability to read all files into use; in processes of their own, as it cannot be given back and
 * got again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "base/privilege.h"

enum { READ_ALL = 1 << CAP_DAC_READ_SEARCH, HELD = 1, REFUSED = 2, BROKEN = 3, UNPRIVILEGED = 4 };

/* Leaves this process nothing but `permitted`, and nothing of it in use. False where it has not got that
 * itself. */
static bool limit_to(unsigned permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{.permitted = permitted}};
    return syscall(SYS_capset, &header, sets) == 0;
}

/* What becomes of a process that may use `permitted`: does it get the capability, and can it read what it may
 * not otherwise? */
static int in_child(unsigned permitted, const char *path)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!limit_to(permitted)) {
            _exit(UNPRIVILEGED);
        }
        if (open(path, O_RDONLY) >= 0) {
            _exit(BROKEN);
        }
        bool held = privilege_read_all();
        bool readable = open(path, O_RDONLY) >= 0;
        _exit(held != readable ? BROKEN : held ? HELD : REFUSED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_takes_what_is_permitted(void **state)
{
    (void)state;
    char path[] = "/tmp/sidetail-privilege-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && fchmod(fd, 0) == 0);
    close(fd);
    int with = in_child(READ_ALL, path), without = in_child(0, path);
    unlink(path);
    if (with == UNPRIVILEGED) {
        skip();
    }
    assert_int_equal(with, HELD);
    assert_int_equal(without, REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_takes_what_is_permitted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
