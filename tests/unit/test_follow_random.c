/* Following a json-file log through rotations and kills at random, two streams of broken lines in it. The
 * seed of a run that failed is printed: FOLLOW_SEED takes it, FOLLOW_RUNS how many to run from there. With FOLLOW_DELAY=MS,
 * reading waits meanwhile, each time for another time up to that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "world.h"

#define ID WORLD_ID

struct writer {
    struct world *w;
    struct buf live;            /* not yet written */
    struct buf expected;        /* complete lines, in order of their ends */
    struct buf open[2];         /* unfinished lines */
    unsigned next, generations; /* rotated files kept, plain or gzipped */
};

static void write_entry(struct writer *wr, int stream, bool ends)
{
    char number[40], *entry;
    snprintf(number, sizeof(number), "%s%u.", stream ? "err" : "out", wr->next++);
    const char *text = ends ? number : world_piece(number);
    int failed =
        asprintf(&entry, "{\"log\":\"%s%s\",\"stream\":\"%s\",\"time\":\"2026-11-24T05:00:39.%09uZ\"}\n",
                 text, ends ? "\\n" : "", stream ? "stderr" : "stdout", wr->next);
    assert_true(failed >= 0);
    world_write(wr->w, ID "/" ID "-json.log", entry);
    free(entry);
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
        for (int kind = 0; kind < 3; kind++) {
            snprintf(from, sizeof(from), ID "/" ID "-json.log%s%.0u%s", i ? "." : "", i,
                     kind ? world_suffixes[kind - 1] : "");
            snprintf(to, sizeof(to), ID "/" ID "-json.log.%u%s", i + 1, kind ? world_suffixes[kind - 1] : "");
            if (stat(world_path(wr->w, from), &st) == 0) {
                world_rename(wr->w, from, to);
            }
        }
    }
    wr->generations++;
    if (compress) {
        world_suffix = world_suffixes[rand() % 2];
        world_pack(wr->w, ID "/" ID "-json.log.1");
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

/* From now on reading waits for up to nine tenths of batch.age, and the batch for the rest. */
static void delay_visits(struct world *w)
{
    const char *most = getenv("FOLLOW_DELAY");
    if (most && atoi(most) > 0) {
        w->cfg->batch_age = (rand() % atoi(most) + 1) * NS_PER_MS;
    }
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
        delay_visits(&w);
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
    w.cfg->batch_age = NS_PER_MS;
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_rotations_and_kills)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
