/* Where batches wait, a log that is written to steadily is read without being told of each line, and is told of again once
 * it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "source/json_file/container.h"
#include "world.h"

#define LOG WORLD_ID "/" WORLD_ID "-json.log"

static struct world w;
static char expected[65536];
static int written;

static struct json_file *source(void)
{
    return (struct json_file *)w.source;
}

static bool is_steady(void)
{
    return !TAILQ_EMPTY(&source()->tailer->steady.logs);
}

static void put_line(void)
{
    char entry[16];
    snprintf(entry, sizeof(entry), "%d\\n", ++written);
    world_write_entry(&w, LOG, entry);
    snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%d\n", written);
}

/* Writes so often that each look finds something, for `ms`, or till it is steady. */
static void write_steadily(int ms, bool till_steady)
{
    for (int64_t until = clock_monotonic() + ms * NS_PER_MS;
         clock_monotonic() < until && !(till_steady && is_steady());) {
        put_line();
        world_run(&w, 20);
    }
}

static void start(void)
{
    written = 0;
    expected[0] = '\0';
    world_new_json(&w);
    world_container(&w);
    w.cfg->batch_age = 100 * NS_PER_MS;
    w.cfg->batch_bytes = 4096;
    w.cfg->memory_max = 65536;
    world_start(&w);
    world_settle(&w);
    event_del(source()->tick); /* which would find all of it, a second late */
    write_steadily(20000, true);
    assert_true(is_steady());
}

static void test_reads_what_it_is_not_told_of(void **state)
{
    (void)state;
    start();
    write_steadily(500, false);
    world_await(&w, expected);
    for (int i = 0; is_steady() && i < 1000; i++) {
        world_run(&w, 20);
    }
    assert_false(is_steady());
    world_settle(&w);
    put_line(); /* and is told of it again */
    world_await(&w, expected);
    world_free(&w);
}

static void test_rotates_untold(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 5; i++) {
        write_steadily(100, false);
        world_rename(&w, LOG, LOG ".1");
        put_line();
    }
    world_await(&w, expected);
    world_truncate_to(&w, LOG, "");
    world_run(&w, 300);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

/* While the sink takes nothing, nobody wakes up to read what there is no room for. */
static void test_rests_without_room(void **state)
{
    (void)state;
    start();
    w.stalled = true;
    for (int i = 0; pipeline_room(w.pipeline) && i < 1000; i++) {
        put_line();
        world_run(&w, 20);
    }
    assert_false(pipeline_room(w.pipeline));
    assert_true(is_steady());
    put_line();
    world_run(&w, 300);
    assert_false(evtimer_pending(source()->tailer->run, NULL));
    world_unstall(&w);
    world_await(&w, expected);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

static void set_driver(const char *driver)
{
    char text[80];
    snprintf(text, sizeof(text), "{\"LogConfig\":{\"Type\":\"%s\"}}", driver);
    world_write(&w, "new", text);
    world_rename(&w, "new", WORLD_ID "/hostconfig.json");
    world_settle(&w);
}

/* Another log is followed in its place, then it again: what is written to it is told. */
static void test_follows_anew_untold(void **state)
{
    (void)state;
    start();
    world_await(&w, expected);
    write_steadily(20000, true);
    set_driver("local");
    assert_false(is_steady());
    set_driver("json-file");
    container_look(source()->containers); /* as each second */
    world_settle(&w);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_is_not_told_of),
        cmocka_unit_test(test_rotates_untold),
        cmocka_unit_test(test_rests_without_room),
        cmocka_unit_test(test_follows_anew_untold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
