/* A bench for sinks: feeds one with hand-made batches of numbered lines, and moves the checkpoint as the
 * pipeline does. */
#ifndef SINK_FIXTURE_H
#define SINK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "checkpoint/checkpoint.h"
#include "config/config.h"
#include "sink/sink.h"

#define WEEK       (168 * 3600 * NS_PER_S)
#define LINE_BYTES 16 /* "line 0000000001\n" */

struct bench {
    char dir[64], out[160], checkpoint_path[160];
    struct config cfg;
    struct event_base *base;
    struct checkpoint *checkpoint;
    struct sink *sink;
    bool ready;
    int failed; /* exit code; -1: it did not */
    struct error error;
    uint64_t submitted, acked; /* batches */
    uint32_t next_line;        /* 1, 2, … of the next batch */
    struct batch *batches[100000];
};

static struct bench bench;

static inline void bench_dir_in(const char *parent)
{
    snprintf(bench.dir, sizeof(bench.dir), "%s/test_sink.XXXXXX", parent);
    assert_non_null(mkdtemp(bench.dir));
    snprintf(bench.out, sizeof(bench.out), "%s/out.log", bench.dir);
    snprintf(bench.checkpoint_path, sizeof(bench.checkpoint_path), "%s/checkpoint.json", bench.dir);
    bench.cfg = (struct config){.file_path = bench.out, .file_keep = 5};
    metrics = (struct metrics){0};
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
}

static inline void bench_dir(void)
{
    bench_dir_in("/tmp");
}

static inline void bench_remove(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", bench.dir);
    assert_int_equal(system(command), 0);
}

static inline void bench_on_ready(void *arg)
{
    (void)arg;
    assert_false(bench.ready); /* once */
    bench.ready = true;
}

static inline void bench_on_acked(void *arg, struct batch *b)
{
    (void)arg;
    assert_ptr_equal(b, bench.batches[bench.acked]); /* in order */
    struct position pos;
    compact_get(&b->marks[0].pos, &pos);
    assert_int_equal(checkpoint_set(bench.checkpoint, "feed", &pos), 0);
    bench.acked++;
}

static inline void bench_on_failed(void *arg, int exit_code, const struct error *err)
{
    (void)arg;
    assert_int_equal(bench.failed, -1); /* once */
    bench.failed = exit_code;
    bench.error = *err;
}

/* Loads the checkpoint and opens the sink, as a start does. 0 or -1. */
static inline int bench_try_open(const struct sink_ops *ops)
{
    bench.base = loop_new();
    bench.checkpoint = checkpoint_new();
    assert_non_null(bench.base);
    assert_non_null(bench.checkpoint);
    bench.sink = NULL;
    bench.submitted = bench.acked = 0;
    bench.failed = -1;
    bench.ready = false;
    if (checkpoint_load(bench.checkpoint, bench.checkpoint_path, WEEK, &bench.error) < 0) {
        return -1;
    }
    const struct position *pos = checkpoint_get(bench.checkpoint, "feed");
    bench.next_line = pos ? (uint32_t)pos->at.api.time_ns + 1 : 1;
    bench.error.text[0] = '\0';
    struct sink_env env = {.base = bench.base,
                           .cfg = &bench.cfg,
                           .checkpoint = bench.checkpoint,
                           .events = {bench_on_ready, bench_on_acked, bench_on_failed, NULL}};
    bench.sink = ops->open(&env, &bench.error);
    assert_false(bench.ready);
    return bench.sink ? 0 : -1;
}

static inline void bench_turn(void)
{
    event_base_loop(bench.base, EVLOOP_NONBLOCK);
}

/* How long something may take on a busy machine, under valgrind. */
#define PATIENCE_MS 60000

/* Runs the loop until *done, at most `ms`. */
static inline bool bench_until(const bool *done, int ms)
{
    for (int64_t end = clock_monotonic() + ms * NS_PER_MS; !*done && clock_monotonic() < end;) {
        bench_turn();
        usleep(500);
    }
    return *done;
}

static inline void bench_run(int ms)
{
    bool never = false;
    bench_until(&never, ms);
}

static inline void bench_open(const struct sink_ops *ops)
{
    if (bench_try_open(ops) < 0) {
        fail_msg("%s", bench.error.text);
    }
    assert_true(bench_until(&bench.ready, PATIENCE_MS));
}

/* A batch of so many lines. */
static inline void bench_submit(uint32_t lines)
{
    struct batch *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    for (uint32_t i = 0; i < lines; i++) {
        assert_int_equal(buf_addf(&b->out, "line %010u\n", bench.next_line++), 0);
    }
    b->lines = lines;
    b->marks = calloc(1, sizeof(*b->marks));
    b->nmarks = 1;
    b->marks[0].moved = true;
    struct position pos = {.kind = POSITION_API, .at.api.time_ns = bench.next_line - 1};
    assert_int_equal(compact_set(&b->marks[0].pos, &pos), 0);
    b->seq = bench.submitted + 1;
    assert_true(bench.submitted < sizeof(bench.batches) / sizeof(bench.batches[0]));
    bench.batches[bench.submitted++] = b;
    bench.sink->ops->submit(bench.sink, b);
}

static inline bool bench_wait_acked(void)
{
    for (int64_t end = clock_monotonic() + PATIENCE_MS * NS_PER_MS;
         bench.acked < bench.submitted && bench.failed < 0 && clock_monotonic() < end;) {
        bench_turn();
        usleep(500);
    }
    return bench.acked == bench.submitted;
}

/* What the pipeline does each second. 0 or -1. */
static inline int bench_save(void)
{
    if (bench.sink->ops->sync && bench.sink->ops->sync(bench.sink, &bench.error) < 0) {
        return -1;
    }
    return checkpoint_save(bench.checkpoint, &bench.error);
}

static inline void bench_close(void)
{
    if (bench.sink) {
        bench.sink->ops->close(bench.sink);
    }
    for (uint64_t i = 0; i < bench.submitted; i++) {
        buf_free(&bench.batches[i]->out);
        free(bench.batches[i]->marks);
        free(bench.batches[i]);
    }
    checkpoint_free(bench.checkpoint);
    event_base_free(bench.base);
    bench.sink = NULL;
}

/* The file's bytes, appended. */
static inline void bench_read(const char *path, struct buf *into)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;) {
        assert_int_equal(buf_add(into, chunk, n), 0);
    }
    fclose(f);
}

/* Exactly the lines first … last, each once, in order. */
static inline void bench_expect(const struct buf *got, uint32_t first, uint32_t last)
{
    struct buf expected = {0};
    for (uint32_t i = first; i <= last; i++) {
        assert_int_equal(buf_addf(&expected, "line %010u\n", i), 0);
    }
    if (got->len != expected.len || memcmp(got->data, expected.data, got->len) != 0) {
        size_t at = 0;
        while (at < got->len && at < expected.len && got->data[at] == expected.data[at]) {
            at++;
        }
        fail_msg("%zu bytes, expected %zu; first difference at %zu, in line %zu", got->len, expected.len, at,
                 at / LINE_BYTES + first);
    }
    buf_free(&expected);
}

static inline void bench_expect_file(const char *path, uint32_t first, uint32_t last)
{
    struct buf got = {0};
    bench_read(path, &got);
    bench_expect(&got, first, last);
    buf_free(&got);
}

static inline void bench_write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#endif
