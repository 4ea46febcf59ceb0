/* Following files where nothing tells of changes: on file systems whose changes come from elsewhere, and without
 * inotify. The test's own calls replace libc's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "world.h"

static const char *scratch; /* watches are put on directories made in it; NULL: where they belong */
static unsigned watches;    /* put so far */
static bool none_left;      /* no inotify instance */

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    char dir[128];
    watches++;
    if (scratch) {
        snprintf(dir, sizeof(dir), "%s/XXXXXX", scratch);
        path = mkdtemp(dir);
    }
    return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

int inotify_init1(int flags)
{
    if (none_left) {
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_inotify_init1, flags);
}

static int as_usual(void **state)
{
    (void)state;
    scratch = NULL;
    none_left = false;
    return 0;
}

static void quiet_world(struct world *w)
{
    static char dir[128];
    world_new_plain(w);
    w->cfg->rescan = NS_PER_S;
    snprintf(dir, sizeof(dir), "%s", world_path(w, "scratch"));
    assert_int_equal(mkdir(dir, 0755), 0);
    scratch = dir;
    world_write(w, "web/a.log", "1\n");
    world_start(w);
    world_settle(w);
    world_expect(w, "1\n");
}

static void test_new_files_and_directories(void **state)
{
    (void)state;
    struct world w;
    quiet_world(&w);
    world_write(&w, "web/a.log", "2\n");
    world_await(&w, "1\n2\n");
    world_write(&w, "web/b.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    assert_int_equal(mkdir(world_path(&w, "db"), 0755), 0);
    world_write(&w, "db/c.log", "4\n");
    world_await(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

static void test_directory_made_anew(void **state)
{
    (void)state;
    struct world w;
    quiet_world(&w);
    world_rename(&w, "web", "old"); /* which is a service, too */
    assert_int_equal(mkdir(world_path(&w, "web"), 0755), 0);
    world_rename(&w, "old/a.log", "old/kept");
    world_write(&w, "web/b.log", "2\n");
    world_await(&w, "1\n2\n");
    world_write(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_free(&w);
}

static void test_directory_becomes_a_link(void **state)
{
    (void)state;
    struct world w;
    quiet_world(&w);
    world_rename(&w, "web", ".web");
    assert_int_equal(symlink(".web", world_path(&w, "web")), 0);
    world_write(&w, ".web/b.log", "2\n");
    world_await(&w, "1\n2\n");
    world_write(&w, ".web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_free(&w);
}

/* It looks, and watches once there is an instance again. */
static void test_no_instance_left(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    none_left = true;
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_await(&w, "1\n");
    world_write(&w, "web/a.log", "2\n");
    world_await(&w, "1\n2\n");
    assert_int_equal(mkdir(world_path(&w, "db"), 0755), 0);
    world_write(&w, "db/b.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    none_left = false;
    watches = 0;
    for (int i = 0; i < 1000 && watches < 3; i++) {
        world_run(&w, 20);
    }
    assert_int_equal(watches, 3); /* the base, web and db */
    world_write(&w, "web/c.log", "4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

static void test_no_instance_left_for_containers(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    none_left = true;
    world_start(&w);
    world_settle(&w);
    world_container(&w);
    world_write(&w, WORLD_ID "/" WORLD_ID "-json.log",
                "{\"log\":\"1\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:00Z\"}\n");
    world_await(&w, "1\n");
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_new_files_and_directories, as_usual),
        cmocka_unit_test_teardown(test_directory_made_anew, as_usual),
        cmocka_unit_test_teardown(test_directory_becomes_a_link, as_usual),
        cmocka_unit_test_teardown(test_no_instance_left, as_usual),
        cmocka_unit_test_teardown(test_no_instance_left_for_containers, as_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
