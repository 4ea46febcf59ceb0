/* Resuming without loss or doubles, on a log simulated as an Engine keeps it: entries in the order of
 * writing, filtered by `since`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "source/docker_api/cursor.h"

#define S INT64_C(1000000000)

struct entry {
    enum stream stream;
    int64_t time;
    int seq; /* within the stream */
    bool more;
};

struct sim {
    struct entry log[4000];
    int count;
    int delivered[STREAM_COUNT]; /* entries that are delivered for good */
};

static const bool whole[STREAM_COUNT]; /* no line waits for its rest */

static void note(struct sim *sim, enum stream stream, int64_t time, bool more)
{
    int seq = 0;
    for (int i = sim->count; i-- > 0;) {
        if (sim->log[i].stream == stream) {
            seq = sim->log[i].seq + 1;
            break;
        }
    }
    sim->log[sim->count++] = (struct entry){stream, time, seq, more};
}

static void test_begin(void **state)
{
    (void)state;
    struct api_cursor c;
    union source_offset offset;
    cursor_start(&c, NULL);
    assert_true(cursor_open(&c, whole) == 0);
    assert_true(cursor_take(&c, STREAM_STDOUT, 5 * S, &offset));
    assert_true(offset.api.time_ns == 5 * S && offset.api.lines == 0);
    assert_true(cursor_take(&c, STREAM_STDOUT, 5 * S, &offset));
    assert_true(offset.api.time_ns == 5 * S && offset.api.lines == 1);
    assert_true(cursor_newest(&c) == 5 * S);
    struct position file = {.kind = POSITION_FILE, .at.file.offset = 77};
    cursor_start(&c, &file);
    assert_true(cursor_open(&c, whole) == 0); /* a position of the json-file source says nothing here */
}

static void test_since(void **state)
{
    (void)state;
    struct api_cursor c;
    union source_offset offset;
    cursor_start_at(&c, 100 * S);
    assert_true(cursor_open(&c, whole) == 100 * S);
    assert_false(cursor_take(&c, STREAM_STDOUT, 100 * S - 1, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 100 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 500 * S, &offset));
    /* The silent stream does not hold `since` back, but for the slack. */
    assert_true(cursor_open(&c, whole) == 500 * S - CURSOR_SLACK_NS);
    struct position pos = cursor_position(&c);
    assert_true(pos.kind == POSITION_API && pos.held_set[0] && pos.held_set[1]);
    assert_true(pos.held[STREAM_STDOUT].api.time_ns == 500 * S && pos.held[STREAM_STDOUT].api.lines == 1);
    assert_true(pos.held[STREAM_STDERR].api.time_ns == 500 * S - CURSOR_SLACK_NS);
}

/* The rest of a line bears the line's time, though it is written long after the other stream's lines. */
static void test_since_of_a_line_that_waits(void **state)
{
    (void)state;
    const bool more[STREAM_COUNT] = {[STREAM_STDOUT] = true};
    struct api_cursor c;
    union source_offset offset;
    cursor_start(&c, NULL);
    cursor_open(&c, whole);
    assert_true(cursor_take(&c, STREAM_STDOUT, 5 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 5 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDERR, 60 * S, &offset));
    assert_true(cursor_open(&c, more) == 5 * S);
    assert_false(cursor_take(&c, STREAM_STDOUT, 5 * S, &offset));
    assert_false(cursor_take(&c, STREAM_STDOUT, 5 * S, &offset));
    assert_false(cursor_take(&c, STREAM_STDERR, 60 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 5 * S, &offset));
}

static void test_equal_times(void **state)
{
    (void)state;
    struct api_cursor c;
    union source_offset offset;
    struct position pos = {.kind = POSITION_API, .held_set = {true, true}};
    pos.held[STREAM_STDOUT].api = (struct api_pos){.time_ns = 9 * S, .lines = 2};
    pos.held[STREAM_STDERR].api = (struct api_pos){.time_ns = 8 * S, .lines = 0};
    cursor_start(&c, &pos);
    assert_true(cursor_open(&c, whole) == 8 * S);
    assert_false(cursor_take(&c, STREAM_STDOUT, 9 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDERR, 9 * S, &offset)); /* each stream counts for itself */
    assert_false(cursor_take(&c, STREAM_STDOUT, 9 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 9 * S, &offset));
    assert_true(offset.api.lines == 2);
    assert_true(
        cursor_take(&c, STREAM_STDOUT, 8 * S, &offset)); /* live, and the clock was set back: not lost */
}

static void test_set_back(void **state)
{
    (void)state;
    struct api_cursor c;
    union source_offset offset;
    cursor_start(&c, NULL);
    cursor_open(&c, whole);
    assert_true(cursor_take(&c, STREAM_STDERR, 100 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 5000 * S, &offset));
    cursor_set_back(&c, 1000 * S);
    assert_true(cursor_open(&c, whole) < 1000 * S - CURSOR_BACK_NS);
    assert_true(cursor_open(&c, whole) >= 1000 * S - CURSOR_BACK_NS - CURSOR_SLACK_NS);
    assert_false(cursor_take(&c, STREAM_STDOUT, 1000 * S - CURSOR_BACK_NS - 1, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 1000 * S - CURSOR_BACK_NS, &offset));
    assert_true(cursor_take(&c, STREAM_STDERR, 999 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 1000 * S, &offset));
    assert_true(cursor_newest(&c) == 1000 * S);
}

/* An Engine from 23.0 on goes on telling from the first entry that is not older than `since`, whatever comes behind it. */
static void test_back_while_away(void **state)
{
    (void)state;
    struct api_cursor c;
    union source_offset offset;
    struct position pos = {.kind = POSITION_API, .held_set = {true, true}};
    pos.held[0].api = pos.held[1].api = (struct api_pos){.time_ns = 9 * S, .lines = 2};
    cursor_start(&c, &pos);
    cursor_open(&c, whole);
    assert_true(cursor_misses(&c, STREAM_STDOUT, 10 * S));
    assert_false(cursor_take(&c, STREAM_STDOUT, 9 * S, &offset));
    assert_false(cursor_misses(&c, STREAM_STDOUT, 10 * S));
    assert_true(cursor_misses(&c, STREAM_STDERR, 10 * S));
    assert_false(cursor_take(&c, STREAM_STDOUT, 9 * S, &offset));
    assert_true(
        cursor_take(&c, STREAM_STDOUT, 4 * S, &offset)); /* written when the clock had been set back */
    assert_false(cursor_take(&c, STREAM_STDERR, 4 * S, &offset));
    cursor_start(&c, &pos);
    c.repeats = true;
    cursor_open(&c, whole);
    assert_false(cursor_take(&c, STREAM_STDOUT, 9 * S, &offset));
    assert_false(cursor_take(&c, STREAM_STDOUT, 9 * S, &offset));
    assert_false(cursor_take(&c, STREAM_STDOUT, 4 * S, &offset)); /* told once more */
}

/* Fewer entries than were taken bear the time, for the oldest file is gone: nothing newer is passed over. */
static void test_rotated_away(void **state)
{
    (void)state;
    struct api_cursor c;
    union source_offset offset;
    struct position pos = {.kind = POSITION_API, .held_set = {true, true}};
    pos.held[0].api = pos.held[1].api = (struct api_pos){.time_ns = 9 * S, .lines = 3};
    cursor_start(&c, &pos);
    cursor_open(&c, whole);
    assert_false(cursor_take(&c, STREAM_STDOUT, 9 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 10 * S, &offset));
    assert_true(cursor_take(&c, STREAM_STDOUT, 10 * S, &offset));
}

static void test_held(void **state)
{
    (void)state;
    struct api_cursor c;
    union source_offset offset;
    cursor_start(&c, NULL);
    cursor_open(&c, whole);
    cursor_take(&c, STREAM_STDOUT, 5 * S, &offset);
    cursor_put(&c, STREAM_STDOUT, PUT_JOINING, &offset);
    cursor_take(&c, STREAM_STDOUT, 5 * S, &offset);
    cursor_put(&c, STREAM_STDOUT, PUT_JOINING, &offset);
    cursor_take(&c, STREAM_STDERR, 60 * S, &offset);
    cursor_put(&c, STREAM_STDERR, PUT_DONE, &offset);
    struct position pos = cursor_position(&c);
    assert_true(pos.held[STREAM_STDOUT].api.time_ns == 5 * S && pos.held[STREAM_STDOUT].api.lines == 0);
    assert_true(pos.held[STREAM_STDERR].api.time_ns == 60 * S && pos.held[STREAM_STDERR].api.lines == 1);
    struct api_cursor next;
    cursor_start(&next, &pos);
    assert_true(cursor_open(&next, whole) == 5 * S);
}

/* -- simulation -------------------------------------------------------------------------------- */

static unsigned random_below(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 8) % n;
}

static void write_log(struct sim *sim, unsigned *seed)
{
    int64_t now = 1000 * S, line_time = 0;
    bool long_line = false;
    while (sim->count < 3500) {
        now += random_below(seed, 20) == 0 ? 30 * S : random_below(seed, 400) * 1000000;
        if (long_line || random_below(seed, 12) == 0) { /* pieces of a long line bear its first one's time */
            line_time = long_line ? line_time : now;
            long_line = random_below(seed, 4) != 0;
            note(sim, STREAM_STDOUT, line_time, long_line);
        } else {
            int64_t behind = random_below(seed, 5) == 0 ? random_below(seed, 900) * 1000000 : 0;
            enum stream stream = random_below(seed, 3) == 0 ? STREAM_STDERR : STREAM_STDOUT;
            int64_t time = now - behind;
            for (int i = sim->count; i-- > 0;) {
                if (sim->log[i].stream == stream) {
                    time = time < sim->log[i].time ? sim->log[i].time : time; /* in order within a stream */
                    break;
                }
            }
            note(sim, stream, time, false);
        }
    }
}

/* One life of the collector: reads from `pos` until killed; what was marked by then is delivered. */
static struct position live(struct sim *sim, struct position pos, unsigned *seed)
{
    struct api_cursor c;
    cursor_start(&c, pos.kind == POSITION_API ? &pos : NULL);
    int64_t since = cursor_open(&c, whole);
    int next[STREAM_COUNT], safe[STREAM_COUNT];
    memcpy(next, sim->delivered, sizeof(next));
    memcpy(safe, sim->delivered, sizeof(safe));
    int steps = (int)random_below(seed, 300), reopen = (int)random_below(seed, 300);
    for (int i = 0; i < sim->count && steps > 0; i++) {
        const struct entry *e = &sim->log[i];
        union source_offset offset;
        if (e->time < since) {
            continue;
        }
        if (--reopen == 0) { /* the stream breaks, and is opened again */
            since = cursor_open(&c, whole);
            i = -1;
            continue;
        }
        if (!cursor_take(&c, e->stream, e->time, &offset)) {
            continue;
        }
        steps--;
        assert_int_equal(e->seq, next[e->stream]); /* neither lost nor doubled nor out of order */
        next[e->stream]++;
        cursor_put(&c, e->stream, e->more ? PUT_JOINING : PUT_DONE, &offset);
        if (!e->more) {
            safe[e->stream] = next[e->stream];
        }
        if (random_below(seed, 4) == 0) { /* a checkpoint */
            pos = cursor_position(&c);
            memcpy(sim->delivered, safe, sizeof(safe));
        }
    }
    return pos;
}

static void test_kills(void **state)
{
    (void)state;
    for (unsigned run = 1; run <= 40; run++) {
        static struct sim sim;
        unsigned seed = run;
        memset(&sim, 0, sizeof(sim));
        write_log(&sim, &seed);
        struct position pos = {.kind = POSITION_NONE};
        int lives = 0, last[STREAM_COUNT] = {0, 0};
        for (int i = 0; i < sim.count; i++) {
            last[sim.log[i].stream] = sim.log[i].seq + 1;
        }
        while (lives++ < 3000 && (sim.delivered[0] < last[0] - 8 || sim.delivered[1] < last[1] - 8)) {
            pos = live(&sim, pos, &seed);
        }
        assert_true(lives < 3000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_since_of_a_line_that_waits),
        cmocka_unit_test(test_equal_times),
        cmocka_unit_test(test_set_back),
        cmocka_unit_test(test_rotated_away),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_back_while_away),
        cmocka_unit_test(test_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
