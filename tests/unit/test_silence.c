/* When a stream that brings nothing is to be checked. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "source/docker_api/silence.h"

/* Ticks until a check is due. */
static unsigned ticks(struct silence *s, unsigned at_most)
{
    unsigned n = 1;
    while (!silence_tick(s, at_most)) {
        n++;
    }
    return n;
}

static void test_checks_become_rare(void **state)
{
    (void)state;
    struct silence s;
    silence_init(&s, 5);
    silence_opened(&s);
    assert_int_equal(ticks(&s, UINT_MAX), SILENCE_CHECK_OPENED); /* the Engine may still read its files */
    silence_broken(&s, 5);
    assert_false(silence_tick(&s, UINT_MAX));
    for (unsigned want = 5; want < SILENCE_CHECK_AFTER_MAX; want *= 2) {
        assert_int_equal(ticks(&s, UINT_MAX), want);
        silence_checked(&s);
    }
    assert_int_equal(ticks(&s, UINT_MAX), SILENCE_CHECK_AFTER_MAX);
    assert_int_equal(ticks(&s, 3), 3);
}

/* An entry in each second, whatever becomes of it: the stream is not silent. */
static void test_what_is_read_through_is_not_silent(void **state)
{
    (void)state;
    struct silence s;
    silence_init(&s, 1);
    silence_opened(&s);
    for (int i = 0; i < 100; i++) {
        silence_broken(&s, 1);
        assert_true(s.heard);
        assert_false(silence_tick(&s, 1));
    }
    assert_int_equal(ticks(&s, UINT_MAX), 1);
}

/* Streams that hang before their first entry get more time each, until one of them brings an entry. */
static void test_patience_grows(void **state)
{
    (void)state;
    struct silence s;
    silence_init(&s, 1);
    for (unsigned want = SILENCE_CHECK_OPENED; want < 200; want *= 2) {
        silence_opened(&s);
        assert_int_equal(ticks(&s, UINT_MAX), want);
        silence_reopening(&s);
    }
    silence_broken(&s, 1);
    silence_opened(&s);
    assert_int_equal(ticks(&s, UINT_MAX), SILENCE_CHECK_OPENED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks_become_rare),
        cmocka_unit_test(test_what_is_read_through_is_not_silent),
        cmocka_unit_test(test_patience_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
