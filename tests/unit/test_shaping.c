/* Shaping inside of the whole collector: what is held moves no position, through kills, timers, a stalled
 * sink, a reload. */
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
#include "base/regexp.h"
#include "under_valgrind.h"
#include "world.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void expect(struct world *w, const char *text)
{
    if (!slice_eq(slice_of(w->out.data, w->out.len), slice_str(text))) {
        fail_msg("expected <<%s>>, got <<%.*s>>", text, (int)w->out.len, w->out.data ? w->out.data : "");
    }
}

static void set(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
}

static void add(struct string_list *list, const char *text)
{
    list->items = realloc(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = strdup(text);
}

static void make_world(struct world *w, enum file_format format)
{
    char pattern[128];
    world_new(w);
    w->cfg->source = SOURCE_FILES;
    w->cfg->files_format = format;
    snprintf(pattern, sizeof(pattern), "%s/{service}/*.log", w->dir);
    add(&w->cfg->files_include, pattern);
    assert_int_equal(mkdir(world_path(w, "web"), 0755), 0);
    memset(&metrics, 0, sizeof(metrics));
}

/* Groups are lines that begin with a plus sign and those behind it that begin with a space. */
static void group_lines(struct world *w, int64_t wait)
{
    set(&w->cfg->multiline_rule, "regex");
    set(&w->cfg->multiline_first, "^\\+");
    set(&w->cfg->multiline_next, "^ ");
    w->cfg->multiline_wait = wait;
}

static void test_wait(void **state)
{
    (void)state;
    struct world w;
    int slow = under_valgrind() ? 10 : 1;
    make_world(&w, FILE_PLAIN);
    group_lines(&w, slow * 60 * NS_PER_MS);
    world_write(&w, "web/a.log", "alone\n+ one\n two\n");
    world_start(&w);
    world_run(&w, slow * 30);
    expect(&w, "alone\n");
    world_run(&w, slow * 100);
    expect(&w, "alone\n+ one\n two\n");
    world_write(&w, "web/a.log", "+ three\n");
    world_run(&w, slow * 200);
    world_save(&w); /* the timer's lines are covered by the position: */
    world_run(&w, slow * 150);
    expect(&w, "alone\n+ one\n two\n+ three\n");
    world_free(&w);
}

/* A kill between any two lines, saved or not: each group comes out once and whole. */
static void test_kills(void **state)
{
    (void)state;
    struct world w;
    struct buf all = {0};
    make_world(&w, FILE_PLAIN);
    w.cfg->format = FORMAT_JSON;
    group_lines(&w, 3600 * NS_PER_S);
    world_start(&w);
    srand(5);
    unsigned groups = 0;
    for (int i = 0; i < 300; i++) {
        char line[64];
        groups += i % 4 == 0;
        snprintf(line, sizeof(line), "%s%d\n", i % 4 == 0 ? "+" : i % 4 == 3 ? "x" : " ", i);
        world_write(&w, "web/a.log", line);
        if (rand() % 3 == 0) {
            world_run(&w, 3);
        }
        if (rand() % 5 == 0) {
            world_checkpoint(&w);
        }
        if (rand() % 5 == 0) {
            world_kill(&w);
            world_start(&w);
        }
    }
    world_write(&w, "web/a.log", "end\n");
    world_settle(&w);
    buf_add(&w.out, "", 1);
    unsigned n = 0;
    for (const char *p = w.out.data; (p = strstr(p, "\"log\":\"+")); p++, n++) {
        char whole[64];
        snprintf(whole, sizeof(whole), "\"log\":\"+%u\\n %u\\n %u\"", n * 4, n * 4 + 1, n * 4 + 2);
        if (strncmp(p, whole, strlen(whole)) != 0) {
            fail_msg("expected %s, got %.60s", whole, p);
        }
    }
    assert_int_equal(n, groups);
    n = 0;
    for (const char *p = w.out.data; (p = strstr(p, "\"log\":\"x")); p++, n++) {
        assert_int_equal(atoi(p + 8), n * 4 + 3);
    }
    assert_int_equal(n, groups);
    w.out.len--;
    buf_free(&all);
    world_free(&w);
}

static void write_entry(struct world *w, const char *stream, const char *text)
{
    char line[256];
    snprintf(line, sizeof(line), "{\"log\":\"%s\\n\",\"stream\":\"%s\",\"time\":\"2026-11-24T05:00:39Z\"}\n",
             text, stream);
    world_write(w, "web/a.log", line);
}

/* Two streams in one log: one holds a group while the other goes on, and a kill comes at every line. */
static void test_streams_and_kills(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, FILE_JSON_FILE);
    group_lines(&w, 3600 * NS_PER_S);
    world_start(&w);
    static const char *const script[][2] = {
        {"stderr", "+e1"}, {"stdout", "o1"}, {"stdout", "+o2"}, {"stderr", " e2"}, {"stdout", " o3"},
        {"stderr", " e3"}, {"stdout", "o4"}, {"stderr", "+e4"}, {"stdout", "o5"},  {"stderr", "e5"},
    };
    for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
        write_entry(&w, script[i][0], script[i][1]);
        world_settle(&w);
        world_checkpoint(&w);
        world_kill(&w);
        world_start(&w);
    }
    world_settle(&w);
    expect(&w, "o1\n+o2\n o3\no4\n+e1\n e2\n e3\no5\n+e4\ne5\n");
    world_free(&w);
}

/* SIGTERM: what is held as whole lines goes out. */
static void test_drain(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, FILE_PLAIN);
    group_lines(&w, 3600 * NS_PER_S);
    world_write(&w, "web/a.log", "+ one\n two\n");
    world_start(&w);
    world_settle(&w);
    expect(&w, "");
    world_save(&w);
    expect(&w, "+ one\n two\n");
    world_settle(&w);
    expect(&w, "+ one\n two\n");
    world_free(&w);
}

/* A timer that runs out while no batch is free waits for one. */
static void test_stalled(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, FILE_PLAIN);
    group_lines(&w, 20 * NS_PER_MS);
    w.cfg->memory_max = 8 << 20;
    w.cfg->batch_bytes = 4 << 20; /* two batches at most */
    w.cfg->batch_lines = 1;
    w.stalled = true;
    world_write(&w, "web/a.log", "1\n2\n+ 3\n");
    world_write(&w, "web/b.log", "+ 4\n");
    world_start(&w);
    world_run(&w, 150);
    expect(&w, "");
    size_t memory = pipeline_memory(w.pipeline);
    assert_true(memory < 20 << 20);
    world_unstall(&w);
    world_run(&w, 300);
    assert_int_equal(w.out.len, strlen("1\n2\n+ 3\n+ 4\n"));
    world_free(&w);
}

static void test_reload(void **state)
{
    (void)state;
    struct world w;
    struct error err;
    make_world(&w, FILE_PLAIN);
    group_lines(&w, 3600 * NS_PER_S);
    world_write(&w, "web/a.log", "+ one\n two\n");
    world_start(&w);
    world_settle(&w);
    expect(&w, "");
    set(&w.cfg->multiline_first, "^=");
    add(&w.cfg->drop, "secret");
    assert_int_equal(pipeline_reconfigure(w.pipeline, w.cfg, &err), 0);
    world_settle(&w);
    expect(&w, "+ one\n two\n");
    world_write(&w, "web/a.log", " three\n= four\n five\n secret\nsix\n");
    world_settle(&w);
    expect(&w, "+ one\n two\n three\nsix\n");
    set(&w.cfg->multiline_rule, "");
    w.cfg->drop.count = 0;
    free(w.cfg->drop.items[0]);
    assert_int_equal(pipeline_reconfigure(w.pipeline, w.cfg, &err), 0);
    world_write(&w, "web/a.log", "= secret\n");
    world_settle(&w);
    expect(&w, "+ one\n two\n three\nsix\n= secret\n");
    set(&w.cfg->multiline_rule, "regex");
    set(&w.cfg->multiline_first, "(");
    assert_int_equal(pipeline_reconfigure(w.pipeline, w.cfg, &err), -1);
    assert_non_null(strstr(err.text, "multiline.first"));
    world_write(&w, "web/a.log", "still alive\n");
    world_settle(&w);
    assert_non_null(memmem(w.out.data, w.out.len, "still alive", 11));
    world_free(&w);
}

/* A container that is removed has its group emitted. */
static void test_gone(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    w.cfg->source = SOURCE_JSON_FILE;
    set(&w.cfg->json_file_path, w.dir);
    group_lines(&w, 3600 * NS_PER_S);
    world_start(&w);
    assert_int_equal(mkdir(world_path(&w, ID), 0755), 0);
    world_write(&w, ID "/config.v2.json", "{\"ID\":\"" ID "\",\"Name\":\"/web\",\"Config\":{\"Labels\":{}}}");
    world_write(&w, ID "/" ID "-json.log",
                "{\"log\":\"+ one\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39Z\"}\n");
    world_settle(&w);
    expect(&w, "");
    unlink(world_path(&w, ID "/" ID "-json.log"));
    unlink(world_path(&w, ID "/config.v2.json"));
    rmdir(world_path(&w, ID));
    world_settle(&w);
    expect(&w, "+ one\n");
    world_free(&w);
}

static void test_rate_notice(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, FILE_JSON_FILE);
    w.cfg->format = FORMAT_JSON;
    w.cfg->rate_limit = 2;
    for (int i = 0; i < 10; i++) {
        write_entry(&w, "stdout", "line");
    }
    world_start(&w);
    world_settle(&w);
    assert_int_equal(metrics.dropped_rate, 8);
    world_save(&w); /* an end says what was dropped, and the dropped are not read again */
    world_settle(&w);
    assert_int_equal(metrics.dropped_rate, 8);
    buf_add(&w.out, "", 1);
    assert_non_null(strstr(w.out.data, "\"service\":\"web\",\"stream\":\"stdout\",\"log\":\"sidetail: 8 "
                                       "lines dropped by rate_limit in 1 s\""));
    w.out.len--;
    world_free(&w);
}

static void test_metrics(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, FILE_JSON_FILE);
    add(&w.cfg->redact, "line");
    write_entry(&w, "stdout", "line");
    world_start(&w);
    world_settle(&w);
    expect(&w, "[redacted]\n");
    const struct stats *stats = metrics_service("web");
    assert_int_equal(metrics.redactions, 1);
    assert_true(stats->newest_ns == INT64_C(1795496439) * NS_PER_S);
    for (int i = 0; i < 1000 && stats->lag_bytes > 0; i++) { /* it is told at each look, once a second */
        world_run(&w, 10);
    }
    assert_int_equal(stats->lag_bytes, 0);
    world_free(&w);
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_kills),
        cmocka_unit_test(test_streams_and_kills),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_rate_notice),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
