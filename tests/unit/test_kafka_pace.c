/* When transactions are committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "sink/kafka/pace.h"

#define MS NS_PER_MS

static void expect_due(int64_t written_ms, int64_t committed_ms, size_t bytes, int64_t due_ms)
{
    struct kafka_pace pace = {.age = 200 * MS,
                              .pause = 1000 * MS,
                              .written_ns = written_ms * MS,
                              .committed_ns = committed_ms * MS};
    assert_int_equal(kafka_pace_due(&pace, bytes), due_ms * MS);
}

static void test_first(void **state)
{
    (void)state;
    expect_due(5000, 0, 100, 5200);
}

static void test_little_waits_for_the_pause(void **state)
{
    (void)state;
    expect_due(5000, 4900, 100, 5900);
    expect_due(5000, 4900, KAFKA_LITTLE - 1, 5900);
}

static void test_much_does_not(void **state)
{
    (void)state;
    expect_due(5000, 4900, KAFKA_LITTLE, 5200);
}

static void test_after_a_pause(void **state)
{
    (void)state;
    expect_due(5000, 4200, 100, 5200);
    expect_due(5000, 4201, 100, 5201);
    expect_due(5000, 1000, 100, 5200);
}

static void test_no_pause_or_a_short_one(void **state)
{
    (void)state;
    struct kafka_pace pace = {.age = 200 * MS, .written_ns = 5000 * MS, .committed_ns = 4999 * MS};
    assert_int_equal(kafka_pace_due(&pace, 1), 5200 * MS);
    assert_int_equal(kafka_pace_longest(&pace), 200 * MS);
    pace.pause = 50 * MS;
    assert_int_equal(kafka_pace_due(&pace, 1), 5200 * MS);
    pace.pause = 1000 * MS;
    assert_int_equal(kafka_pace_longest(&pace), 1000 * MS);
}

/* Lines of one reading may be in two transactions: the second is not as old as the first. */
static void test_what_was_read_before_the_last_commit(void **state)
{
    (void)state;
    struct kafka_pace pace = {.age = 200 * MS, .pause = 1000 * MS, .committed_ns = 5000 * MS};
    kafka_pace_begin(&pace, 4700 * MS);
    assert_int_equal(kafka_pace_due(&pace, KAFKA_LITTLE), 5200 * MS);
    kafka_pace_begin(&pace, 5100 * MS);
    assert_int_equal(kafka_pace_due(&pace, KAFKA_LITTLE), 5300 * MS);
}

/* Nothing is asked of the brokers that they would turn away. */
static void test_the_brokers_mark_what_was_committed(void **state)
{
    (void)state;
    struct kafka_pace pace = {.age = 200 * MS};
    assert_int_equal(kafka_pace_marking(&pace), 0);
    int64_t later_ns = 3600 * NS_PER_S; /* more than a busy machine stops for */
    pace.committed_ns = clock_monotonic() + later_ns;
    assert_in_range(kafka_pace_marking(&pace), 1, later_ns + KAFKA_MARKING_NS);
    pace.committed_ns = clock_monotonic() - KAFKA_MARKING_NS;
    assert_true(kafka_pace_marking(&pace) <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_little_waits_for_the_pause),
        cmocka_unit_test(test_much_does_not),
        cmocka_unit_test(test_after_a_pause),
        cmocka_unit_test(test_no_pause_or_a_short_one),
        cmocka_unit_test(test_what_was_read_before_the_last_commit),
        cmocka_unit_test(test_the_brokers_mark_what_was_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
