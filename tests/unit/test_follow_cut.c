/* A loss of power cuts off the end of a log that was read; something else is written there before the next start. */
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

#define LOG WORLD_ID "/" WORLD_ID "-json.log"

static void write_entries(struct world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        char entry[160];
        snprintf(entry, sizeof(entry),
                 "{\"log\":\"%04d\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:%02d:%02d.5Z\"}\n", i,
                 i / 60 % 60, i % 60);
        world_write(w, LOG, entry);
    }
}

static void expect_entries(const struct world *w, int from, int to)
{
    struct buf text = {0};
    for (int i = 0; i < to; i++) {
        if (i < 100 || i >= from) {
            buf_addf(&text, "%04d\n", i);
        }
    }
    world_expectf(w, "%.*s", (int)text.len, text.data);
    buf_free(&text);
}

/* 100 entries were read, `kept` of them are on the disk; then come `more`. */
static void cut(int kept, int more)
{
    struct world w;
    struct stat st;
    metrics = (struct metrics){0};
    world_new_json(&w);
    world_container(&w);
    write_entries(&w, 0, 100);
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    assert_int_equal(stat(world_path(&w, LOG), &st), 0);
    assert_int_equal(truncate(world_path(&w, LOG), st.st_size / 100 * kept), 0);
    write_entries(&w, 200, 200 + more);
    world_start(&w);
    world_settle(&w);
    expect_entries(&w, 200, 200 + more);
    assert_int_equal(metrics.cut_logs, 1);
    assert_int_equal(metrics.gaps + metrics.truncations, 0);
    write_entries(&w, 200 + more, 205 + more);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_start(&w);
    world_settle(&w);
    expect_entries(&w, 200, 205 + more);
    assert_int_equal(metrics.cut_logs, 1);
    world_free(&w);
}

static void test_shorter(void **state)
{
    (void)state;
    cut(90, 0);
    cut(50, 10);
}

static void test_as_long(void **state)
{
    (void)state;
    cut(90, 10);
}

static void test_longer(void **state)
{
    (void)state;
    cut(90, 50);
}

/* Lines without times: at its end as it is now, or behind the zeros. It is known by its first KiB. */
static void test_no_times(void **state)
{
    (void)state;
    static char text[1300];
    for (int zeros = 0; zeros < 2; zeros++) {
        struct world w;
        int len = snprintf(text, sizeof(text), "%01200d\n2\n3\n", 1);
        world_new_plain(&w);
        world_write(&w, "web/a.log", text);
        world_start(&w);
        world_settle(&w);
        world_save(&w);
        world_kill(&w);
        assert_int_equal(truncate(world_path(&w, "web/a.log"), len - 4), 0);
        assert_int_equal(truncate(world_path(&w, "web/a.log"), zeros ? len : len - 4), 0);
        world_start(&w);
        world_settle(&w);
        world_expect(&w, text);
        world_write(&w, "web/a.log", "4\n");
        strcat(text, "4\n");
        world_await(&w, text);
        world_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shorter),
        cmocka_unit_test(test_as_long),
        cmocka_unit_test(test_longer),
        cmocka_unit_test(test_no_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
