/* When the checkpoint was saved before: what was made since is new to the next start. */
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

#include "base/clock.h"
#include "checkpoint/checkpoint.h"

static char dir[64], path[96];

static struct checkpoint *load(void)
{
    struct error err = {0};
    struct checkpoint *c = checkpoint_new();
    if (!c || checkpoint_load(c, path, 3600 * NS_PER_S, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

/* As a checkpoint of that mtime tells it. */
static void expect_before(struct timespec mtime, int64_t before)
{
    struct timespec times[2] = {mtime, mtime};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    struct checkpoint *c = load();
    assert_false(checkpoint_dirty(c));
    assert_int_equal(checkpoint_saved_before(c), before);
    checkpoint_free(c);
}

static void test_of_a_file(void **state)
{
    (void)state;
    struct error err = {0};
    strcpy(dir, "/tmp/sidetail-before-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/checkpoint.json", dir);
    struct checkpoint *c = load();
    assert_int_equal(checkpoint_saved_before(c), 0);
    assert_true(checkpoint_dirty(c)); /* though it is empty: the next start is not the first */
    assert_int_equal(checkpoint_save(c, &err), 0);
    assert_int_equal(checkpoint_saved_before(c), 0);
    checkpoint_free(c);
    expect_before((struct timespec){2000, 5}, 2000 * NS_PER_S + 5);
    /* The clock was set back since. */
    expect_before((struct timespec){.tv_sec = clock_now() / NS_PER_S + 1000}, 1);
    assert_int_equal(truncate(path, 20), 0); /* damaged: a first start again */
    c = load();
    assert_int_equal(checkpoint_saved_before(c), 0);
    checkpoint_free(c);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* Of one that a sink keeps: when the newest of its positions was written. */
static void test_of_positions_read_back(void **state)
{
    (void)state;
    struct checkpoint *c = checkpoint_new();
    struct position pos = {.kind = POSITION_API, .at.api = {1, 1}};
    assert_int_equal(checkpoint_restore(c, "a", &pos, 300), 0);
    assert_int_equal(checkpoint_restore(c, "b", &pos, 200), 0);
    assert_int_equal(checkpoint_saved_before(c), 300 * NS_PER_S);
    assert_int_equal(checkpoint_restore(c, "c", &pos, INT64_MIN),
                     0); /* whoever may write there, with any time */
    assert_int_equal(checkpoint_saved_before(c), 300 * NS_PER_S);
    checkpoint_free(c);
    c = checkpoint_new();
    assert_int_equal(checkpoint_restore(c, "d", &pos, INT64_MAX),
                     0); /* far ahead, as where the clock was set back */
    assert_int_equal(checkpoint_saved_before(c), 1);
    checkpoint_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_file),
        cmocka_unit_test(test_of_positions_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
