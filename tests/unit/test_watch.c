/* The pace of inotify events: told at once while little happens, gathered while much does, and none is left untold. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/watch.h"

static char dir[64], path[80];
static struct event_base *base;
static struct watcher *watcher;
static struct watch *watch;
static int fd;
static unsigned told;

static void on_event(void *arg, uint32_t mask, const char *name)
{
    (void)arg, (void)name;
    told += (mask & IN_MODIFY) != 0;
}

static void on_overflow(void *arg)
{
    (void)arg;
}

static int set_up(void **state)
{
    struct error err = {0};
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/sidetail-watch-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/log", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    base = loop_new();
    watcher = watcher_new(base, on_overflow, NULL, &err);
    assert_non_null(watcher);
    watch = watch_open(watcher, dir, IN_MODIFY, on_event, NULL);
    assert_non_null(watch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    watcher_free(watcher);
    event_base_free(base);
    close(fd);
    unlink(path);
    return rmdir(dir);
}

/* Something happens. Is it told by one look, without waiting? */
static bool is_told_at_once(void)
{
    unsigned before = told;
    assert_int_equal(write(fd, "x", 1), 1);
    event_base_loop(base, EVLOOP_NONBLOCK);
    return told > before;
}

static void await(unsigned count)
{
    int64_t until = clock_monotonic() + 20 * NS_PER_S;
    while (told < count && clock_monotonic() < until) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    assert_true(told >= count);
}

static void rest(int64_t ns)
{
    for (int64_t until = clock_monotonic() + ns; clock_monotonic() < until;) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
}

static void test_gathers_while_busy(void **state)
{
    (void)state;
    int64_t until = clock_monotonic() + 20 * NS_PER_S;
    assert_true(is_told_at_once());
    while (is_told_at_once() && clock_monotonic() < until) {
    }
    assert_true(clock_monotonic() < until);
    await(told + 1); /* what was not told at once comes by itself */
    do {
        rest(50 * NS_PER_MS);
    } while (!is_told_at_once() && clock_monotonic() < until);
    assert_true(clock_monotonic() < until); /* and it is at once again, once it was quiet */
}

static void test_tells_other_events(void **state)
{
    (void)state;
    assert_true(watch_change(watch, dir, IN_CREATE));
    assert_false(is_told_at_once());
    assert_true(watch_change(watch, dir, IN_MODIFY));
    assert_true(is_told_at_once());
    char other[80];
    snprintf(other, sizeof(other), "%s.other", dir);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_false(watch_change(watch, other, IN_CREATE)); /* that is not the one that is watched */
    assert_non_null(watch_open(watcher, other, IN_CREATE, on_event, NULL)); /* nor is it watched since */
    assert_false(watch_change(watch, other, IN_MODIFY));
    assert_int_equal(rmdir(other), 0);
    assert_true(is_told_at_once());
}

/* Under another name, too, of which its directory tells nothing. */
static void test_tells_of_a_file(void **state)
{
    (void)state;
    char name[100];
    struct watch *file = watch_open_file(watcher, fd, IN_MODIFY, on_event, NULL);
    assert_non_null(file);
    assert_null(watch_open_file(watcher, fd, IN_MODIFY, on_event, NULL));
    assert_false(watch_tells_all(file));
    assert_true(watch_change(watch, dir, IN_CREATE));
    assert_true(is_told_at_once());
    snprintf(name, sizeof(name), "%s.moved", path);
    assert_int_equal(rename(path, name), 0);
    assert_true(is_told_at_once());
    assert_int_equal(unlink(name), 0);
    assert_true(is_told_at_once());
    watch_close(file);
    assert_false(is_told_at_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gathers_while_busy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tells_other_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tells_of_a_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
