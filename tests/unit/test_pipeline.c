/* The pipeline inside of the whole collector: what it holds back, and what memory it keeps. */
#include <malloc.h>
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
#include "base/status.h"
#include "decode/decode.h"
#include "world.h"

static struct world w;
static unsigned written; /* lines */

static int setup(void **state)
{
    (void)state;
    char pattern[128];
    world_new(&w);
    w.cfg->source = SOURCE_FILES;
    w.cfg->files_format = FILE_PLAIN;
    snprintf(pattern, sizeof(pattern), "%s/{service}/*.log", w.dir);
    struct string_list *include = &w.cfg->files_include;
    include->items = realloc(include->items, sizeof(char *));
    include->items[0] = strdup(pattern);
    include->count = 1;
    assert_int_equal(mkdir(world_path(&w, "web"), 0755), 0);
    memset(&metrics, 0, sizeof(metrics));
    standing = (struct standing){0};
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    written = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(&w);
    return 0;
}

static void write_lines(unsigned count)
{
    struct buf text = {0};
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(buf_addf(&text, "line %010u\n", ++written), 0);
    }
    buf_add(&text, "", 1);
    world_write(&w, "web/a.log", text.data);
    buf_free(&text);
}

/* Lines 1 to `last` are out, each once, in order, and nothing else. */
static void expect_lines(unsigned last)
{
    struct buf text = {0};
    for (unsigned i = 1; i <= last; i++) {
        assert_int_equal(buf_addf(&text, "line %010u\n", i), 0);
    }
    assert_int_equal(w.out.len, text.len);
    assert_memory_equal(w.out.data, text.data, text.len);
    buf_free(&text);
}

static bool holds_lines(unsigned last)
{
    return w.out.len == last * strlen("line 0000000001\n");
}

static void run_until_lines(unsigned last)
{
    for (int i = 0; i < 300 && !holds_lines(last); i++) {
        world_run(&w, 10);
    }
    expect_lines(last);
}

/* A directory takes the checkpoint's place: no save succeeds. */
static void block_saving(void)
{
    char kept[300];
    snprintf(kept, sizeof(kept), "%s", world_path(&w, "kept"));
    assert_true(rename(world_path(&w, "checkpoint"), kept) == 0 || errno == ENOENT);
    assert_int_equal(mkdir(world_path(&w, "checkpoint"), 0755), 0);
}

static void allow_saving(void)
{
    char kept[300];
    snprintf(kept, sizeof(kept), "%s", world_path(&w, "kept"));
    assert_int_equal(rmdir(world_path(&w, "checkpoint")), 0);
    assert_true(rename(kept, world_path(&w, "checkpoint")) == 0 || errno == ENOENT);
}

static void test_reading_waits_for_the_checkpoint(void **state)
{
    (void)state;
    w.cfg->checkpoint_interval = 20 * NS_PER_MS;
    world_start(&w);
    write_lines(10);
    run_until_lines(10);
    world_run(&w, 50);
    block_saving();
    write_lines(10); /* nobody knows yet that it will not be saved */
    run_until_lines(20);
    world_run(&w, 100);
    assert_true(status.checkpoint.failing);
    for (int i = 0; i < 20; i++) {
        write_lines(50);
        world_run(&w, 20);
    }
    expect_lines(20);
    assert_in_range(metrics.commit_errors, 3, 40);
    assert_int_equal(metrics.backpressure, 1);
    allow_saving();
    run_until_lines(1020); /* by itself: nothing is written any more */
    world_run(&w, 50);
    assert_false(status.checkpoint.failing);
    world_kill(&w);
    world_start(&w);
    expect_lines(1020);
    world_settle(&w);
    expect_lines(1020);
}

/* Killed while it cannot be saved: the little that came since is cut off and comes again. */
static void test_kill_without_the_checkpoint(void **state)
{
    (void)state;
    w.cfg->checkpoint_interval = 10 * NS_PER_MS;
    world_start(&w);
    write_lines(10);
    run_until_lines(10);
    world_run(&w, 50);
    block_saving();
    write_lines(10);
    run_until_lines(20);
    world_run(&w, 50);
    write_lines(10);
    world_run(&w, 50);
    world_kill(&w);
    allow_saving(); /* a start tries it out */
    world_start(&w);
    expect_lines(10);
    run_until_lines(30);
}

/* The sink saves the checkpoint itself, when it begins a new file: that counts as well. */
static void test_saved_by_the_sink(void **state)
{
    (void)state;
    struct error err = {0};
    w.cfg->checkpoint_interval = 30 * NS_PER_MS;
    world_start(&w);
    block_saving();
    write_lines(10);
    run_until_lines(10);
    world_run(&w, 100);
    write_lines(10);
    world_run(&w, 30);
    expect_lines(10);
    allow_saving();
    checkpoint_set_output(w.positions, &(struct file_pos){.offset = w.out.len});
    assert_int_equal(checkpoint_save(w.positions, &err), 0);
    run_until_lines(20);
}

/* An interval of an hour is no reason to wait an hour for the next try. */
static void test_tries_soon_again(void **state)
{
    (void)state;
    w.cfg->checkpoint_interval = 3600 * NS_PER_S;
    world_start(&w);
    write_lines(10);
    run_until_lines(10);
    block_saving();
    assert_int_equal(pipeline_save(w.pipeline), -1);
    allow_saving();
    write_lines(10);
    world_run(&w, 500);
    expect_lines(10);
    world_run(&w, 5500);
    expect_lines(20);
}

static void set_true(void *arg)
{
    *(bool *)arg = true;
}

/* SIGTERM while it cannot be saved: what was read goes out, and it ends. */
static void test_drain_without_the_checkpoint(void **state)
{
    (void)state;
    w.cfg->checkpoint_interval = 10 * NS_PER_MS;
    world_start(&w);
    write_lines(10);
    run_until_lines(10);
    world_run(&w, 50);
    block_saving();
    write_lines(10);
    run_until_lines(20);
    world_run(&w, 50);
    bool done = false;
    pipeline_drain(w.pipeline, set_true, &done);
    assert_true(done);
    allow_saving();
    world_kill(&w);
    world_start(&w);
    run_until_lines(20);
}

/* SIGHUP with a lower memory_max: the batches beyond it are freed, those in flight when they come back. */
static void test_lower_memory(void **state)
{
    (void)state;
    struct error err = {0};
    w.cfg->memory_max = 64 << 20;
    w.cfg->batch_bytes = 1 << 20;
    w.cfg->batch_lines = 100;
    w.stalled = true;
    world_start(&w);
    write_lines(10000);
    for (int i = 0; i < 100 && metrics.backpressure == 0; i++) {
        world_run(&w, 10);
    }
    assert_int_equal(metrics.backpressure, 1);
    assert_true(pipeline_memory(w.pipeline) >= 30 << 20);
    world_unstall(&w);
    run_until_lines(10000);
    assert_true(pipeline_memory(w.pipeline) >= 30 << 20); /* spare ones */
    w.cfg->memory_max = 8 << 20;
    assert_int_equal(pipeline_reconfigure(w.pipeline, w.cfg, &err), 0);
    assert_true(pipeline_memory(w.pipeline) <= (4 << 20) + 16384); /* and marks */
    w.cfg->memory_max = 64 << 20;
    assert_int_equal(pipeline_reconfigure(w.pipeline, w.cfg, &err), 0);
    w.stalled = true;
    write_lines(10000);
    for (int i = 0; i < 100 && metrics.backpressure == 1; i++) {
        world_run(&w, 10);
    }
    assert_true(pipeline_memory(w.pipeline) >= 30 << 20);
    w.cfg->memory_max = 8 << 20;
    assert_int_equal(pipeline_reconfigure(w.pipeline, w.cfg, &err), 0);
    world_unstall(&w);
    run_until_lines(20000);
    assert_true(pipeline_memory(w.pipeline) <= (4 << 20) + 16384); /* and marks */
}

#define MANY  200
#define PIECE PIECE_MIN /* bytes of it in each entry that is a piece, as Docker cuts them */

static void follow_many_json(void)
{
    w.cfg->files_format = FILE_JSON_FILE;
    w.cfg->memory_max = 8 << 20;
    w.cfg->batch_bytes = 65536;
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof(name), "web/%d.log", i);
        world_write(&w, name, "");
    }
    world_start(&w);
}

/* Adds an entry to each of the logs; `more`: without the line's end. */
static void write_each(char letter, bool more)
{
    char text[PIECE + 1], name[32];
    struct buf entry = {0};
    memset(text, letter, PIECE);
    text[PIECE] = '\0';
    buf_addf(&entry, "{\"log\":\"%s%s\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.668510088Z\"}\n",
             text, more ? "" : "\\n");
    buf_add(&entry, "", 1);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "web/%d.log", i);
        world_write(&w, name, entry.data);
    }
    buf_free(&entry);
    world_settle(&w);
}

static size_t count(char letter)
{
    size_t found = 0;
    for (size_t i = 0; i < w.out.len; i++) {
        found += w.out.data[i] == letter;
    }
    return found;
}

/* Many lines whose end has not come: what is held stays within its part of memory_max, and the rest goes on
 * in pieces. */
static void test_many_unfinished_lines(void **state)
{
    (void)state;
    follow_many_json();
    write_each('a', true);
    assert_true(pipeline_memory(w.pipeline) <= ((size_t)w.cfg->memory_max / 8) + (1 << 20)); /* and a batch */
    write_each('b', false);
    assert_int_equal(count('a'), MANY * PIECE);
    assert_int_equal(count('b'), MANY * PIECE);
    for (size_t i = 1; i < w.out.len; i++) { /* none ends before it began */
        assert_false(w.out.data[i - 1] == 'b' && w.out.data[i] == 'a');
    }
}

static int64_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd) - (int64_t)w.out.cap;
}

/* Each log had one long line at some time: what it was joined in is not kept for each. */
static void test_room_of_joined_lines(void **state)
{
    (void)state;
    follow_many_json();
    w.cfg->memory_max = 64 << 20;
    struct error err = {0};
    assert_int_equal(pipeline_reconfigure(w.pipeline, w.cfg, &err), 0);
    int64_t before = allocated();
    write_each('a', true);
    write_each('b', true);
    write_each('c', false);
    assert_int_equal(count('\n'), MANY);
    assert_true(allocated() < before + (4 << 20));
}

/* What is no entry is no part of the line that is being joined. */
static void test_malformed_between_pieces(void **state)
{
    (void)state;
    w.cfg->files_format = FILE_JSON_FILE;
    world_write_entry(&w, "web/a.log", world_piece("first "));
    world_write(&w, "web/a.log",
                "{\"log\":\"torn\n"
                "{\"log\":\"last\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.668510088Z\"}\n");
    world_start(&w);
    world_settle(&w);
    world_expectf(&w, "%s\n{\"log\":\"torn\nlast\n", world_piece("first "));
    assert_int_equal(metrics.malformed_lines, 1);
}

static unsigned waiting(void)
{
    unsigned count = 0;
    for (struct batch *b = w.waiting; b; b = b->next) {
        count++;
    }
    return count;
}

/* A batch is full of its text and its marks together: of many logs with a line each, these take more. */
static void test_marks_fill_a_batch(void **state)
{
    (void)state;
    char name[32];
    unsigned full = MANY * sizeof(struct mark) / 4096;
    w.cfg->batch_bytes = 4096;
    w.cfg->batch_age = 3600 * NS_PER_S;
    w.stalled = true;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "web/%d.log", i);
        world_write(&w, name, "a line of one of them\n");
    }
    world_start(&w);
    for (int i = 0; i < 1000 && waiting() < full; i++) {
        world_run(&w, 20);
    }
    for (struct batch *b = w.waiting; b; b = b->next) {
        size_t marks = b->nmarks * sizeof(struct mark);
        assert_in_range(b->out.len + marks, 4096, 4096 + sizeof(struct mark) + 32);
    }
    assert_in_range(waiting(), full, MANY);
    w.cfg->batch_age = NS_PER_MS;
    world_unstall(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reading_waits_for_the_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_without_the_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saved_by_the_sink, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tries_soon_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_without_the_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lower_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_unfinished_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks_fill_a_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_room_of_joined_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed_between_pieces, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
