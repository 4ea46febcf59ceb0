/* Copies of logs under names that tell nothing, which a pattern meets; and logs that merely begin alike. */
#include <fcntl.h>
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
#include "world.h"

/* Lines `from` to `to` - 1, each of 40 bytes, and with a time. */
static const char *lines(int from, int to)
{
    static char text[4][8192];
    static int turn;
    char *out = text[turn++ % 4];
    int len = 0;
    out[0] = '\0';
    for (int i = from; i < to; i++) {
        len += snprintf(out + len, sizeof(text[0]) - (size_t)len,
                        "2026-11-24 05:%02d:%02d the line %04d of it..\n", i / 60, i % 60, i);
    }
    return out;
}

/* As if it had not been written to for so long. */
static void age_by(struct world *w, const char *name, int seconds)
{
    struct timespec at = {.tv_sec = clock_now() / NS_PER_S - seconds};
    assert_int_equal(utimensat(AT_FDCWD, world_path(w, name), (struct timespec[]){at, at}, 0), 0);
}

/* For a while. */
static void age(struct world *w, const char *name)
{
    age_by(w, name, 20);
}

static void begin(struct world *w, const char *text)
{
    metrics = (struct metrics){0};
    world_new_plain(w);
    world_start(w);
    world_write(w, "web/a.log", text);
    world_await(w, text);
    world_save(w);
}

static void restart(struct world *w)
{
    world_save(w);
    world_kill(w);
    world_start(w);
    world_settle(w);
}

static void expect(const struct world *w, const char *one, const char *two)
{
    world_expectf(w, "%s%s", one, two);
}

/* The log goes on. Is it decided at once that the copy is one, and at the next start; or only then? */
static void test_while_running(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct world w;
        begin(&w, lines(0, 50));
        world_copy(&w, "web/a.log", "web/b.log");
        world_settle(&w);
        expect(&w, lines(0, 50), "");
        if (!late) {
            age(&w, "web/b.log");
            world_run(&w, 1300);
        }
        world_write(&w, "web/a.log", lines(50, 60));
        world_settle(&w);
        expect(&w, lines(0, 60), "");
        age(&w, "web/b.log");
        world_run(&w, 1300);
        restart(&w);
        expect(&w, lines(0, 60), "");
        world_write(&w, "web/b.log", "more\n");
        world_write(&w, "web/a.log", lines(60, 61));
        world_settle(&w);
        world_run(&w, 1300);
        assert_int_equal(w.out.len, strlen(lines(0, 61)) + strlen("more\n"));
        world_free(&w);
    }
}

/* The same, of lines without times: they tell only while the log is no further than the copy. */
static void test_no_times(void **state)
{
    (void)state;
    struct world w;
    char text[2048] = {0};
    memset(text, '=', 1500);
    text[1500] = '\n';
    begin(&w, text);
    world_copy(&w, "web/a.log", "web/b.log");
    world_run(&w, 200);
    world_write(&w, "web/a.log", "more\n");
    world_settle(&w);
    expect(&w, text, "more\n");
    age(&w, "web/b.log");
    world_run(&w, 1300);
    expect(&w, text, "more\n");
    restart(&w);
    world_run(&w, 1300);
    expect(&w, text, "more\n");
    world_free(&w);
}

/* Several at once, and the log goes on meanwhile: nobody waits for the others. */
static void test_several(void **state)
{
    (void)state;
    struct world w;
    const char *const names[] = {"web/1.log", "web/2.log", "web/x.log"};
    begin(&w, lines(0, 50));
    for (int i = 0; i < 3; i++) {
        world_copy(&w, "web/a.log", names[i]);
    }
    world_run(&w, 1300);
    world_write(&w, "web/a.log", lines(50, 52));
    world_await(&w, lines(0, 52));
    world_run(&w, 1300);
    for (int i = 0; i < 3; i++) {
        age(&w, names[i]);
    }
    world_run(&w, 1300);
    restart(&w);
    expect(&w, lines(0, 52), "");
    world_free(&w);
}

/* As copytruncate does, by hand. */
static void copy_and_truncate(int pause_ms)
{
    struct world w;
    begin(&w, lines(0, 50));
    world_copy(&w, "web/a.log", "web/1.log");
    world_run(&w, pause_ms);
    world_truncate_to(&w, "web/a.log", lines(50, 53));
    world_settle(&w);
    expect(&w, lines(0, 53), "");
    world_run(&w, 1300);
    age(&w, "web/1.log");
    world_run(&w, 1300);
    expect(&w, lines(0, 53), "");
    restart(&w);
    world_write(&w, "web/a.log", lines(53, 90));
    world_settle(&w);
    expect(&w, lines(0, 90), "");
    restart(&w);
    expect(&w, lines(0, 90), "");
    assert_int_equal(metrics.gaps, 0);
    assert_int_equal(metrics.lost_bytes, 0);
    world_free(&w);
}

static void test_truncated(void **state)
{
    (void)state;
    copy_and_truncate(0);
    copy_and_truncate(50);
    copy_and_truncate(1300);
}

/* While nobody reads: copied; or copied when it held more, and truncated. */
static void test_while_stopped(void **state)
{
    (void)state;
    for (int truncated = 0; truncated < 2; truncated++) {
        for (int old = 0; old < 2; old++) {
            struct world w;
            begin(&w, lines(0, 50));
            world_kill(&w);
            world_write(&w, "web/a.log", lines(50, 55));
            world_copy(&w, "web/a.log", "web/1.log");
            if (old) {
                age(&w, "web/1.log");
            }
            if (truncated) {
                world_truncate_to(&w, "web/a.log", lines(55, 60));
            } else {
                world_write(&w, "web/a.log", lines(55, 60));
            }
            world_start(&w);
            world_settle(&w);
            world_run(&w, 1300);
            assert_int_equal(w.out.len, strlen(lines(0, 60)));
            age(&w, "web/1.log");
            world_run(&w, 1300);
            restart(&w);
            assert_int_equal(w.out.len, strlen(lines(0, 60)));
            world_free(&w);
        }
    }
}

/* Two programs that begin with the same lines, more or less than a KiB of them. */
static void test_begun_alike(void **state)
{
    (void)state;
    for (int count = 5; count <= 50; count += 45) {
        struct world w;
        begin(&w, lines(0, count));
        world_write(&w, "web/b.log", lines(0, count));
        world_run(&w, 1300);
        world_write(&w, "web/b.log", lines(200, 203));
        world_settle(&w);
        assert_int_equal(w.out.len, 2 * strlen(lines(0, count)) + strlen(lines(200, 203)));
        world_write(&w, "web/a.log", lines(100, 103));
        world_write(&w, "web/b.log", lines(203, 206));
        world_settle(&w);
        world_run(&w, 1300);
        assert_int_equal(w.out.len, 2 * strlen(lines(0, count)) + strlen(lines(0, 9)));
        world_free(&w);
    }
}

/* The log has gone on and is rotated before it is decided that the copy is one. */
static void test_rotated_meanwhile(void **state)
{
    (void)state;
    const char *const names[] = {"web/r.log", "web/a.log.1", "web/old"};
    for (int i = 0; i < 3; i++) {
        struct world w;
        begin(&w, lines(0, 50));
        world_copy(&w, "web/a.log", "web/b.log");
        age_by(&w, "web/b.log", 6);
        world_run(&w, 1300);
        world_write(&w, "web/a.log", lines(50, 60));
        world_settle(&w);
        world_rename(&w, "web/a.log", names[i]);
        world_write(&w, "web/a.log", lines(60, 63));
        world_settle(&w);
        world_run(&w, 1300);
        expect(&w, lines(0, 63), "");
        world_run(&w, 4000); /* it is ten seconds old by now */
        restart(&w);
        world_run(&w, 1300);
        expect(&w, lines(0, 63), "");
        world_write(&w, "web/b.log", "more\n");
        world_settle(&w);
        world_run(&w, 1300);
        expect(&w, lines(0, 63), "more\n");
        world_free(&w);
    }
}

/* What looked like a copy is written to after that, or written anew and is as long: it is a log, and all of it
 * comes. */
static void test_rotated_beside_another(void **state)
{
    (void)state;
    for (int anew = 0; anew < 2; anew++) {
        for (int early = 0; early < 2; early++) {
            struct world w;
            begin(&w, lines(0, 50));
            world_write(&w, "web/b.log", lines(0, 50));
            world_settle(&w);
            world_write(&w, "web/a.log", lines(50, 53));
            world_settle(&w);
            expect(&w, lines(0, 53), "");
            const char *text = anew ? lines(100, 150) : lines(200, 203);
            size_t len = strlen(lines(0, 56)) + strlen(text) + (anew ? 0 : strlen(lines(0, 50)));
            for (int step = 0; step < 2; step++) {
                if (step == early) {
                    world_rename(&w, "web/a.log", "web/r.log");
                    world_write(&w, "web/a.log", lines(53, 56));
                } else if (anew) {
                    world_truncate_to(&w, "web/b.log", text);
                } else {
                    world_write(&w, "web/b.log", text);
                }
                world_run(&w, 1300);
            }
            world_settle(&w);
            assert_int_equal(w.out.len, len);
            world_free(&w);
        }
    }
}

/* A new log beside one that is long: it is empty at first. */
static void test_empty_at_first(void **state)
{
    (void)state;
    struct world w;
    begin(&w, lines(0, 50));
    world_write(&w, "web/b.log", "");
    world_run(&w, 1300);
    world_write(&w, "web/b.log", "b 1\n");
    world_settle(&w);
    expect(&w, lines(0, 50), "b 1\n");
    world_free(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_while_running),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_while_stopped),
        cmocka_unit_test(test_begun_alike),
        cmocka_unit_test(test_empty_at_first),
        cmocka_unit_test(test_no_times),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_rotated_meanwhile),
        cmocka_unit_test(test_rotated_beside_another),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]); /* such as "test_rotated*" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
