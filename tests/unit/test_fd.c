#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

static void a_pipe_can_be_waited_for_a_file_cannot(void **state)
{
    (void)state;
    int ends[2], null = open("/dev/null", O_WRONLY), file;
    char path[] = "/tmp/sidetail-fd-XXXXXX";
    assert_int_equal(pipe(ends), 0);
    file = mkstemp(path);
    assert_true(file >= 0);
    assert_true(fd_can_wait(ends[1]));
    assert_false(fd_can_wait(null));
    assert_false(fd_can_wait(file));
    assert_false(fd_can_wait(-1));
    int all[] = {ends[0], ends[1], null, file};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        close(all[i]);
    }
    unlink(path);
}

static void the_limit_goes_up_to_the_hard_one(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    fd_raise_limit();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur == limit.rlim_max);
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_can_be_waited_for_a_file_cannot),
        cmocka_unit_test(the_limit_goes_up_to_the_hard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
