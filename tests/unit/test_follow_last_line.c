/* The last line of a log that nobody goes on with: of a deleted file, and of a container that has ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "decode/decode.h"
#include "source/json_file/container.h"
#include "world.h"

#define LOG WORLD_ID "/" WORLD_ID "-json.log"

static void delete_file(struct world *w, const char *name)
{
    assert_int_equal(unlink(world_path(w, name)), 0);
}

/* TERM: the source is stopped, and what it has put goes out. */
static void end_in_order(struct world *w)
{
    w->source->ops->stop(w->source);
    pipeline_drain(w->pipeline, NULL, NULL);
}

static void state(struct world *w, bool running, const char *run_end)
{
    char text[512];
    snprintf(text, sizeof(text),
             "{\"ID\":\"" WORLD_ID "\",\"Name\":\"/web\",\"Config\":{\"Labels\":{}},"
             "\"State\":{\"Running\":%s,\"FinishedAt\":\"%s\"}}",
             running ? "true" : "false", run_end);
    delete_file(w, WORLD_ID "/config.v2.json");
    world_write(w, WORLD_ID "/config.v2.json", text);
}

static void entry(struct world *w, const char *text, int second)
{
    char *json;
    assert_true(asprintf(&json,
                         "{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:%02d.5Z\"}\n",
                         text, second) > 0);
    world_write(w, LOG, json);
    free(json);
}

static void new_container(struct world *w, bool running, const char *run_end)
{
    world_new_json(w);
    world_container(w);
    w->cfg->partial_wait = NS_PER_MS;
    state(w, running, run_end);
}

/* Its container ends while its log is closed for want of descriptors. */
static void test_ended_while_closed(void **unused)
{
    (void)unused;
    static const char other[] = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
    struct world w;
    char name[200];
    new_container(&w, true, "0001-01-01T00:00:00Z");
    entry(&w, world_piece("begun"), 1);
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "");
    ((struct json_file *)w.source)->tailer->open.most = 1;
    assert_int_equal(mkdir(world_path(&w, other), 0755), 0);
    snprintf(name, sizeof(name), "%s/config.v2.json", other);
    world_write(&w, name,
                "{\"ID\":\"fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210\","
                "\"Name\":\"/db\",\"Config\":{\"Labels\":{}}}");
    snprintf(name, sizeof(name), "%s/%s-json.log", other, other);
    world_write_entry(&w, name, "one\\n");
    world_await(&w, "one\n");
    assert_int_equal(metrics.open_files, 1);
    state(&w, false, "2026-11-24T05:00:02Z");
    struct buf want = {0};
    assert_int_equal(buf_addf(&want, "one\n%s\n", world_piece("begun")) | buf_add(&want, "", 1), 0);
    world_await(&w, want.data);
    buf_free(&want);
    world_free(&w);
}

static void test_deleted(void **unused)
{
    (void)unused;
    struct world w;
    world_new_plain(&w);
    w.cfg->partial_wait = NS_PER_MS;
    world_write(&w, "web/a.log", "one\ntwo");
    world_start(&w);
    world_run(&w, 2500);
    world_expect(&w, "one\n"); /* somebody may go on */
    delete_file(&w, "web/a.log");
    world_await(&w, "one\ntwo\n");
    world_run(&w, 2500);
    world_expect(&w, "one\ntwo\n");
    world_free(&w);
}

static void test_deleted_before_the_end(void **unused)
{
    (void)unused;
    struct world w;
    uint64_t lost = metrics.lost_bytes;
    world_new_plain(&w);
    w.cfg->partial_wait = NS_PER_S * 3600;
    world_write(&w, "web/a.log", "one\ntwo");
    world_write(&w, "web/b.log", "open");
    world_start(&w);
    world_settle(&w);
    delete_file(&w, "web/a.log");
    world_run(&w, 2500);
    world_expect(&w, "one\n");
    end_in_order(&w);
    world_expect(&w, "one\ntwo\n");
    world_checkpoint(&w);
    world_kill(&w);
    assert_int_equal(metrics.lost_bytes, lost);
    world_write(&w, "web/b.log", "ed\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "one\ntwo\nopened\n");
    world_free(&w);
}

/* The Engine rotated a log behind a piece of a line and packed it: that file is deleted, but its line goes on. Nobody has looked
 * since as the collector is told to end. */
static void rotated_before_the_end(bool running)
{
    struct world w;
    new_container(&w, running, running ? "0001-01-01T00:00:00Z" : "2026-11-24T05:00:02Z");
    w.cfg->partial_wait = NS_PER_S * 3600;
    entry(&w, world_piece("begun "), 1);
    world_start(&w);
    world_settle(&w);
    world_rename(&w, LOG, LOG ".1");
    entry(&w, "goes on\\n", 1);
    world_pack(&w, LOG ".1");
    end_in_order(&w);
    world_expect(&w, "");
    world_checkpoint(&w);
    world_kill(&w);
    world_start(&w);
    world_settle(&w);
    world_expectf(&w, "%sgoes on\n", world_piece("begun "));
    world_free(&w);
}

static void test_packed_before_the_end(void **unused)
{
    (void)unused;
    rotated_before_the_end(true);
}

static void test_packed_before_the_end_of_both(void **unused)
{
    (void)unused;
    rotated_before_the_end(false);
}

/* A last piece of exactly what Docker cuts may go on as long as the container runs. */
static void test_container_ends(void **unused)
{
    (void)unused;
    struct world w;
    new_container(&w, true, "0001-01-01T00:00:00Z");
    entry(&w, world_piece("begun"), 1);
    world_start(&w);
    world_run(&w, 2500);
    world_expect(&w, "");
    state(&w, false, "2026-11-24T05:00:02Z");
    char *expected;
    assert_true(asprintf(&expected, "%s\n", world_piece("begun")) > 0);
    world_await(&w, expected);
    world_save(&w);
    world_settle(&w);
    world_expect(&w, expected);
    free(expected);
    world_free(&w);
}

/* What a crash left of an entry is a line, too; what the Engine appends to it is not lost. */
static void test_torn_entry(void **unused)
{
    (void)unused;
    struct world w;
    new_container(&w, false, "2026-11-24T05:00:02Z");
    entry(&w, "one\\n", 1);
    world_write(&w, LOG, "{\"log\":\"to");
    world_start(&w);
    world_await(&w, "one\n{\"log\":\"to\n");
    state(&w, true, "2026-11-24T05:00:02Z");
    entry(&w, "two\\n", 3);
    world_settle(&w);
    world_expect(&w, "one\n{\"log\":\"to\ntwo\n");
    world_free(&w);
}

static void test_container_ended_before_the_end(void **unused)
{
    (void)unused;
    struct world w;
    new_container(&w, false, "2026-11-24T05:00:02Z");
    w.cfg->partial_wait = NS_PER_S * 3600;
    entry(&w, world_piece("begun"), 1);
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "");
    end_in_order(&w);
    world_expectf(&w, "%s\n", world_piece("begun"));
    world_free(&w);
}

/* Each run ends with just as much as Docker cuts, and the next one begins before anybody looks. */
static void test_runs(void **unused)
{
    (void)unused;
    struct world w;
    new_container(&w, true, "0001-01-01T00:00:00Z");
    w.cfg->partial_wait = NS_PER_S * 3600;
    entry(&w, world_piece("first"), 1);
    entry(&w, world_piece("goes on"), 1);
    world_start(&w);
    world_settle(&w);
    state(&w, true, "2026-11-24T05:00:02Z");
    world_settle(&w);
    entry(&w, "second\\n", 3);
    world_settle(&w);
    world_expectf(&w, "%s%s\nsecond\n", world_piece("first"), world_piece("goes on"));
    entry(&w, world_piece("third "), 4); /* of one run, whatever their times */
    entry(&w, "goes on\\n", 5);
    world_settle(&w);
    world_expectf(&w, "%s%s\nsecond\n%sgoes on\n", world_piece("first"), world_piece("goes on"),
                  world_piece("third "));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ended_while_closed),
        cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_deleted_before_the_end),
        WORLD_TEST_ARCHIVES(test_packed_before_the_end),
        WORLD_TEST_ARCHIVES(test_packed_before_the_end_of_both),
        cmocka_unit_test(test_container_ends),
        cmocka_unit_test(test_torn_entry),
        cmocka_unit_test(test_container_ended_before_the_end),
        cmocka_unit_test(test_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
