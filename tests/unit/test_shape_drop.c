/* Lines left out: drop, keep, and the rate limit. */
#include "record/severity.h"
#include "shape_fixture.h"

static void test_drop(void **state)
{
    (void)state;
    add(&cfg->drop, "^GET /health");
    add(&cfg->drop, "(?i)debug");
    begin();
    assert_int_equal(put("GET /health 200"), PUT_DONE);
    assert_int_equal(put("a Debug line"), PUT_DONE);
    assert_int_equal(put_escaped("\\u0064ebug"), PUT_DONE);
    assert_int_equal(put("GET / 200"), PUT_DONE);
    assert_int_equal(nseen, 1);
    assert_string_equal(last(), "GET / 200");
    assert_int_equal(metrics.dropped_rule, 3);
}

static void test_keep(void **state)
{
    (void)state;
    add(&cfg->keep, "ERROR");
    add(&cfg->keep, "WARN");
    add(&cfg->drop, "noise");
    set(&cfg->multiline_rule, "python");
    begin();
    put("INFO x");
    put("ERROR x");
    put("WARN noise");
    put("Traceback (most recent call last):"); /* whole groups are judged */
    put("  File \"ERROR.py\"");
    put("INFO y");
    assert_int_equal(nseen, 2);
    assert_string_equal(seen[1].text, "Traceback (most recent call last):\n  File \"ERROR.py\"");
    assert_int_equal(metrics.dropped_rule, 3);
}

static void test_pieces_share_their_fate(void **state)
{
    (void)state;
    add(&cfg->drop, "^bad");
    begin();
    put_piece("bad begins", true);
    put_piece("goes on", true);
    put_piece("ends", false);
    put_piece("good begins", true);
    put_piece("bad in the middle", true);
    put_piece("ends", false);
    put("whole");
    assert_int_equal(nseen, 4);
    assert_string_equal(seen[0].text, "good begins");
}

static void put_second(int second, const char *text)
{
    char time[64];
    snprintf(time, sizeof(time), "2026-11-24T12:%02d:%02dZ", second / 60, second % 60);
    put_at(text, STREAM_STDERR, time);
}

static void test_rate(void **state)
{
    (void)state;
    cfg->rate_limit = 10;
    cfg->detect_level = true;
    begin();
    for (int i = 0; i < 100; i++) {
        put_second(0, "x");
    }
    assert_int_equal(nseen, 10);
    assert_int_equal(metrics.dropped_rate, 90);
    put_second(2, "y"); /* two seconds' worth, but no more than the burst */
    for (int i = 0; i < 100; i++) {
        put_second(2, "y");
    }
    assert_int_equal(nseen, 20);
    put_second(5, "z");
    assert_int_equal(nseen, 22);
    assert_string_equal(seen[20].text, "sidetail: 181 lines dropped by rate_limit in 2 s");
    assert_int_equal(seen[20].stream, STREAM_STDERR);
    assert_int_equal(seen[20].level, SEVERITY_WARN);
    assert_string_equal(seen[20].time, "2026-11-24T12:00:02Z");
    put_second(20, "z");
    assert_int_equal(nseen, 23); /* said once */
}

/* What was written slowly passes, however fast it is read. */
static void test_rate_backlog(void **state)
{
    (void)state;
    cfg->rate_limit = 2;
    begin();
    for (int i = 0; i < 3000; i++) {
        put_second(i / 2, "x");
    }
    assert_int_equal(nseen, 3000);
    assert_int_equal(metrics.dropped_rate, 0);
}

/* A container that falls silent has its notice all the same. */
static void test_rate_silence(void **state)
{
    (void)state;
    cfg->rate_limit = 1;
    cfg->rate_burst = 2;
    begin();
    put("a"), put("b"), put("c");
    assert_int_equal(nseen, 2);
    int64_t due = shape_due(st);
    assert_true(due > clock_monotonic() + 4 * NS_PER_S && due < clock_monotonic() + 6 * NS_PER_S);
    shape_tick(st, due, out);
    assert_int_equal(nseen, 3);
    assert_string_equal(last(), "sidetail: 1 line dropped by rate_limit in 1 s");
    assert_true(shape_due(st) == INT64_MAX);
}

static void test_rate_counts_lines_of_groups(void **state)
{
    (void)state;
    cfg->rate_limit = 10;
    set(&cfg->multiline_rule, "python");
    begin();
    put("Traceback (most recent call last):");
    for (int i = 0; i < 29; i++) {
        put("  x");
    }
    put("not of it"); /* the group passes, and leaves a debt of 20 lines */
    assert_int_equal(nseen, 1);
    put_second(1, "b");
    assert_int_equal(nseen, 1);
    put_second(3, "c");
    assert_int_equal(nseen, 2);
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {
        TEST(test_drop),
        TEST(test_keep),
        TEST(test_pieces_share_their_fate),
        TEST(test_rate),
        TEST(test_rate_backlog),
        TEST(test_rate_silence),
        TEST(test_rate_counts_lines_of_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
