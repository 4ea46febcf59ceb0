/* Following files by links: which are followed and which are not, and where those that are lead to. */
#include "links_fixture.h"
#include "source/files/files.h"

/* As `ln -sfn` does. */
static void turn(struct world *w, const char *target, const char *name)
{
    link_to(w, target, "turned");
    world_rename(w, "turned", name);
}

/* -- which are followed ----------------------------------------------------------------------- */

static void test_no_link_shows_secrets(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    world_write(&w, "elsewhere/secret.log", "secret\n");
    world_write(&w, "logs/web/a.log", "1\n");
    link_to(&w, world_path(&w, "elsewhere/secret.log"), "logs/web/b.log");
    link_to(&w, "../../elsewhere/secret.log", "logs/web/c.log");
    link_to(&w, "b.log", "logs/web/d.log");
    link_to(&w, "../elsewhere", "logs/svc");
    world_start(&w);
    await_refused(&w, 4);
    link_to(&w, world_path(&w, "elsewhere/secret.log"), "logs/web/e.log");
    await_refused(&w, 5);
    world_write(&w, "elsewhere/secret.log", "more\n");
    world_run(&w, 2500); /* said once, however often it is looked at */
    world_expect(&w, "1\n");
    assert_int_equal(metrics.refused_links, refused + 5);
    world_free(&w);
}

static void test_all_lead_outside(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_ALL);
    world_write(&w, "elsewhere/x.log", "1\n");
    link_to(&w, "../elsewhere", "logs/svc");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n");
    link_to(&w, world_path(&w, "elsewhere/y"), "logs/web/y.log");
    world_write(&w, "elsewhere/y", "2\n");
    world_await(&w, "1\n2\n");
    assert_int_equal(metrics.refused_links, refused);
    world_free(&w);
}

static void test_none_at_all(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_NONE);
    world_write(&w, "logs/.kept/x", "1\n");
    world_write(&w, "logs/web/a.log", "2\n");
    link_to(&w, "../.kept/x", "logs/web/x.log");
    link_to(&w, ".kept", "logs/svc");
    world_start(&w);
    await_refused(&w, 2);
    world_settle(&w);
    world_expect(&w, "2\n");
    world_free(&w);
}

static void test_what_is_no_file(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_ALL);
    mkfifo(world_path(&w, "elsewhere/fifo"), 0644);
    mkfifo(world_path(&w, "logs/web/fifo.log"), 0644);
    link_to(&w, "/proc/self/environ", "logs/web/environ.log");
    link_to(&w, "/sys/kernel/mm/transparent_hugepage/enabled", "logs/web/sys.log");
    link_to(&w, "/dev/zero", "logs/web/zero.log");
    link_to(&w, world_path(&w, "elsewhere/fifo"), "logs/web/pipe.log");
    link_to(&w, "/proc/self", "logs/self");
    world_start(&w);
    await_refused(&w, access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0 ? 5 : 4);
    world_expect(&w, "");
    world_free(&w);
}

static void test_base_may_be_a_link(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_NONE);
    world_rename(&w, "logs", "elsewhere/logs");
    link_to(&w, "elsewhere/logs", "logs");
    world_write(&w, "logs/web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "logs/web/a.log", "logs/web/a.log.1");
    world_write(&w, "logs/web/a.log.1", "2\n");
    world_write(&w, "logs/web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    assert_int_equal(metrics.refused_links, refused);
    world_free(&w);
}

/* /var/lib/docker may be one to another disk. */
static void test_root_of_containers_may_be_a_link(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_container(&w);
    char *link = strdup(world_path(&w, "link"));
    assert_int_equal(symlink(".", link), 0);
    free(w.cfg->json_file_path);
    w.cfg->json_file_path = link;
    world_write(&w, WORLD_ID "/" WORLD_ID "-json.log",
                "{\"log\":\"1\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:00Z\"}\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, WORLD_ID "/" WORLD_ID "-json.log", WORLD_ID "/" WORLD_ID "-json.log.1");
    world_write(&w, WORLD_ID "/" WORLD_ID "-json.log",
                "{\"log\":\"2\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:01Z\"}\n");
    world_await(&w, "1\n2\n");
    world_free(&w);
}

/* -- what the collector writes itself --------------------------------------------------------- */

static void test_own_files(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_ALL);
    world_write(&w, "logs/web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    link_to(&w, w.checkpoint, "logs/web/link.log");
    assert_int_equal(link(w.checkpoint, world_path(&w, "logs/web/hard.log")), 0);
    world_rename(&w, "logs/web/a.log", "logs/web/a.log.1"); /* a name that is followed */
    link_to(&w, w.checkpoint, "logs/web/a.log");
    world_run(&w, 1500);
    world_checkpoint(&w); /* hard.log is the checkpoint of before now */
    world_run(&w, 2500);
    world_expect(&w, "1\n");
    assert_int_equal(metrics.refused_links, refused);
    world_free(&w);
}

/* -- where they lead -------------------------------------------------------------------------- */

static void test_rotated_beside_the_target(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_ALL);
    world_write(&w, "elsewhere/0.log", "1\n");
    link_to(&w, world_path(&w, "elsewhere/0.log"), "logs/web/a.log");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "elsewhere/0.log", "2\n");
    world_rename(&w, "elsewhere/0.log", "elsewhere/0.log.20261124-050003");
    world_write(&w, "elsewhere/0.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "elsewhere/0.log", "4\n");
    world_rename(&w, "elsewhere/0.log", "elsewhere/0.log.20261124-050004");
    world_pack(&w, "elsewhere/0.log.20261124-050004");
    world_write(&w, "elsewhere/0.log", "5\n");
    world_start(&w);
    world_await(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

static void test_dangling(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    link_to(&w, "../.kept/file", "logs/web/a.log");
    link_to(&w, ".kept/later", "logs/svc");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "logs/.kept/file", "1\n");
    world_await(&w, "1\n");
    mkdir(world_path(&w, "logs/.kept/later"), 0755);
    world_write(&w, "logs/.kept/later/b.log", "2\n");
    world_await(&w, "1\n2\n");
    world_write(&w, "logs/.kept/file", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_free(&w);
}

/* It led nowhere, and now leads where it may not. */
static void test_dangling_outside(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    link_to(&w, "../../elsewhere/file", "logs/web/a.log");
    world_start(&w);
    world_settle(&w);
    assert_int_equal(metrics.refused_links, refused);
    world_write(&w, "elsewhere/file", "secret\n");
    await_refused(&w, 1);
    world_expect(&w, "");
    world_free(&w);
}

static void test_turned_file(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    world_write(&w, "logs/.kept/1", "1\n");
    link_to(&w, "../.kept/1", "logs/web/current.log");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "logs/.kept/1", "2\n");
    world_write(&w, "logs/.kept/2", "3\n");
    turn(&w, "../.kept/2", "logs/web/current.log");
    world_await(&w, "1\n2\n3\n");
    world_write(&w, "elsewhere/secret", "secret\n");
    turn(&w, "../../elsewhere/secret", "logs/web/current.log");
    await_refused(&w, 1);
    world_write(&w, "logs/.kept/3", "4\n");
    turn(&w, "../.kept/3", "logs/web/current.log");
    world_await(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

/* Below a wildcard, and with nothing that tells of it: the link before the one that is met. */
static void test_turned_directory(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    mkdir(world_path(&w, "logs/.kept/v1"), 0755);
    mkdir(world_path(&w, "logs/.kept/v2"), 0755);
    mkdir(world_path(&w, "logs/.kept/v3"), 0755);
    world_write(&w, "logs/.kept/v1/a.log", "1\n");
    world_write(&w, "logs/.kept/v2/a.log", "2\n");
    link_to(&w, "v1", "logs/.kept/now");
    link_to(&w, ".kept/now", "logs/svc");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n");
    turn(&w, "v2", "logs/.kept/now");
    world_await(&w, "1\n2\n");
    world_write(&w, "logs/.kept/v2/a.log", "3\n");
    world_write(&w, "logs/.kept/v2/b.log", "4\n");
    world_await(&w, "1\n2\n3\n4\n");
    turn(&w, ".kept/v3", "logs/svc");
    world_settle(&w);
    world_write(&w, "logs/.kept/v3/a.log", "5\n");
    world_await(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

/* A link and its target, a directory and a link to it, two links to one file: one log each. */
static void test_twins(void **state)
{
    (void)state;
    struct world w;
    linked_world(&w, LINKS_INSIDE);
    world_write(&w, "logs/web/x.log", "1\n");
    world_write(&w, "logs/.kept/y", "2\n");
    link_to(&w, "x.log", "logs/web/latest.log");
    link_to(&w, "web", "logs/current");
    mkdir(world_path(&w, "logs/db"), 0755);
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n");
    link_to(&w, "../.kept/y", "logs/db/y1.log");
    link_to(&w, "../.kept/y", "logs/db/y2.log");
    world_await(&w, "1\n2\n");
    world_write(&w, "logs/web/x.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_write(&w, "logs/.kept/y", "4\n");
    world_await(&w, "1\n2\n3\n4\n");
    world_run(&w, 1500);
    world_expect(&w, "1\n2\n3\n4\n");
    assert_int_equal(HASH_COUNT(((struct files *)w.source)->set.by_path), 6);
    assert_int_equal(metrics.feeds, 2);
    assert_int_equal(metrics.refused_links, refused);
    world_free(&w);
}

static int fresh(void **state)
{
    (void)state;
    metrics.feeds = 0;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_link_shows_secrets),
        cmocka_unit_test(test_all_lead_outside),
        cmocka_unit_test(test_none_at_all),
        cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_base_may_be_a_link),
        cmocka_unit_test(test_root_of_containers_may_be_a_link),
        cmocka_unit_test(test_own_files),
        WORLD_TEST_ARCHIVES(test_rotated_beside_the_target),
        cmocka_unit_test(test_dangling),
        cmocka_unit_test(test_dangling_outside),
        cmocka_unit_test(test_turned_file),
        cmocka_unit_test(test_turned_directory),
        cmocka_unit_test_setup(test_twins, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
