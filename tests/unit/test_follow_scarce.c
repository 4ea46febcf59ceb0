/* More logs than descriptors: silent ones are closed, and what happens to them meanwhile is not lost. */
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
#include "source/files/files.h"
#include "world.h"

static struct tailer *tailer_of(const struct world *w)
{
    return ((struct files *)w->source)->set.tailer;
}

/* Only so many logs may be open from now on. */
static void allow(struct world *w, uint64_t most)
{
    tailer_of(w)->open.most = most;
}

/* web/a.log was read, and is closed for the sake of others. */
static void start_closed(struct world *w)
{
    world_new_plain(w);
    assert_int_equal(mkdir(world_path(w, "old"), 0755), 0);
    world_write(w, "web/a.log", "1\n2\n");
    world_start(w);
    world_settle(w);
    allow(w, 1);
    world_write(w, "web/b.log", "b\n");
    world_await(w, "1\n2\nb\n");
    assert_int_equal(metrics.open_files, 1);
}

/* That this is all, also at the next start, and that nothing counts as lost. */
static void expect_for_good(struct world *w, const char *text)
{
    world_await(w, text);
    world_run(w, 1100);
    world_settle(w);
    world_expect(w, text);
    world_save(w);
    world_kill(w);
    world_start(w);
    world_settle(w);
    world_expect(w, text);
    assert_int_equal(metrics.gaps, 0);
    assert_int_equal(metrics.lost_bytes, 0);
    world_free(w);
}

static int no_losses_yet(void **state)
{
    (void)state;
    metrics = (struct metrics){0};
    return 0;
}

static void test_written_to(void **state)
{
    (void)state;
    struct world w;
    start_closed(&w);
    world_write(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\nb\n3\n");
    assert_int_equal(metrics.open_files, 1);
    world_write(&w, "web/b.log", "c\n");
    expect_for_good(&w, "1\n2\nb\n3\nc\n");
}

static void test_a_torn_line(void **state)
{
    (void)state;
    struct world w;
    start_closed(&w);
    world_write(&w, "web/a.log", "thr");
    world_run(&w, 20);
    world_write(&w, "web/b.log", "c\n");
    world_await(&w, "1\n2\nb\nc\n");
    world_write(&w, "web/a.log", "ee\n");
    expect_for_good(&w, "1\n2\nb\nc\nthree\n");
}

static void test_rotated(void **state)
{
    (void)state;
    static const char *const names[] = {"web/a.log.1", "web/a.log-20261124", "web/a-2026-11-24.log",
                                        "web/a.old",   "web/z.log",          "old/z.log"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct world w;
        start_closed(&w);
        world_write(&w, "web/a.log", "3\n");
        world_rename(&w, "web/a.log", names[i]);
        world_write(&w, names[i], "4\n");
        world_write(&w, "web/a.log", "5\n");
        expect_for_good(&w, "1\n2\nb\n3\n4\n5\n");
    }
}

/* Its writer goes over only later. */
static void test_renamed_and_silent(void **state)
{
    (void)state;
    static const char *const names[] = {"web/a.log.1", "web/z.log", "old/z.log"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct world w;
        start_closed(&w);
        world_rename(&w, "web/a.log", names[i]);
        world_run(&w, 1100);
        world_write(&w, "web/b.log", "c\n");
        world_await(&w, "1\n2\nb\nc\n");
        world_write(&w, names[i], "3\n");
        world_run(&w, 1100);
        world_write(&w, "web/a.log", "4\n");
        expect_for_good(&w, "1\n2\nb\nc\n3\n4\n");
    }
}

static void test_packed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world w;
        world_suffix = world_suffixes[i];
        start_closed(&w);
        world_write(&w, "web/a.log", "3\n");
        world_rename(&w, "web/a.log", "web/a.log.1");
        world_pack(&w, "web/a.log.1");
        world_write(&w, "web/a.log", "4\n");
        expect_for_good(&w, "1\n2\nb\n3\n4\n");
    }
}

static void test_copied_and_truncated(void **state)
{
    (void)state;
    static const char *const names[] = {"web/a.log.1", "web/kept"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct world w;
        start_closed(&w);
        world_write(&w, "web/a.log", "3\n");
        world_copy(&w, "web/a.log", names[i]);
        world_truncate_to(&w, "web/a.log", "4\n");
        expect_for_good(&w, "1\n2\nb\n3\n4\n");
    }
}

static void test_deleted_and_made_anew(void **state)
{
    (void)state;
    struct world w;
    start_closed(&w);
    unlink(world_path(&w, "web/a.log"));
    world_write(&w, "web/c.log", "c\n"); /* of its inode, mostly */
    world_await(&w, "1\n2\nb\nc\n");
    world_write(&w, "web/a.log", "3\n");
    expect_for_good(&w, "1\n2\nb\nc\n3\n");
}

/* Something was written to it, and nobody had read that. */
static void test_deleted_unread(void **state)
{
    (void)state;
    struct world w;
    start_closed(&w);
    world_write(&w, "web/a.log", "torn");
    world_run(&w, 20);
    world_write(&w, "web/b.log", "c\n");
    world_await(&w, "1\n2\nb\nc\n");
    unlink(world_path(&w, "web/a.log"));
    world_write(&w, "web/x.log", "x\n");
    world_write(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\nb\nc\nx\n3\n");
    assert_true(metrics.gaps + metrics.lost_bytes > 0);
    world_free(&w);
}

/* An empty log is closed and deleted, and another one gets its inode: mostly, on some file systems. */
static void test_empty_deleted_and_inode_used_again(void **state)
{
    (void)state;
    struct world w;
    struct stat empty, st;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "");
    world_start(&w);
    world_settle(&w);
    allow(&w, 1);
    world_write(&w, "web/b.log", "b\n");
    world_await(&w, "b\n");
    assert_int_equal(stat(world_path(&w, "web/a.log"), &empty), 0);
    unlink(world_path(&w, "web/a.log"));
    for (int i = 0; i < 200; i++) { /* before the source can see that it is gone */
        char name[32];
        snprintf(name, sizeof(name), "old%d", i);
        world_write(&w, name, "1\n");
        assert_int_equal(stat(world_path(&w, name), &st), 0);
        if (st.st_ino == empty.st_ino || i == 199) {
            world_rename(&w, name, "web/c.log");
            break;
        }
    }
    world_await(&w, "b\n1\n");
    assert_non_null(pipeline_position(w.pipeline, world_path(&w, "web/c.log"))); /* of its own */
    world_write(&w, "web/c.log", "2\n");
    expect_for_good(&w, "b\n1\n2\n");
}

/* -- an unfinished line, of which the pipeline holds the beginning ------------------------------ */

#define CRI "2026-11-24T05:00:39.5Z stdout "

/* web/a.log was read to such a one, and is closed all the same. */
static void start_closed_amid_a_line(struct world *w)
{
    world_new_plain(w);
    w->cfg->partial_wait = NS_PER_MS;
    world_write(w, "web/a.log", CRI "F 1\n" CRI "P tw\n");
    world_start(w);
    world_settle(w);
    allow(w, 1);
    world_write(w, "web/b.log", "b\n");
    world_await(w, "1\nb\n");
    assert_int_equal(metrics.open_files, 1);
}

static void test_an_unfinished_line_goes_on(void **state)
{
    (void)state;
    struct world w;
    start_closed_amid_a_line(&w);
    world_write(&w, "web/a.log", CRI "F o\n");
    expect_for_good(&w, "1\nb\ntwo\n");
}

static void test_an_unfinished_line_goes_on_after_a_start(void **state)
{
    (void)state;
    struct world w;
    start_closed_amid_a_line(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", CRI "F o\n");
    world_start(&w);
    expect_for_good(&w, "1\nb\ntwo\n");
}

static void test_an_unfinished_line_goes_on_in_the_next_file(void **state)
{
    (void)state;
    static const char *const rest[] = {"", CRI "P -\n"}; /* nobody has read that */
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        start_closed_amid_a_line(&w);
        world_write(&w, "web/a.log", rest[i]);
        world_rename(&w, "web/a.log", "web/a.log.1");
        world_write(&w, "web/a.log", CRI "F o\n");
        expect_for_good(&w, i == 0 ? "1\nb\ntwo\n" : "1\nb\ntw-o\n");
    }
}

/* It is read again from the archive, and does not come twice. */
static void test_an_unfinished_line_is_packed(void **state)
{
    (void)state;
    static const char *const rest[] = {"", CRI "P -\n"};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        start_closed_amid_a_line(&w);
        world_write(&w, "web/a.log", rest[i]);
        world_rename(&w, "web/a.log", "web/a.log.1");
        world_pack(&w, "web/a.log.1");
        world_write(&w, "web/a.log", CRI "F o\n");
        expect_for_good(&w, i == 0 ? "1\nb\ntwo\n" : "1\nb\ntw-o\n");
    }
}

/* Its log is deleted: that is all there is of it, and goes out at the latest as the process ends. */
static void test_an_unfinished_line_is_deleted(void **state)
{
    (void)state;
    struct world w;
    start_closed_amid_a_line(&w);
    unlink(world_path(&w, "web/a.log"));
    world_write(&w, "web/x.log", "x\n");
    world_await(&w, "1\nb\nx\n");
    w.source->ops->stop(w.source);
    pipeline_drain(w.pipeline, NULL, NULL);
    world_expect(&w, "1\nb\nx\ntw\n");
    world_save(&w);
    world_kill(&w);
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\nb\nx\ntw\n");
    world_free(&w);
}

/* None can be closed, for nothing is taken of them: the others wait, which is counted. */
static void test_all_are_busy(void **state)
{
    (void)state;
    struct world w;
    start_closed(&w);
    w.cfg->batch_lines = 1;
    w.stalled = true;
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof(name), "web/%02d.log", i);
        world_write(&w, name, "x\n");
    }
    world_run(&w, 1200);
    assert_true(metrics.open_files <= 2);
    world_unstall(&w);
    world_settle(&w);
    assert_int_equal(w.out.len, strlen("1\n2\nb\n") + 20 * strlen("x\n"));
    assert_int_equal(metrics.waiting_logs, 0);
    assert_int_equal(standing.logs_wait_since_ns, 0);
    world_free(&w);
}

/* A log that is never read to its end is closed for another after a while. */
static void test_take_turns(void **state)
{
    (void)state;
    struct world w;
    struct buf all = {0};
    for (int i = 0; i < 1000000; i++) {
        assert_int_equal(buf_add(&all, "a\n", 2), 0);
    }
    assert_int_equal(buf_add(&all, "", 1), 0);
    world_new_plain(&w);
    w.cfg->batch_bytes = 4096;
    w.cfg->memory_max = 65536;
    w.stalled = true;
    world_write(&w, "web/a.log", all.data);
    world_start(&w);
    allow(&w, 1);
    world_write(&w, "web/b.log", "b\n");
    while (w.out.len < all.len / 4 * 3 && !memchr(w.out.data ? w.out.data : "", 'b', w.out.len)) {
        world_run(&w, 100);
        world_unstall(&w);
        w.stalled = true;
    }
    assert_non_null(memchr(w.out.data, 'b', w.out.len));
    world_unstall(&w);
    world_settle(&w);
    assert_int_equal(w.out.len, all.len - 1 + 2);
    buf_free(&all);
    world_free(&w);
}

/* -- at random --------------------------------------------------------------------------------- */

#define LOGS 5

struct writer {
    struct world *w;
    unsigned next[LOGS], rotated[LOGS];
};

static void write_line(struct writer *wr, int log)
{
    char name[32], text[40];
    snprintf(name, sizeof(name), "web/%c.log", 'a' + log);
    snprintf(text, sizeof(text), "%c %u\n", 'a' + log, wr->next[log]++);
    world_write(wr->w, name, text);
}

static void rotate(struct writer *wr, int log)
{
    char from[32], to[32];
    snprintf(from, sizeof(from), "web/%c.log", 'a' + log);
    if (access(world_path(wr->w, from), F_OK) < 0) {
        return;
    }
    snprintf(to, sizeof(to), "web/%c.log-202611%02u", 'a' + log, ++wr->rotated[log]);
    world_rename(wr->w, from, to);
    if (rand() % 2) {
        world_suffix = world_suffixes[rand() % 2];
        world_pack(wr->w, to);
    }
    write_line(wr, log);
}

/* Each line of each log came once, in its order. */
static void expect_all(const struct writer *wr, unsigned seed)
{
    unsigned seen[LOGS] = {0};
    assert_int_equal(buf_add(&wr->w->out, "", 1), 0); /* for sscanf */
    wr->w->out.len--;
    for (const char *p = wr->w->out.data, *end = p + wr->w->out.len; p < end;) {
        char log;
        unsigned number;
        assert_int_equal(sscanf(p, "%c %u\n", &log, &number), 2);
        if (number != seen[log - 'a']++) {
            fail_msg("seed %u: log %c: line %u where %u was due", seed, log, number, seen[log - 'a'] - 1);
        }
        p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
    }
    for (int i = 0; i < LOGS; i++) {
        if (seen[i] != wr->next[i]) {
            fail_msg("seed %u: log %c: %u lines of %u", seed, 'a' + i, seen[i], wr->next[i]);
        }
    }
}

static void random_run(unsigned seed)
{
    struct world w;
    struct writer wr = {.w = &w};
    srand(seed);
    world_new_plain(&w);
    world_start(&w);
    allow(&w, 1 + seed % 3);
    for (int step = 0; step < 150; step++) {
        switch (rand() % 12) {
        case 0:
            rotate(&wr, rand() % LOGS);
            break;
        case 1:
        case 2:
            world_run(&w, rand() % 4);
            break;
        case 3:
            world_save(&w);
            world_kill(&w);
            world_start(&w);
            allow(&w, 1 + seed % 3);
            break;
        default:
            write_line(&wr, rand() % LOGS);
        }
    }
    world_settle(&w);
    world_run(&w, 1100);
    world_settle(&w);
    expect_all(&wr, seed);
    world_free(&w);
}

static void test_random_rotations(void **state)
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_written_to, no_losses_yet),
        cmocka_unit_test_setup(test_a_torn_line, no_losses_yet),
        cmocka_unit_test_setup(test_rotated, no_losses_yet),
        cmocka_unit_test_setup(test_renamed_and_silent, no_losses_yet),
        cmocka_unit_test_setup(test_packed, no_losses_yet),
        cmocka_unit_test_setup(test_copied_and_truncated, no_losses_yet),
        cmocka_unit_test_setup(test_deleted_and_made_anew, no_losses_yet),
        cmocka_unit_test_setup(test_deleted_unread, no_losses_yet),
        cmocka_unit_test_setup(test_empty_deleted_and_inode_used_again, no_losses_yet),
        cmocka_unit_test_setup(test_an_unfinished_line_goes_on, no_losses_yet),
        cmocka_unit_test_setup(test_an_unfinished_line_goes_on_after_a_start, no_losses_yet),
        cmocka_unit_test_setup(test_an_unfinished_line_goes_on_in_the_next_file, no_losses_yet),
        WORLD_TEST_ARCHIVES(test_an_unfinished_line_is_packed),
        cmocka_unit_test_setup(test_an_unfinished_line_is_deleted, no_losses_yet),
        cmocka_unit_test_setup(test_all_are_busy, no_losses_yet),
        cmocka_unit_test_setup(test_take_turns, no_losses_yet),
        cmocka_unit_test_setup(test_random_rotations, no_losses_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
