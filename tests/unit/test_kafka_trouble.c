/* What the log says of Kafka while it lasts: once, and for the right reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "sink/kafka/transaction.h"
#include "sink/kafka/trouble.h"

#define PATIENCE_MS 20

static void run_for(struct event_base *base, int ms)
{
    for (int64_t end = clock_monotonic() + ms * NS_PER_MS; clock_monotonic() < end;) {
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

/* While a broker holds us back for a quota there is no answer, and that is no reason to say that there is none. */
static void throttled_is_not_silent(void **state)
{
    (void)state;
    struct kafka_trouble t;
    struct event_base *base = loop_new();
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    assert_int_equal(kafka_trouble_init(&t, base, PATIENCE_MS * NS_PER_MS), 0);
    kafka_trouble_submitted(&t);
    kafka_trouble_throttled(&t, 2000);
    run_for(base, 5 * PATIENCE_MS);
    assert_true(t.throttled && !t.said);
    run_for(base, 2000 + 3 * PATIENCE_MS); /* but then there should have been one */
    assert_true(t.throttled && t.said);
    kafka_trouble_free(&t);
    event_base_free(base);
}

static void silent_is_told(void **state)
{
    (void)state;
    struct kafka_trouble t;
    struct event_base *base = loop_new();
    assert_int_equal(kafka_trouble_init(&t, base, PATIENCE_MS * NS_PER_MS), 0);
    kafka_trouble_submitted(&t);
    run_for(base, 5 * PATIENCE_MS);
    assert_true(t.said);
    kafka_trouble_free(&t);
    event_base_free(base);
}

static void what_to_do_about_a_right(void **state)
{
    (void)state;
    assert_string_equal(kafka_right_advice("x: Broker: Topic authorization failed"), "; grant Write on it");
    assert_non_null(strstr(kafka_right_advice("x: Broker: Transactional Id authorization failed."),
                           "grant Write and Describe on transactional ids"));
    assert_string_equal(kafka_right_advice("Local: Message timed out"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(throttled_is_not_silent),
        cmocka_unit_test(silent_is_told),
        cmocka_unit_test(what_to_do_about_a_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
