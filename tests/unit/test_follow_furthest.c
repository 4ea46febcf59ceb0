/* A file that several logs have read in turn: the furthest that any of them has come to counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "world.h"

static void restart(struct world *w)
{
    world_save(w);
    world_kill(w);
    world_start(w);
    world_settle(w);
}

/* Nothing comes again in the looks that follow, nor at the next start. */
static void expect_for_good(struct world *w, size_t len)
{
    for (int i = 0; i < 2; i++) {
        world_run(w, 1300);
        world_settle(w);
        if (w->out.len != len) {
            fail_msg("expected %zu bytes, got %zu: <<%.*s>>", len, w->out.len, (int)w->out.len, w->out.data);
        }
        restart(w);
    }
}

static void await_more(struct world *w, size_t *len, const char *text)
{
    *len += strlen(text);
    for (int i = 0; i < 2000 && w->out.len < *len; i++) {
        world_run(w, 10);
    }
    assert_int_equal(w->out.len, *len);
}

static void write_more(struct world *w, size_t *len, const char *name, const char *text)
{
    world_write(w, name, text);
    await_more(w, len, text);
}

/* Two logs that are read. */
static size_t begin_with_two(struct world *w)
{
    world_new_plain(w);
    world_write(w, "web/a.log", "a1\na2\na3\n");
    world_write(w, "web/b.log", "b1\nb2\n");
    world_start(w);
    world_settle(w);
    assert_int_equal(w->out.len, 15);
    return w->out.len;
}

static void swap(struct world *w, const char *one, const char *two)
{
    world_rename(w, one, "web/t");
    world_rename(w, two, one);
    world_rename(w, "web/t", two);
}

/* a.log is b.log, then c.log, and somebody writes to it at each name. */
static void test_left_twice(void **state)
{
    (void)state;
    struct world w;
    size_t len = begin_with_two(&w);
    world_rename(&w, "web/a.log", "web/b.log");
    write_more(&w, &len, "web/a.log", "n1\n");
    world_run(&w, 600);
    write_more(&w, &len, "web/b.log", "a4\na5\n");
    world_run(&w, 1300);
    world_rename(&w, "web/b.log", "web/c.log");
    write_more(&w, &len, "web/b.log", "m1\n");
    world_run(&w, 600);
    write_more(&w, &len, "web/c.log", "a6\n");
    expect_for_good(&w, len);
    world_free(&w);
}

/* a.log is b.log, then a.log again, and c.log at last: the same log has left it twice. */
static void test_left_twice_by_one(void **state)
{
    (void)state;
    struct world w;
    size_t len = begin_with_two(&w);
    world_rename(&w, "web/a.log", "web/b.log");
    write_more(&w, &len, "web/a.log", "n1\n");
    world_run(&w, 600);
    write_more(&w, &len, "web/b.log", "a4\n");
    world_run(&w, 1300);
    world_rename(&w, "web/b.log", "web/a.log");
    world_run(&w, 600);
    write_more(&w, &len, "web/a.log", "a5\n");
    world_run(&w, 1300);
    world_rename(&w, "web/a.log", "web/c.log");
    write_more(&w, &len, "web/a.log", "m1\n");
    world_run(&w, 600);
    write_more(&w, &len, "web/c.log", "a6\n");
    expect_for_good(&w, len);
    world_free(&w);
}

/* The same under names that no pattern matches: nothing but what the logs remember tells. Another log has it
 * next, whichever of them was met first, or the same one again. */
static void test_left_unseen(void **state)
{
    (void)state;
    const char *const names[][2] = {
        {"web/a.log", "web/b.log"}, {"web/b.log", "web/a.log"}, {"web/a.log", "web/a.log"}};
    for (int i = 0; i < 3; i++) {
        const char *one = names[i][0], *two = names[i][1];
        struct world w;
        size_t len = begin_with_two(&w);
        world_rename(&w, one, "web/old");
        write_more(&w, &len, one, "n1\n");
        world_run(&w, 1300);
        world_rename(&w, "web/old", two);
        world_run(&w, 600);
        write_more(&w, &len, two, "a4\na5\n");
        world_run(&w, 1300);
        world_rename(&w, two, "web/old");
        write_more(&w, &len, two, "m1\n");
        world_run(&w, 1300);
        world_rename(&w, "web/old", "web/c.log");
        expect_for_good(&w, len);
        world_free(&w);
    }
}

/* The end that a.log has left in the file is stale: b.log has gone on in it, and lost it to another name. */
static void test_stale_end(void **state)
{
    (void)state;
    const char *const names[] = {"web/aa.log", "web/c.log"}; /* met before b.log, and after it */
    for (int i = 0; i < 2; i++) {
        struct world w;
        size_t len = begin_with_two(&w);
        world_rename(&w, "web/a.log", "web/b.log");
        write_more(&w, &len, "web/a.log", "n1\n");
        world_run(&w, 1300);
        write_more(&w, &len, "web/b.log", "a4\na5\n");
        world_run(&w, 1300);
        world_save(&w);
        world_kill(&w);
        world_rename(&w, "web/b.log", names[i]);
        world_write(&w, "web/b.log", "m1\n");
        world_start(&w);
        await_more(&w, &len, "m1\n");
        expect_for_good(&w, len);
        world_free(&w);
    }
}

/* Two logs change names while it is stopped. At once after the start, before the next look, one of them is
 * renamed. */
static void test_renamed_after_swap(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct world w;
        size_t len = begin_with_two(&w);
        write_more(&w, &len, "web/c.log", "c1\nc2\n");
        world_save(&w);
        world_kill(&w);
        swap(&w, "web/a.log", "web/b.log");
        world_start(&w);
        world_run(&w, 300);
        if (again) {
            swap(&w, "web/a.log", "web/c.log");
        } else {
            world_rename(&w, "web/a.log", "web/d.log");
        }
        write_more(&w, &len, "web/a.log", "n1\n");
        expect_for_good(&w, len);
        world_free(&w);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left_twice),         cmocka_unit_test(test_left_twice_by_one),
        cmocka_unit_test(test_left_unseen),        cmocka_unit_test(test_stale_end),
        cmocka_unit_test(test_renamed_after_swap),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]); /* such as "test_stale*" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
