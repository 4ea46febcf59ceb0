/* A start far inside a large archive: that is unpacked in pieces, and the loop turns between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "source/json_file/container.h"
#include "source/log/segment.h"
#include "world.h"

#define LOG  WORLD_ID "/" WORLD_ID "-json.log"
#define TEXT 2000 /* bytes of a line, which cannot be packed well */
#define OLD  4000 /* lines: 8 MB */

static void write_lines(struct world *w, int from, int to)
{
    struct buf text = {0};
    for (int i = from; i < to; i++) {
        assert_int_equal(buf_addf(&text, "{\"log\":\"%06d ", i), 0);
        for (int k = 0; k < TEXT / 8; k++) {
            assert_int_equal(buf_addf(&text, "%08x", (unsigned)rand()), 0);
        }
        assert_int_equal(
            buf_addf(&text, "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:%02d:%02d.%03d5Z\"}\n",
                     i / 60000, i / 1000 % 60, i % 1000),
            0);
    }
    world_write(w, LOG, text.data ? text.data : "");
    buf_free(&text);
}

/* Each number once, in order. */
static void expect_lines(const struct world *w, int count)
{
    const char *p = w->out.data, *end = p + w->out.len;
    int next = 0;
    for (const char *newline; (newline = memchr(p, '\n', (size_t)(end - p))); p = newline + 1, next++) {
        assert_int_equal(atoi(p), next);
    }
    assert_int_equal(next, count);
    assert_int_equal(metrics.gaps + metrics.cut_logs + metrics.truncations + metrics.lost_bytes, 0);
}

/* All but the last `unread` old lines are delivered; then it is rotated and packed. */
static void begin(struct world *w, int unread)
{
    metrics = (struct metrics){0};
    srand(1);
    world_new_json(w);
    world_container(w);
    write_lines(w, 0, OLD);
    world_start(w);
    world_settle(w);
    world_save(w);
    world_kill(w);
    write_lines(w, OLD, OLD + unread);
    world_rename(w, LOG, LOG ".1");
    world_pack(w, LOG ".1");
    write_lines(w, OLD + unread, OLD + unread + 5);
}

/* Archives that hold something else. */
static void add_older(struct world *w)
{
    for (int i = 2; i < 9; i++) {
        char name[200];
        snprintf(name, sizeof(name), LOG ".%d", i);
        world_write(w, name,
                    "{\"log\":\"old\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T05:00:00Z\"}\n");
        world_age(w, name);
        world_pack(w, name);
        world_age(w, world_packed(name));
    }
}

static void test_goes_on(void **state)
{
    (void)state;
    for (int unread = 0; unread <= 3; unread += 3) {
        struct world w;
        begin(&w, unread);
        add_older(&w);
        world_start(&w);
        assert_int_equal(metrics.open_files,
                         1); /* the archive; the log behind it is opened once that is unpacked */
        world_settle(&w);
        world_run(&w, 200);
        world_settle(&w);
        expect_lines(&w, OLD + unread + 5);
        world_save(&w);
        world_kill(&w);
        world_start(&w);
        world_settle(&w);
        expect_lines(&w, OLD + unread + 5);
        world_free(&w);
    }
}

/* It ends between two pieces, again and again: nothing is lost, and nothing is held. */
static void test_ends_amid_it(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 3);
    for (int turns = 0; turns < 5; turns++) {
        world_start(&w);
        for (int i = 0; i < turns; i++) {
            event_base_loop(w.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        }
        world_kill(&w);
        assert_int_equal(metrics.open_files, 0);
    }
    world_start(&w);
    world_settle(&w);
    world_run(&w, 200);
    world_settle(&w);
    expect_lines(&w, OLD + 3 + 5);
    world_free(&w);
}

/* What there is to unpack goes away: what is newer is read, and that is said. */
static void test_is_deleted(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 3);
    world_start(&w);
    event_base_loop(w.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_int_equal(unlink(world_path(&w, world_packed(LOG ".1"))), 0);
    world_settle(&w);
    world_run(&w, 1200);
    world_settle(&w);
    assert_int_equal(metrics.open_files, 1);
    const char *last = w.out.data + w.out.len - (TEXT + 8);
    assert_int_equal(atoi(last), OLD + 3 + 4);
    assert_true(w.out.len == (OLD + 5) * (TEXT + 8) ? metrics.gaps == 1 : metrics.gaps == 0);
    world_free(&w);
}

/* The archive takes the last descriptor, and the log is looked at before it is unpacked: it does not wait for what it
 * holds itself. */
static void test_looked_at_amid_it(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 3);
    world_start(&w);
    struct json_file *source = (struct json_file *)w.source;
    assert_int_equal(metrics.open_files, 1);
    source->tailer->open.most = 1;
    container_look(source->containers);
    world_settle(&w);
    world_run(&w, 200);
    world_settle(&w);
    expect_lines(&w, OLD + 3 + 5);
    world_free(&w);
}

/* All of it goes away amid it, or cannot be listed any more: it waits for the next look, and holds nothing till then. */
static void test_waits_for_another_look(void **state)
{
    (void)state;
    for (int away = 0; away < 2; away++) {
        struct world w;
        begin(&w, 3);
        assert_int_equal(mkdir(world_path(&w, "aside"), 0755), 0);
        world_start(&w);
        struct json_file *source = (struct json_file *)w.source;
        event_del(source->tick);
        assert_int_equal(metrics.open_files, 1);
        if (away) {
            assert_int_equal(unlink(world_path(&w, world_packed(LOG ".1"))), 0);
            assert_int_equal(unlink(world_path(&w, LOG)), 0);
        } else { /* a link that leads to itself */
            watch_close(source->root);
            source->root = NULL;
            world_rename(&w, WORLD_ID, "aside/dir");
            assert_int_equal(symlink(WORLD_ID, world_path(&w, WORLD_ID)), 0);
        }
        world_run(&w, 100);
        assert_true(TAILQ_EMPTY(&source->tailer->queue));
        assert_int_equal(metrics.open_files, 0);
        world_free(&w);
    }
}

/* Asked of one by one. */
static void test_pieces(void **state)
{
    (void)state;
    struct world w;
    struct error err = {0};
    begin(&w, 0);
    uint64_t all = (uint64_t)OLD * TEXT;
    struct segment *seg = segment_open(world_path(&w, world_packed(LOG ".1")), &err);
    assert_non_null(seg);
    assert_true(segment_unpack(seg, all, 0));
    assert_int_equal(seg->offset, 0);
    assert_false(segment_unpack(seg, SEGMENT_LITTLE, 0)); /* so little is for segment_seek */
    int pieces = 0;
    for (uint64_t before = 0; segment_unpack(seg, all, clock_monotonic() + 1000); before = seg->offset) {
        assert_true(seg->offset >= before && seg->offset < all);
        pieces++;
    }
    assert_true(pieces > 1);
    assert_true(all - seg->offset <= SEGMENT_LITTLE);
    assert_false(segment_unpack(seg, UINT64_MAX, INT64_MAX)); /* to its end, and no further */
    segment_close(seg);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST_ARCHIVES(test_goes_on),
        WORLD_TEST_ARCHIVES(test_ends_amid_it),
        WORLD_TEST_ARCHIVES(test_is_deleted),
        WORLD_TEST_ARCHIVES(test_looked_at_amid_it),
        WORLD_TEST_ARCHIVES(test_waits_for_another_look),
        WORLD_TEST_ARCHIVES(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
