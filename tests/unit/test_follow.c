/* Following files through rotation, truncation, kills and restarts, with the real sources and a sink in
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
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
    world_pack(&w, "web/a.log.2");
    world_write(&w, "web/a.log", "4\n");
    world_rename(&w, world_packed("web/a.log.2"), world_packed("web/a.log.3"));
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_pack(&w, "web/a.log.2");
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
    world_pack(&w, "web/a.log.1");
    world_rename(&w, world_packed("web/a.log.1"), world_packed("web/a.log.2"));
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
    struct error err = {0};
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

/* The file before it is still waited for, as its writers may be: it is no newer one. */
static void test_deleted_and_made_anew_while_empty(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "2\n");
    world_settle(&w);
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "");
    world_settle(&w);
    assert_int_equal(unlink(world_path(&w, "web/a.log")), 0);
    world_write(&w, "web/a.log", "3\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deleted_and_made_anew_while_empty),
        cmocka_unit_test(test_new_lines),
        cmocka_unit_test(test_from_end),
        WORLD_TEST_ARCHIVES(test_several_rotations_between_two_looks),
        WORLD_TEST_ARCHIVES(test_rotation_while_stopped),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
