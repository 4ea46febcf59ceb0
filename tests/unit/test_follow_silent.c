/* Logs of which all is read, and of which all would be told, are looked at rarely; others each second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "source/files/dir.h"
#include "source/files/file.h"
#include "source/json_file/container.h"
#include "world.h"

static struct world w;

static struct files *source(void)
{
    return (struct files *)w.source;
}

static struct file *file(void)
{
    return source()->set.by_path;
}

static void look(void)
{
    file_set_look(&source()->set);
    world_settle(&w);
}

/* The next looks, one of which would be its turn if it took turns. */
static void look_in_turn(void)
{
    for (int i = 0; i < 8; i++) {
        look();
    }
}

/* Skips the test where the file system of the tests is none that tells all. */
static void start(void)
{
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    if (!watch_tells_all(dir_watch_of(source(), file()->path))) {
        world_free(&w);
        skip();
    }
    event_del(source()->tick);
    look();
}

static void test_what_was_read_is_silent(void **state)
{
    (void)state;
    start();
    assert_true(file_rests(file()));
    world_write(&w, "web/a.log", "2\n");
    world_await(&w, "1\n2\n");
    assert_true(file_rests(file()));
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_settle(&w);
    assert_false(file_rests(file()));
    look_in_turn();
    assert_false(file_rests(file()));
    world_write(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    look();
    assert_true(file_rests(file()));
    world_free(&w);
}

static void test_what_waits_is_not(void **state)
{
    (void)state;
    start();
    world_write(&w, "web/a.log", "un");
    world_settle(&w);
    look_in_turn();
    assert_false(file_rests(file()));
    world_write(&w, "web/a.log", "finished\n");
    world_await(&w, "1\nunfinished\n");
    look();
    assert_true(file_rests(file()));
    world_free(&w);
}

/* What is written by a name elsewhere is not told. */
static void test_what_has_two_names_is_not(void **state)
{
    (void)state;
    start();
    assert_true(file_rests(file()));
    assert_int_equal(link(world_path(&w, "web/a.log"), world_path(&w, "b")), 0);
    look_in_turn();
    assert_false(file_rests(file()));
    world_write(&w, "b", "2\n");
    look();
    world_await(&w, "1\n2\n");
    world_free(&w);
}

static void test_nothing_is_where_no_watch_is(void **state)
{
    (void)state;
    start();
    assert_true(file_rests(file()));
    dir_unwatch(source()->dirs);
    for (struct dir *dir = source()->dirs; dir; dir = dir->hh.next) {
        dir_unwatch(dir);
    }
    world_write(&w, "web/a.log", "2\n");
    world_run(&w, 20);
    look(); /* the first one, whether or not it is its turn */
    world_await(&w, "1\n2\n");
    assert_false(file_rests(file()));
    world_free(&w);
}

static void test_containers(void **state)
{
    (void)state;
    world_new_json(&w);
    world_container(&w);
    world_write_entry(&w, WORLD_ID "/" WORLD_ID "-json.log", "1\\n");
    world_start(&w);
    world_await(&w, "1\n");
    struct container *c = ((struct json_file *)w.source)->containers;
    if (!watch_tells_all(c->watch)) {
        world_free(&w);
        skip();
    }
    event_del(((struct json_file *)w.source)->tick);
    container_look(c);
    assert_true(c->told && follow_rests(c->follow));
    world_write_entry(&w, WORLD_ID "/" WORLD_ID "-json.log", "2\\n");
    world_await(&w, "1\n2\n");
    assert_true(c->told && follow_rests(c->follow));
    world_rename(&w, WORLD_ID "/" WORLD_ID "-json.log", WORLD_ID "/" WORLD_ID "-json.log.1");
    world_settle(&w);
    container_look(c);
    assert_false(c->told);
    world_write_entry(&w, WORLD_ID "/" WORLD_ID "-json.log", "3\\n");
    world_await(&w, "1\n2\n3\n");
    container_look(c);
    assert_true(c->told && follow_rests(c->follow));
    watch_close(c->watch);
    c->watch = NULL;
    c->told = false;
    container_look(c);
    assert_true(c->told && c->watch);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_read_is_silent),
        cmocka_unit_test(test_what_waits_is_not),
        cmocka_unit_test(test_what_has_two_names_is_not),
        cmocka_unit_test(test_nothing_is_where_no_watch_is),
        cmocka_unit_test(test_containers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
