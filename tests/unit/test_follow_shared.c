/* Links out of the directory that is followed: only to what whoever made them could have read. */
#include <fcntl.h>
#include <sys/mount.h>

#include "links_fixture.h"
#include "source/files/files.h"

static void set_mode(struct world *w, const char *name, mode_t mode)
{
    assert_int_equal(chmod(world_path(w, name), mode), 0);
}

/* What anybody may read, whoever made the link could have read, too. */
static void test_what_anybody_may_read(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    set_mode(&w, "elsewhere", 0711);
    world_write(&w, "elsewhere/x", "1\n");
    link_to(&w, "../../elsewhere/x", "logs/web/x.log");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n");
    link_to(&w, "../elsewhere", "logs/svc"); /* 0711: its names are a secret */
    world_write(&w, "elsewhere/y.log", "2\n");
    await_refused(&w, 1);
    world_expect(&w, "1\n");
    set_mode(&w, "elsewhere", 0755);
    world_await(&w, "1\n2\n");
    world_write(&w, "elsewhere/z.log", "secret\n");
    set_mode(&w, "elsewhere/z.log", 0640);
    await_refused(&w, 2);
    world_expect(&w, "1\n2\n");
    world_free(&w);
}

/* By the file's own rights, and by those of a directory above it. */
static void test_what_not_everybody_may_read(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    set_mode(&w, "elsewhere", 0755);
    world_write(&w, "elsewhere/x", "secret\n");
    set_mode(&w, "elsewhere/x", 0600);
    assert_int_equal(mkdir(world_path(&w, "elsewhere/a"), 0700), 0);
    assert_int_equal(mkdir(world_path(&w, "elsewhere/a/b"), 0755), 0);
    world_write(&w, "elsewhere/a/b/y.log", "secret\n");
    link_to(&w, "../../elsewhere/x", "logs/web/x.log");
    link_to(&w, "../../elsewhere/a/b/y.log", "logs/web/y.log");
    link_to(&w, "../elsewhere/a/b", "logs/svc");
    world_start(&w);
    await_refused(&w, 3);
    world_run(&w, 2500);
    world_expect(&w, "");
    assert_int_equal(metrics.refused_links, refused + 3);
    world_free(&w);
}

/* What is open stays open; all else is looked at again. */
static void test_rights_change(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    set_mode(&w, "elsewhere", 0755);
    world_write(&w, "elsewhere/x", "1\n");
    link_to(&w, "../../elsewhere/x", "logs/web/x.log");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n");
    world_rename(&w, "elsewhere/x", "elsewhere/x.1");
    umask(077);
    world_write(&w, "elsewhere/x", "secret\n");
    umask(022);
    await_refused(&w, 1);
    world_run(&w, 1500);
    world_expect(&w, "1\n");
    set_mode(&w, "elsewhere/x", 0644);
    world_await(&w, "1\nsecret\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "elsewhere/x", "2\n");
    set_mode(&w, "elsewhere", 0700);
    world_start(&w);
    await_refused(&w, 2);
    world_expect(&w, "1\nsecret\n");
    set_mode(&w, "elsewhere", 0711);
    world_await(&w, "1\nsecret\n2\n");
    world_free(&w);
}

/* A directory on the way is closed: what comes into it then is not opened, though anybody may read the file itself. */
static void test_directory_closed(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    set_mode(&w, "elsewhere", 0755);
    world_write(&w, "elsewhere/x", "1\n");
    link_to(&w, "../../elsewhere/x", "logs/web/x.log");
    world_start(&w);
    world_settle(&w);
    set_mode(&w, "elsewhere", 0700);
    world_rename(&w, "elsewhere/x", "elsewhere/x.1");
    world_write(&w, "elsewhere/x", "secret\n");
    await_refused(&w, 1);
    world_run(&w, 1500);
    world_expect(&w, "1\n");
    set_mode(&w, "elsewhere", 0755);
    world_await(&w, "1\nsecret\n");
    world_free(&w);
}

/* What was closed for want of descriptors is looked at again before it is opened again. */
static void test_rights_change_while_closed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        mode_t closed, open;
    } changes[] = {{"elsewhere", 0700, 0755}, {"elsewhere/x", 0600, 0644}};
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct world w;
        linked_world(&w, LINKS_INSIDE);
        set_mode(&w, "elsewhere", 0755);
        world_write(&w, "elsewhere/x", "1\n");
        link_to(&w, "../../elsewhere/x", "logs/web/x.log");
        world_start(&w);
        world_settle(&w);
        ((struct files *)w.source)->set.tailer->open.most = 1;
        world_write(&w, "logs/web/b.log", "b\n");
        world_await(&w, "1\nb\n");
        assert_int_equal(metrics.open_files, 1);
        set_mode(&w, changes[i].name, changes[i].closed);
        world_write(&w, "elsewhere/x", "secret\n");
        await_refused(&w, 1);
        world_run(&w, 1500);
        world_expect(&w, "1\nb\n");
        set_mode(&w, changes[i].name, changes[i].open);
        world_await(&w, "1\nb\nsecret\n");
        world_free(&w);
    }
}

/* A rotated file beside the target, which nobody else may read, is none of the log's. */
static void test_rotated_secret_beside_the_target(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    set_mode(&w, "elsewhere", 0755);
    world_write(&w, "elsewhere/x.1", "secret\n");
    set_mode(&w, "elsewhere/x.1", 0600);
    world_write(&w, "elsewhere/x", "1\n");
    link_to(&w, "../../elsewhere/x", "logs/web/x.log");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n");
    world_free(&w);
}

/* A mount of its own is what a volume is in a container: what is beside it is the collector's. */
static void expect_no_other_mount(struct world *w)
{
    world_write(w, "elsewhere/x", "secret\n");
    link_to(w, "../../elsewhere/x", "logs/web/x.log");
    link_to(w, "../elsewhere", "logs/svc");
    world_start(w);
    await_refused(w, 2);
    world_expect(w, "");
    assert_int_equal(umount2(world_path(w, "elsewhere"), MNT_DETACH), 0);
    world_free(w);
}

static void test_other_file_system(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    if (mount("tmpfs", world_path(&w, "elsewhere"), "tmpfs", 0, "size=128k,mode=0755") < 0) {
        world_free(&w);
        print_message("no right to mount a tmpfs: not tested\n");
        skip();
    }
    expect_no_other_mount(&w);
}

/* The same file system, mounted twice, as Docker's volumes and /etc/hosts are. */
static void test_other_mount(void **state)
{
    (void)state;
    struct world w;
    struct statx st;
    linked_world(&w, LINKS_INSIDE);
    set_mode(&w, "elsewhere", 0755);
    char *dir = strdup(world_path(&w, "elsewhere"));
    bool told = statx(AT_FDCWD, dir, 0, STATX_MNT_ID, &st) == 0 && st.stx_mask & STATX_MNT_ID;
    bool mounted = told && mount(dir, dir, "none", MS_BIND, NULL) == 0;
    free(dir);
    if (!mounted) {
        world_free(&w);
        print_message("no right to mount, or the kernel does not tell mounts: not tested\n");
        skip();
    }
    expect_no_other_mount(&w);
}

/* The volume is mounted below the directory that is followed: what lies beside that is in another mount than the link. */
static void test_volume_below_the_base(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    set_mode(&w, "elsewhere", 0755);
    world_write(&w, "elsewhere/x", "secret\n");
    if (mount("tmpfs", world_path(&w, "logs/web"), "tmpfs", 0, "size=128k") < 0) {
        world_free(&w);
        print_message("no right to mount a tmpfs: not tested\n");
        skip();
    }
    link_to(&w, "../../elsewhere/x", "logs/web/x.log");
    world_start(&w);
    await_refused(&w, 1);
    world_expect(&w, "");
    assert_int_equal(umount2(world_path(&w, "logs/web"), MNT_DETACH), 0);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_anybody_may_read), cmocka_unit_test(test_what_not_everybody_may_read),
        cmocka_unit_test(test_rights_change),         cmocka_unit_test(test_rotated_secret_beside_the_target),
        cmocka_unit_test(test_directory_closed),      cmocka_unit_test(test_rights_change_while_closed),
        cmocka_unit_test(test_other_file_system),     cmocka_unit_test(test_other_mount),
        cmocka_unit_test(test_volume_below_the_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
