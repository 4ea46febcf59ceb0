/* Source json-file where a container's log is a link: it was moved to another disk, or leads to nothing that can be
 * read. */
#include <unistd.h>

#include "links_fixture.h"

#define LOG       WORLD_ID "/" WORLD_ID "-json.log"
#define LOCAL     WORLD_ID "/local-logs"
#define CONTAINER WORLD_ID "/config.v2.json"

static void json_world(struct world *w)
{
    world_new_json(w);
    world_container(w);
    assert_int_equal(mkdir(world_path(w, "disk"), 0700), 0);
    refused = metrics.refused_links;
}

/* Its log is on the other disk. */
static void moved_world(struct world *w)
{
    json_world(w);
    world_write_entry(w, "disk/x.1", "1\\n");
    world_write_entry(w, "disk/x", "2\\n");
    link_to(w, world_path(w, "disk/x"), LOG);
}

static void test_a_log_on_another_disk(void **state)
{
    (void)state;
    struct world w;
    moved_world(&w);
    world_start(&w);
    world_await(&w, "1\n2\n");
    world_write_entry(&w, "disk/x", "3\\n");
    world_await(&w, "1\n2\n3\n");
    world_rename(&w, "disk/x.1", "disk/x.2");
    world_rename(&w, "disk/x", "disk/x.1");
    world_write_entry(&w, "disk/x", "4\\n");
    world_await(&w, "1\n2\n3\n4\n");
    world_save(&w);
    world_kill(&w);
    world_write_entry(&w, "disk/x", "5\\n");
    world_rename(&w, "disk/x.2", "disk/x.3");
    world_rename(&w, "disk/x.1", "disk/x.2");
    world_rename(&w, "disk/x", "disk/x.1");
    world_write_entry(&w, "disk/x", "6\\n");
    world_start(&w);
    world_await(&w, "1\n2\n3\n4\n5\n6\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n6\n");
    assert_int_equal(metrics.refused_links, refused);
    world_free(&w);
}

/* The Engine renames the link, and makes a file in its place. */
static void test_the_engine_rotates_the_link(void **state)
{
    (void)state;
    struct world w;
    moved_world(&w);
    world_start(&w);
    world_await(&w, "1\n2\n");
    world_write_entry(&w, "disk/x", "3\\n");
    world_rename(&w, LOG, LOG ".1");
    world_write_entry(&w, LOG, "4\\n");
    world_await(&w, "1\n2\n3\n4\n");
    world_rename(&w, LOG, LOG ".2");
    world_write_entry(&w, LOG, "5\\n");
    world_await(&w, "1\n2\n3\n4\n5\n");
    assert_int_equal(metrics.refused_links, refused);
    world_free(&w);
}

/* Moved while it is read, and back. */
static void test_moved_while_it_is_read(void **state)
{
    (void)state;
    struct world w;
    json_world(&w);
    world_write_entry(&w, LOG, "1\\n");
    world_start(&w);
    world_await(&w, "1\n");
    world_rename(&w, LOG, "disk/x");
    link_to(&w, world_path(&w, "disk/x"), LOG);
    world_write_entry(&w, "disk/x", "2\\n");
    world_await(&w, "1\n2\n");
    world_run(&w, 1500);
    world_write_entry(&w, "disk/x", "3\\n");
    world_await(&w, "1\n2\n3\n");
    unlink(world_path(&w, LOG));
    world_rename(&w, "disk/x", LOG);
    world_write_entry(&w, LOG, "4\\n");
    world_await(&w, "1\n2\n3\n4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

static void test_no_regular_file(void **state)
{
    (void)state;
    struct world w;
    json_world(&w);
    link_to(&w, "/dev/null", LOG);
    world_start(&w);
    await_refused(&w, 1);
    world_run(&w, 2500);
    assert_int_equal(metrics.refused_links, refused + 1);
    unlink(world_path(&w, LOG));
    world_write_entry(&w, LOG, "1\\n");
    world_await(&w, "1\n");
    unlink(world_path(&w, LOG));
    assert_int_equal(mkdir(world_path(&w, LOG), 0700), 0);
    await_refused(&w, 2);
    world_free(&w);
}

/* What it leads to is not mounted, or comes later. */
static void test_a_link_to_nothing(void **state)
{
    (void)state;
    struct world w;
    json_world(&w);
    link_to(&w, world_path(&w, "disk/x"), LOG);
    world_start(&w);
    await_refused(&w, 1);
    world_run(&w, 2500);
    assert_int_equal(metrics.refused_links, refused + 1);
    world_write_entry(&w, "disk/x", "1\\n");
    world_await(&w, "1\n");
    assert_int_equal(metrics.refused_links, refused + 1);
    world_free(&w);
}

/* Its position is noted before its metadata tell whether it is wanted. */
static void test_start_at_end(void **state)
{
    (void)state;
    struct world w;
    moved_world(&w);
    w.cfg->start_at = START_END;
    world_rename(&w, CONTAINER, "late");
    world_start(&w);
    world_write_entry(&w, "disk/x", "3\\n");
    world_rename(&w, "late", CONTAINER);
    world_await(&w, "3\n");
    world_settle(&w);
    world_expect(&w, "3\n");
    world_free(&w);
}

/* The whole directory of the driver local's log is a link. */
static void test_a_directory_on_another_disk(void **state)
{
    (void)state;
    struct world w;
    json_world(&w);
    world_write(&w, WORLD_ID "/hostconfig.json", "{\"LogConfig\":{\"Type\":\"local\"}}");
    link_to(&w, world_path(&w, "disk"), LOCAL);
    world_start(&w);
    world_settle(&w);
    FILE *log = fopen(world_path(&w, "disk/container.log"), "w");
    assert_non_null(log);
    static const char message[] = "\x0a\x06stdout\x10\xb5\xc0\xb1\xec\xd0\xd6\x88\xf6\x18\x1a\x01x";
    const unsigned char size[4] = {0, 0, 0, sizeof(message) - 1};
    assert_int_equal(fwrite(size, 1, 4, log), 4);
    assert_int_equal(fwrite(message, 1, sizeof(message) - 1, log), sizeof(message) - 1);
    assert_int_equal(fwrite(size, 1, 4, log), 4);
    fclose(log);
    world_await(&w, "x\n");
    assert_int_equal(metrics.refused_links, refused);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_on_another_disk),
        cmocka_unit_test(test_the_engine_rotates_the_link),
        cmocka_unit_test(test_moved_while_it_is_read),
        cmocka_unit_test(test_no_regular_file),
        cmocka_unit_test(test_a_link_to_nothing),
        cmocka_unit_test(test_start_at_end),
        cmocka_unit_test(test_a_directory_on_another_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
