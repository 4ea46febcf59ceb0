/* The lists of what is followed and left out, walked while they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/status.h"

#define COUNT 6

struct log {
    struct status_entry entry;
    const char *service;
    bool hidden;
};

static bool describe(void *owner, struct status_log *log)
{
    const struct log *l = owner;
    log->service = l->service;
    return !l->hidden;
}

static struct log logs[COUNT];

static int enter_all(void **state)
{
    (void)state;
    static const char *const names[COUNT] = {"a", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < COUNT; i++) {
        logs[i] = (struct log){.entry = {.describe = describe, .owner = &logs[i]}, .service = names[i]};
        status_enter(&logs[i].entry);
    }
    return 0;
}

static int leave_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        status_leave(&logs[i].entry);
    }
    return 0;
}

static void expect_next(struct status_walk *walk, const char *service)
{
    struct status_log log;
    bool found = status_next_log(walk, &log);
    assert_int_equal(found, service != NULL);
    if (service) {
        assert_string_equal(log.service, service);
    }
}

static void test_walks_in_order(void **state)
{
    (void)state;
    struct status_walk one, other;
    logs[3].hidden = true;
    status_walk_logs(&one);
    expect_next(&one, "a");
    expect_next(&one, "b");
    status_walk_logs(&other); /* two at once pass over each other */
    expect_next(&other, "a");
    expect_next(&one, "c");
    expect_next(&other, "b");
    expect_next(&other, "c");
    expect_next(&other, "e");
    expect_next(&one, "e");
    expect_next(&one, "f");
    expect_next(&one, NULL);
    expect_next(&one, NULL);
    status_walk_end(&one);
    status_walk_end(&other);
}

/* What was there all the time is told once, whatever comes and goes around it, where the walk stands, too. */
static void test_changes_meanwhile(void **state)
{
    (void)state;
    struct status_walk walk;
    status_walk_logs(&walk);
    expect_next(&walk, "a");
    expect_next(&walk, "b");
    status_leave(&logs[1].entry);
    status_leave(&logs[2].entry);
    expect_next(&walk, "d");
    status_leave(&logs[0].entry);
    status_leave(&logs[3].entry);
    status_enter(&logs[1].entry);
    expect_next(&walk, "e");
    expect_next(&walk, "f");
    expect_next(&walk, "b");
    expect_next(&walk, NULL);
    status_walk_end(&walk);
    status_enter(&logs[0].entry);
    status_enter(&logs[2].entry);
    status_enter(&logs[3].entry);
}

static const struct status_left *only_one(void)
{
    struct status_walk walk;
    status_walk_left(&walk);
    const struct status_left *left = status_next_left(&walk);
    assert_true(left == NULL || status_next_left(&walk) == NULL);
    status_walk_end(&walk);
    return left;
}

static void test_notes(void **state)
{
    (void)state;
    struct status_note *note = NULL;
    char detail[16] = "exclude: x*";
    assert_null(only_one());
    status_note(&note, &(struct status_left){.service = "x1", .reason = "excluded", .detail = detail});
    memset(detail, '?', sizeof(detail) - 1); /* it was copied */
    const struct status_left *left = only_one();
    assert_string_equal(left->service, "x1");
    assert_string_equal(left->detail, "exclude: x*");
    assert_null(left->container);
    assert_false(left->problem);

    struct status_note *before = note;
    status_note(&note, &(struct status_left){.service = "x1", .reason = "excluded", .detail = "exclude: x*"});
    assert_ptr_equal(note, before); /* nothing new */
    left = only_one();
    status_note(&note, &(struct status_left){.service = left->service, .reason = "link", .problem = true});
    left = only_one();
    assert_string_equal(left->service, "x1");
    assert_string_equal(left->reason, "link");
    assert_null(left->detail);
    assert_true(left->problem);
    status_note(&note, NULL);
    assert_null(note);
    assert_null(only_one());
    status_note(&note, NULL);
}

static void test_parts(void **state)
{
    (void)state;
    struct status_part part = {.name = "kafka", .open = true};
    status_fails(&part, "%s is %s", "the broker", "away");
    assert_true(part.failing);
    assert_string_equal(part.last.text, "the broker is away");
    assert_true(part.error_ns > 0);
    status_works(&part);
    assert_false(part.failing);
    assert_string_equal(part.last.text, "the broker is away"); /* the last error stays known */
}

static void test_rate(void **state)
{
    (void)state;
    struct status_rate rate = {.since_ns = clock_monotonic() - 10 * NS_PER_S};
    double first = status_rate(&rate, 1000);
    assert_true(first > 90 && first <= 100);
    assert_true(status_rate(&rate, 100000) == first); /* within a second */
    rate.since_ns -= 2 * NS_PER_S;
    double second = status_rate(&rate, 1400);
    assert_true(second > 100 && second <= 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_walks_in_order, enter_all, leave_all),
        cmocka_unit_test_setup_teardown(test_changes_meanwhile, enter_all, leave_all),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
