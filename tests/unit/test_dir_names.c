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
#include "source/log/rotation_name.h"

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
    size_t found;
    assert_non_null(dir_names_rotated(dir, "", 0, &found));
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
    assert_null(dir_names_rotated(dir, "", 0, &len));
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
        assert_non_null(dir_names_rotated(target, "", 0, &len));
        assert_non_null(dir_names_rotated(dir, "", 0, &len));
        assert_non_null(dir_names_rotated(links, "", 0, &len));
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
            assert_null(dir_names_rotated(dir, "", 0, &len));
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

/* Only what may be one log's: where each of thousands looked at all, that would be quadratic. */
static void test_names_of_one_log(void **state)
{
    (void)state;
    static const char *const names[] = {"x-1.log", "x-10.log", "x-2.log",    "x.log",     "x.log.1",
                                        "xy.1",    "w-9.log",  "x-1.log.gz", "x-1-2.log", "x-1.log.7"};
    static const char *const expected[] = {"x-1-2.log", "x-1.log", "x-1.log.7", "x-1.log.gz", "x-10.log"};
    size_t found, len = rotation_common("x-1.log");
    assert_int_equal(len, 3);
    assert_int_equal(rotation_common("x.1"), 3); /* that is no ending */
    assert_int_equal(rotation_common("x"), 1);
    snprintf(dir, sizeof(dir), "/tmp/sidetail-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        make(names[i]);
    }
    const char *const *got = dir_names_rotated(dir, "x-1.log", len, &found);
    assert_non_null(got);
    assert_int_equal(found, 5);
    for (size_t i = 0; i < found; i++) {
        assert_string_equal(got[i], expected[i]);
    }
    assert_non_null(dir_names_rotated(dir, "zzz", 3, &found));
    assert_int_equal(found, 0);
    assert_non_null(dir_names_rotated(dir, "a", 1, &found));
    assert_int_equal(found, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_names_are_seen), cmocka_unit_test(test_links_directory_is_listed_once),
        cmocka_unit_test(test_several_directories), cmocka_unit_test(test_names_of_one_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
