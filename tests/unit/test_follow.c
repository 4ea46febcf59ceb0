/* Following files through rotation, truncation, kills and restarts, with the real sources and a sink in
 * memory. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "clock.h"
#include "metrics.h"
#include "world.h"

#define ID WORLD_ID

static void test_new_lines(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "one\ntwo\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "one\ntwo\n");
    world_write(&w, "web/a.log", "three\nfo");
    world_settle(&w);
    world_expect(&w, "one\ntwo\nthree\n");
    world_write(&w, "web/a.log", "ur\n");
    assert_int_equal(mkdir(world_path(&w, "db"), 0755), 0);
    world_settle(&w);
    world_write(&w, "db/b.log", "five\n");
    world_settle(&w);
    world_expect(&w, "one\ntwo\nthree\nfour\nfive\n");
    world_free(&w);
}

static void test_from_end(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->start_at = START_END;
    world_write(&w, "web/a.log.1", "older\n");
    world_write(&w, "web/a.log", "old\ntorn");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "");
    world_write(&w, "web/a.log", " line\n");
    world_write(&w, "web/b.log", "new file\n");
    world_settle(&w);
    world_expect(&w, "torn line\nnew file\n");
    world_free(&w);
}

static void test_several_rotations_between_two_looks(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "2\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "3\n");
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_gzip(&w, "web/a.log.2");
    world_write(&w, "web/a.log", "4\n");
    world_rename(&w, "web/a.log.2.gz", "web/a.log.3.gz");
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_gzip(&w, "web/a.log.2");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "5\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

static void test_rotation_while_stopped(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n2\n");
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "3\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_gzip(&w, "web/a.log.1");
    world_rename(&w, "web/a.log.1.gz", "web/a.log.2.gz");
    world_write(&w, "web/a.log.1", "4\n");
    world_write(&w, "web/a.log", "5\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

static void test_writer_stays_in_renamed_file(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", ""); /* logrotate's `create` */
    world_settle(&w);
    world_write(&w, "web/a.log.1", "2\n");
    world_settle(&w);
    world_write(&w, "web/a.log", "3\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_free(&w);
}

/* A log that nothing was written to is rotated all the same. */
static void test_empty_files_between(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.2");
    world_write(&w, "web/a.log.1", "");
    world_write(&w, "web/a.log", "");
    world_settle(&w);
    world_write(&w, "web/a.log", "2\n");
    world_settle(&w);
    world_run(&w, 1100);
    world_expect(&w, "1\n2\n");
    world_free(&w);
}

static void test_delete_and_recreate(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "2\n");
    unlink(world_path(&w, "web/a.log"));
    world_write(&w, "web/a.log", "3\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_save(&w);
    world_kill(&w);
    unlink(world_path(&w, "web/a.log")); /* nobody holds it open: the inode is free for the next file */
    world_write(&w, "web/a.log", "4\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

static void test_long_line_is_cut(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->line_max = 16384;
    size_t len = 16384 * 40 + 100;
    char *line = malloc(len + 2);
    for (size_t i = 0; i < len; i++) {
        line[i] = (char)('a' + i % 26);
    }
    strcpy(line + len, "\n");
    world_write(&w, "web/a.log", line);
    world_write(&w, "web/a.log", "next\n");
    world_start(&w);
    world_settle(&w);
    struct buf joined = {0};
    size_t lines = 0;
    for (size_t i = 0; i < w.out.len; i++) {
        if (w.out.data[i] == '\n') {
            lines++;
        } else {
            buf_add(&joined, &w.out.data[i], 1);
        }
    }
    assert_int_equal(lines, 42);
    assert_int_equal(joined.len, len + 4);
    assert_memory_equal(joined.data, line, len);
    buf_free(&joined);
    free(line);
    world_free(&w);
}

/* Nothing has told the format yet when reading goes on inside a line that is being cut. */
static void test_start_inside_a_long_line(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->files_format = FILE_AUTO;
    w.cfg->line_max = 16384;
    struct buf line = {0};
    for (int i = 0; i < 300000; i++) {
        buf_add(&line, "x", 1);
    }
    buf_add(&line, "", 1);
    world_write(&w, "web/a.log", line.data);
    buf_free(&line);
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    size_t cut = w.out.len;
    assert_true(cut > 0);
    world_kill(&w);
    world_write(&w, "web/a.log", "y\n2016-10-06T00:17:09.669794202Z stdout F cri\n");
    world_start(&w);
    world_settle(&w);
    assert_true(w.out.len > cut + 6);
    assert_memory_equal(w.out.data + w.out.len - 6, "y\ncri\n", 6);
    world_free(&w);
}

static void test_stalled_sink_holds_back(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->batch_bytes = 4096;
    w.cfg->memory_max = 65536;
    w.stalled = true;
    struct buf all = {0};
    for (int i = 0; i < 20000; i++) {
        buf_addf(&all, "line %06d\n", i);
    }
    buf_add(&all, "", 1);
    world_write(&w, "web/a.log", all.data);
    world_start(&w);
    world_run(&w, 100);
    assert_true(pipeline_memory(w.pipeline) < 2 * 65536);
    assert_int_equal(w.out.len, 0);
    world_unstall(&w);
    world_settle(&w);
    world_expect(&w, all.data);
    buf_free(&all);
    world_free(&w);
}

/* -- json-file: everything at random ----------------------------------------------------------- */

struct writer {
    struct world *w;
    struct buf live;            /* not yet written */
    struct buf expected;        /* complete lines, in order of their ends */
    struct buf open[2];         /* unfinished lines */
    unsigned next, generations; /* rotated files kept, plain or gzipped */
};

static void write_entry(struct writer *wr, int stream, bool ends)
{
    char entry[160], text[40];
    snprintf(text, sizeof(text), "%s%u.", stream ? "err" : "out", wr->next++);
    snprintf(entry, sizeof(entry),
             "{\"log\":\"%s%s\",\"stream\":\"%s\",\"time\":\"2026-11-24T05:00:39.%09uZ\"}\n", text,
             ends ? "\\n" : "", stream ? "stderr" : "stdout", wr->next);
    world_write(wr->w, ID "/" ID "-json.log", entry);
    buf_add(&wr->open[stream], text, strlen(text));
    if (ends) {
        buf_add(&wr->expected, wr->open[stream].data, wr->open[stream].len);
        buf_add(&wr->expected, "\n", 1);
        wr->open[stream].len = 0;
    }
}

static void rotate(struct writer *wr, bool compress)
{
    char from[200], to[200];
    struct stat st;
    for (unsigned i = wr->generations + 1; i-- > 0;) {
        for (int gz = 0; gz < 2; gz++) {
            snprintf(from, sizeof(from), ID "/" ID "-json.log%s%.0u%s", i ? "." : "", i, gz ? ".gz" : "");
            snprintf(to, sizeof(to), ID "/" ID "-json.log.%u%s", i + 1, gz ? ".gz" : "");
            if (stat(world_path(wr->w, from), &st) == 0) {
                world_rename(wr->w, from, to);
            }
        }
    }
    wr->generations++;
    if (compress) {
        world_gzip(wr->w, ID "/" ID "-json.log.1");
    }
}

/* Only the lines that begin with `what`: streams keep their order, each on its own. */
static struct buf only(const struct buf *all, const char *what)
{
    struct buf some = {0};
    for (size_t at = 0; at < all->len;) {
        const char *line = all->data + at;
        size_t len = (size_t)((const char *)memchr(line, '\n', all->len - at) - line) + 1;
        if (strncmp(line, what, strlen(what)) == 0) {
            buf_add(&some, line, len);
        }
        at += len;
    }
    return some;
}

static void expect_stream(const struct writer *wr, unsigned seed, const char *what)
{
    struct buf expected = only(&wr->expected, what), got = only(&wr->w->out, what);
    if (!slice_eq(slice_of(expected.data, expected.len), slice_of(got.data, got.len))) {
        fail_msg("seed %u: expected\n%.*s\ngot\n%.*s", seed, (int)expected.len, expected.data, (int)got.len,
                 got.data);
    }
    buf_free(&expected);
    buf_free(&got);
}

/* Every other run joins lines into groups as well: those whose number ends in an odd digit go on with the one
 * before. */
static void set_multiline(struct config *cfg)
{
    free(cfg->multiline_rule);
    free(cfg->multiline_first);
    cfg->multiline_rule = strdup("regex");
    cfg->multiline_first = strdup("[02468][.]$");
    cfg->multiline_wait = 20 * NS_PER_MS;
}

static void random_run(unsigned seed)
{
    struct world w;
    struct writer wr = {.w = &w};
    srand(seed);
    world_new_json(&w);
    if (seed % 2) {
        set_multiline(w.cfg);
    }
    world_container(&w);
    world_start(&w);
    for (int step = 0; step < 120; step++) {
        switch (rand() % 12) {
        case 0:
        case 1:
            if (wr.next > 0 && access(world_path(&w, ID "/" ID "-json.log"), F_OK) == 0) {
                rotate(&wr, rand() % 2);
            }
            break;
        case 2:
            world_run(&w, rand() % 4);
            break;
        case 3:
            world_save(&w);
            break;
        case 4:
            world_kill(&w);
            if (rand() % 2) {
                write_entry(&wr, rand() % 2, rand() % 2);
                rotate(&wr, rand() % 2);
            }
            world_start(&w);
            break;
        default:
            write_entry(&wr, rand() % 2, rand() % 3 > 0);
        }
    }
    write_entry(&wr, 0, true);
    write_entry(&wr, 1, true);
    world_settle(&w);
    world_run(&w, 1100); /* a safety look, in case the last rotation was met in its middle */
    world_settle(&w);
    expect_stream(&wr, seed, "out");
    expect_stream(&wr, seed, "err");
    assert_int_equal(w.out.len, wr.expected.len);
    buf_free(&wr.expected);
    buf_free(&wr.open[0]);
    buf_free(&wr.open[1]);
    world_free(&w);
}

static void test_random_rotations_and_kills(void **state)
{
    (void)state;
    const char *seed = getenv("FOLLOW_SEED"), *runs = getenv("FOLLOW_RUNS");
    unsigned first = seed ? (unsigned)atoi(seed) : 1;
    for (unsigned i = 0; i < (runs ? (unsigned)atoi(runs) : 6); i++) {
        random_run(first + i);
    }
}

/* As world_new_plain, but any name is followed. */
static void new_world_of_all_names(struct world *w)
{
    world_new_plain(w);
    char **pattern = &w->cfg->files_include.items[0];
    (*pattern)[strlen(*pattern) - strlen(".log")] = '\0';
}

/* Between the two steps of a rotation only the old file is there: it is no log of its own. */
static void test_renamed_before_the_new_one_is_there(void **state)
{
    (void)state;
    struct world w;
    new_world_of_all_names(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_settle(&w);
    world_expect(&w, "1\n");
    world_write(&w, "web/a.log.1", "2\n");
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log.1", "3\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_write(&w, "web/a.log", "4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

static void select_service(struct world *w, const char *excluded)
{
    struct error err = {""};
    if (w->cfg->exclude.services.count > 0) {
        free(w->cfg->exclude.services.items[0]);
    }
    free(w->cfg->exclude.services.items);
    w->cfg->exclude.services = (struct string_list){0};
    if (excluded) {
        w->cfg->exclude.services.items = calloc(1, sizeof(char *));
        assert_non_null(w->cfg->exclude.services.items);
        w->cfg->exclude.services.items[0] = strdup(excluded);
        w->cfg->exclude.services.count = 1;
    }
    assert_int_equal(pipeline_reconfigure(w->pipeline, w->cfg, &err), 0);
    assert_int_equal(w->source->ops->reload(w->source, w->cfg, &err), 0);
}

/* Left out and taken in again by SIGHUP, while the sink holds what was read before. */
static void test_selected_again_while_stalled(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n2\n");
    world_start(&w);
    world_settle(&w);
    w.stalled = true;
    world_write(&w, "web/a.log", "3\n4\n");
    world_run(&w, 50);
    select_service(&w, "web");
    world_write(&w, "web/a.log", "5\n");
    world_run(&w, 50);
    select_service(&w, NULL);
    world_run(&w, 50);
    world_unstall(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

/* The selection counts for a container that is known by its id alone, too. */
static void test_reload_without_metadata(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    assert_int_equal(mkdir(world_path(&w, ID), 0755), 0);
    world_write(&w, ID "/config.v2.json", "damaged");
    world_write(&w, ID "/" ID "-json.log", "{\"log\":\"one\\n\"}\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "one\n");
    select_service(&w, "0123456789ab");
    world_write(&w, ID "/" ID "-json.log", "{\"log\":\"two\\n\"}\n");
    world_settle(&w);
    world_expect(&w, "one\n");
    world_free(&w);
}

static void test_container_removed(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_start(&w);
    world_container(&w);
    world_write(&w, ID "/" ID "-json.log",
                "{\"log\":\"first\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39Z\"}\n");
    world_settle(&w);
    world_expect(&w, "first\n");
    world_write(&w, ID "/" ID "-json.log",
                "{\"log\":\"last\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:40Z\"}\n");
    unlink(world_path(&w, ID "/" ID "-json.log"));
    unlink(world_path(&w, ID "/config.v2.json"));
    rmdir(world_path(&w, ID));
    world_settle(&w);
    world_expect(&w, "first\nlast\n");
    assert_null(checkpoint_get(w.positions, ID));
    assert_int_equal(metrics.feeds, 0);
    assert_int_equal(metrics.open_files, 0);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_lines),
        cmocka_unit_test(test_from_end),
        cmocka_unit_test(test_several_rotations_between_two_looks),
        cmocka_unit_test(test_rotation_while_stopped),
        cmocka_unit_test(test_writer_stays_in_renamed_file),
        cmocka_unit_test(test_empty_files_between),
        cmocka_unit_test(test_delete_and_recreate),
        cmocka_unit_test(test_long_line_is_cut),
        cmocka_unit_test(test_start_inside_a_long_line),
        cmocka_unit_test(test_stalled_sink_holds_back),
        cmocka_unit_test(test_renamed_before_the_new_one_is_there),
        cmocka_unit_test(test_selected_again_while_stalled),
        cmocka_unit_test(test_reload_without_metadata),
        cmocka_unit_test(test_container_removed),
        cmocka_unit_test(test_random_rotations_and_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
