/* A directory's names are as they are now, whenever it was listed before. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "source/log/dir_names.h"

static char dir[64], path[128];

static void make(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
}

static size_t count(void)
{
    size_t len, found = 0;
    const char *names = dir_names_rotated(dir, &len);
    assert_non_null(names);
    for (const char *it = names; it < names + len; it += strlen(it) + 1) {
        found++;
    }
    return found;
}

/* At once, and when the directory was silent in between. */
static void test_new_names_are_seen(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/sidetail-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    make("a.log");
    make("b.txt");
    for (size_t i = 1; i <= 200; i++) {
        char name[32];
        assert_int_equal(count(), i - 1);
        snprintf(name, sizeof(name), "a.log.%zu", i);
        make(name);
        assert_int_equal(count(), i);
        if (i % 50 == 0) {
            usleep(100000);
            assert_int_equal(count(), i);
        }
    }
    for (size_t i = 1; i <= 200; i++) {
        snprintf(path, sizeof(path), "%s/a.log.%zu", dir, i);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(count(), 200 - i);
    }
    snprintf(path, sizeof(path), "%s/a.log", dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/b.txt", dir);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
    size_t len;
    assert_null(dir_names_rotated(dir, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_new_names_are_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
