/* A directory's names are as they are now, whenever it was listed before. */
#include <dirent.h>
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
static size_t listings;

/* In place of the C library's: counts the directories that are listed. */
DIR *opendir(const char *name)
{
    listings++;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? NULL : fdopendir(fd);
}

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

/* A thousand links in one directory, each target in a directory of its own, of which two may be looked into: the
 * links' directory is listed once, and each of the others. */
static void test_links_directory_is_listed_once(void **state)
{
    (void)state;
    char links[96], target[96];
    size_t len;
    snprintf(dir, sizeof(dir), "/tmp/sidetail-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(links, sizeof(links), "%s/links", dir);
    assert_int_equal(mkdir(links, 0755), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(target, sizeof(target), "%s/%d", dir, i);
        assert_int_equal(mkdir(target, 0755), 0);
    }
    usleep(100000); /* what changed just now is listed each time */
    listings = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(target, sizeof(target), "%s/%d", dir, i);
        assert_non_null(dir_names_rotated(target, &len));
        assert_non_null(dir_names_rotated(dir, &len));
        assert_non_null(dir_names_rotated(links, &len));
    }
    assert_int_equal(listings, 1000 + 2);
    for (int i = 0; i < 1000; i++) {
        snprintf(target, sizeof(target), "%s/%d", dir, i);
        rmdir(target);
    }
    rmdir(links);
    assert_int_equal(rmdir(dir), 0);
}

/* What is kept of one directory is never taken for another's, also where one cannot be listed. */
static void test_several_directories(void **state)
{
    (void)state;
    char top[32];
    size_t len;
    snprintf(top, sizeof(top), "/tmp/sidetail-test-XXXXXX");
    assert_non_null(mkdtemp(top));
    for (int i = 0; i < 7; i++) {
        snprintf(dir, sizeof(dir), "%s/%d", top, i);
        assert_int_equal(mkdir(dir, 0755), 0);
        for (int name = 1; name <= i; name++) {
            char rotated[32];
            snprintf(rotated, sizeof(rotated), "a.log.%d", name);
            make(rotated);
        }
    }
    usleep(100000);
    for (int turn = 0; turn < 200; turn++) {
        int i = turn * turn % 11; /* some again and again, and some that are not there */
        snprintf(dir, sizeof(dir), "%s/%d", top, i);
        if (i < 7) {
            assert_int_equal(count(), i);
        } else {
            assert_null(dir_names_rotated(dir, &len));
        }
    }
    for (int i = 0; i < 7; i++) {
        snprintf(dir, sizeof(dir), "%s/%d", top, i);
        for (int name = 1; name <= i; name++) {
            snprintf(path, sizeof(path), "%s/a.log.%d", dir, name);
            unlink(path);
        }
        assert_int_equal(rmdir(dir), 0);
    }
    rmdir(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_new_names_are_seen),
                                       cmocka_unit_test(test_links_directory_is_listed_once),
                                       cmocka_unit_test(test_several_directories)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
