/* Links made by those who may not read what they lead to: by another user, in another volume, by a chain of links. */
#include <sys/mount.h>

#include "base/clock.h"
#include "links_fixture.h"

#define SOMEBODY 54321

static void give(struct world *w, const char *name)
{
    assert_int_equal(lchown(world_path(w, name), SOMEBODY, SOMEBODY), 0);
}

/* Skips the test where nobody else's files can be made. */
static void need_root(void)
{
    if (geteuid() != 0) {
        print_message("not root: not tested\n");
        skip();
    }
}

static void mount_volume(struct world *w, const char *name)
{
    assert_int_equal(mkdir(world_path(w, name), 0755), 0);
    if (mount("tmpfs", world_path(w, name), "tmpfs", 0, "size=128k,mode=755") < 0) {
        rmdir(world_path(w, name));
        world_free(w);
        print_message("no right to mount a tmpfs: not tested\n");
        skip();
    }
}

static void unmount(struct world *w, const char *name)
{
    assert_int_equal(umount2(world_path(w, name), MNT_DETACH), 0);
}

/* Below the base as well, a link shows its maker nothing that they could not see. */
static void test_other_users_files(void **state)
{
    (void)state;
    need_root();
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    w.cfg->rescan = NS_PER_S;
    world_write(&w, "logs/key", "of root\n");
    assert_int_equal(chmod(world_path(&w, "logs/key"), 0600), 0);
    link_to(&w, "../key", "logs/web/x.log");
    give(&w, "logs/web/x.log");
    world_start(&w);
    await_refused(&w, 1);
    world_expect(&w, "");
    give(&w, "logs/key"); /* their own */
    world_await(&w, "of root\n");
    world_free(&w);
}

/* What root has laid out is followed. */
static void test_roots_links(void **state)
{
    (void)state;
    need_root();
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    world_write(&w, "logs/current", "1\n");
    assert_int_equal(chmod(world_path(&w, "logs/current"), 0600), 0);
    give(&w, "logs/current");
    link_to(&w, "../current", "logs/web/x.log");
    world_start(&w);
    world_await(&w, "1\n");
    world_free(&w);
}

/* Volumes of two applications below the base: neither sees the other's. */
static void test_other_volume(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    mount_volume(&w, "logs/db");
    world_write(&w, "logs/db/key", "secret\n");
    link_to(&w, "../db/key", "logs/web/admins.log"); /* web lies in the base's own mount */
    mount_volume(&w, "logs/app");
    link_to(&w, "../db/key", "logs/app/x.log");
    world_start(&w);
    await_refused(&w, 1);
    world_settle(&w);
    world_expect(&w, "secret\n");
    unmount(&w, "logs/app");
    unmount(&w, "logs/db");
    world_free(&w);
}

/* Each link of a chain counts, not the first alone. */
static void test_chain(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    assert_int_equal(chmod(world_path(&w, "elsewhere"), 0755), 0);
    world_write(&w, "elsewhere/x", "secret\n");
    mount_volume(&w, "logs/vol");
    assert_int_equal(mkdir(world_path(&w, "logs/vol/d"), 0755), 0);
    link_to(&w, "vol/d", "logs/current");
    link_to(&w, "../../../elsewhere/x", "logs/vol/d/x.log");
    world_write(&w, "logs/vol/d/app.log", "1\n");
    world_start(&w);
    world_await(&w, "1\n");
    await_refused(&w, 1);
    world_expect(&w, "1\n");
    unmount(&w, "logs/vol");
    world_free(&w);
}

/* The directory of a log that was read before leads elsewhere at the next start, where only its rotated files are. */
static void test_directory_of_a_gone_log(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    assert_int_equal(chmod(world_path(&w, "elsewhere"), 0755), 0);
    world_write(&w, "logs/web/auth.log", "1\n");
    world_start(&w);
    world_await(&w, "1\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "elsewhere/auth-20261128.log", "secret\n");
    assert_int_equal(chmod(world_path(&w, "elsewhere/auth-20261128.log"), 0600), 0);
    world_rename(&w, "logs/web/auth.log", "auth");
    assert_int_equal(rmdir(world_path(&w, "logs/web")), 0);
    link_to(&w, "../elsewhere", "logs/web");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "elsewhere/auth.log", "secret\n");
    assert_int_equal(chmod(world_path(&w, "elsewhere/auth.log"), 0600), 0);
    await_refused(&w, 2);
    world_run(&w, 1500);
    world_expect(&w, "1\n");
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_users_files),
        cmocka_unit_test(test_roots_links),
        cmocka_unit_test(test_other_volume),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_directory_of_a_gone_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
