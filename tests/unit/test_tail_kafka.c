/* What `sidetail tail --kafka` is made of: which topics it reads, what a message is, and how long lines wait for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "kafka/topic_name.h"
#include "record/severity.h"
#include "tail/kafka/order.h"
#include "tail/kafka/topics.h"
#include "tail/kafka/value.h"

static void test_globs(void **state)
{
    (void)state;
    char glob[KAFKA_GLOB_MAX];
    kafka_topic_glob("logs.{service}.{host}", NULL, glob);
    assert_string_equal(glob, "logs.*.*");
    kafka_topic_glob("logs.{service}.{host}", "we[bx]*", glob);
    assert_string_equal(glob, "logs.we[bx]*.*");
    kafka_topic_glob("{service}", "a b", glob);
    assert_string_equal(glob, "a-b");
    kafka_topic_glob("all", "web", glob);
    assert_string_equal(glob, "all");
    char template[2000];
    memset(template, 'x', sizeof(template) - 1);
    template[sizeof(template) - 1] = '\0';
    kafka_topic_glob(template, NULL, glob);
    assert_int_equal(strlen(glob), KAFKA_GLOB_MAX - 1);
    kafka_topic_glob("torn{serv", NULL, glob);
    assert_string_equal(glob, "torn*");
}

/* -- topics ------------------------------------------------------------------------------------ */

static const char *const topics[] = {"logs.web",           "logs.api", "other", "__consumer_offsets",
                                     "sidetail-positions", "overflow", "dead",  "audit.web"};

/* The first letters of those that are wanted. */
static const char *wanted(const struct config *cfg, const char *const *names, size_t count)
{
    static char found[32];
    bool is_wanted[8];
    const char *items[4];
    for (size_t i = 0; i < count; i++) {
        items[i] = names[i];
    }
    struct tail_options o = {.names = {items, count}};
    topics_choose(cfg, &o, topics, 8, is_wanted);
    size_t len = 0;
    for (int i = 0; i < 8; i++) {
        if (is_wanted[i]) {
            found[len++] = (char)('0' + i);
        }
    }
    found[len] = '\0';
    return found;
}

static void test_topics(void **state)
{
    (void)state;
    struct override audit = {.topic = "audit.{service}"};
    struct config cfg = {.kafka_topic = "logs.{service}",
                         .kafka_positions_topic = "sidetail-positions",
                         .kafka_overflow_topic = "overflow",
                         .kafka_dead_letter_topic = "dead"};
    assert_string_equal(wanted(&cfg, NULL, 0), "015");
    cfg.kafka_oversize = KAFKA_DEAD_LETTER;
    cfg.overrides = &audit;
    cfg.override_count = 1;
    assert_string_equal(wanted(&cfg, NULL, 0), "01567");
    assert_string_equal(wanted(&cfg, (const char *[]){"web"}, 1), "0567");
    assert_string_equal(wanted(&cfg, (const char *[]){"*i", "web"}, 2), "01567");
    assert_string_equal(wanted(&cfg, (const char *[]){"web", "web_1"}, 2), "01567"); /* a container's name */
    cfg.kafka_topic = "{service}"; /* fits all, but those are no logs */
    assert_string_equal(wanted(&cfg, NULL, 0), "012567");
    cfg.kafka_topic = "other";
    assert_string_equal(wanted(&cfg, (const char *[]){"web"}, 1), "2567");
}

/* -- messages ---------------------------------------------------------------------------------- */

static bool parse(const char *text, struct value *v)
{
    return value_parse(slice_str(text), v);
}

static void test_values(void **state)
{
    (void)state;
    struct value v;
    assert_true(parse(
        "{\"time\":\"2026-11-24T05:00:39.668Z\",\"service\":\"web\",\"stream\":\"stderr\",\"level\":\"warn\","
        "\"log\":\"a \\\"b\\\"\",\"host\":\"node-1\",\"labels\":{\"a\":\"}\"},\"partial\":true,"
        "\"message\":{\"service\":\"inner\"}}",
        &v));
    assert_true(slice_eq(v.text, SLICE("a \\\"b\\\"")));
    assert_true(slice_eq(v.tags[VALUE_SERVICE], SLICE("web")));
    assert_true(slice_eq(v.tags[VALUE_HOST], SLICE("node-1")));
    assert_true(slice_eq(v.tags[VALUE_LABELS], SLICE("{\"a\":\"}\"}")));
    assert_null(v.tags[VALUE_NODE].ptr);
    assert_int_equal(v.stream, STREAM_STDERR);
    assert_int_equal(v.level, SEVERITY_WARN);
    assert_true(v.partial);
    const char *const others[] = {
        "",
        "{}",
        "text",
        "{\"log\":\"x\"}",
        "[{\"time\":\"2026-11-24T05:00:39Z\"}]",
        "{\"time\":\"2026-11-24T05:00:39Z\",\"service\":\"a\",\"stream\":\"stdin\",\"log\":\"x\"}",
        "{\"time\":\"yesterday\",\"service\":\"a\",\"stream\":\"stdout\",\"log\":\"x\"}",
        "{\"time\":1,\"service\":\"a\",\"stream\":\"stdout\",\"log\":\"x\"}",
        "{\"time\":\"2026-11-24T05:00:39Z\",\"service\":1,\"stream\":\"stdout\",\"log\":\"x\"}",
        "{\"time\":\"2026-11-24T05:00:39Z\",\"service\":\"a\",\"stream\":\"stdout\",\"log\":{}}",
        "{\"time\":\"2026-11-24T05:00:39Z\",\"service\":\"a\",\"stream\":\"stdout\",\"log\":\"x\"",
        "{\"time\":\"2026-11-24T05:00:39Z\",\"service\":\"a\xff\",\"stream\":\"stdout\",\"log\":\"x\"}",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(parse(others[i], &v));
    }
}

/* Whatever bytes are damaged, nothing beyond the message is read (sanitizers tell), and what is found lies within it. */
static void test_damaged_values(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"time\":\"2026-11-24T05:00:39Z\",\"service\":\"web\",\"stream\":\"stdout\",\"log\":\"\\u00e9 "
        "x\",\"labels\":{\"a\":[1,\"b\"]},\"partial\":false}";
    srand(1);
    for (int round = 0; round < 20000; round++) {
        size_t len = round % 2 ? sizeof(whole) - 1 : (size_t)rand() % sizeof(whole);
        char *text = malloc(len + 1);
        memcpy(text, whole, len);
        for (int i = rand() % 3; i >= 0 && len > 0; i--) {
            text[(size_t)rand() % len] = (char)rand();
        }
        char *exact = malloc(len ? len : 1); /* with nothing behind it */
        memcpy(exact, text, len);
        struct value v;
        if (value_parse(slice_of(exact, len), &v)) {
            assert_true(v.text.ptr >= exact && v.text.ptr + v.text.len <= exact + len);
        }
        free(exact);
        free(text);
    }
}

/* -- order ------------------------------------------------------------------------------------- */

#define MS(n) ((n)*NS_PER_MS)

static void test_waits_as_long_as_lines_are_late(void **state)
{
    (void)state;
    struct order o = {.least_ns = MS(500)};
    struct order_seen seen = {0};
    int64_t now = MS(1000000);
    assert_int_equal(order_until(&o, now, &seen), now - ORDER_WAIT_FIRST);
    for (int i = 0; i < 300; i++) { /* 15 s of lines that are 200 ms late */
        now += MS(50);
        order_see(&seen, now - MS(200), now);
        order_until(&o, now, &seen);
    }
    assert_int_equal(o.wait_ns, MS(500));
    order_see(&seen, now - MS(800), now); /* one that is later: learned at once */
    order_until(&o, now, &seen);
    assert_int_equal(o.wait_ns, MS(1200));
    order_see(&seen, now - MS(3600000), now); /* of a collector that was away */
    order_until(&o, now, &seen);
    assert_int_equal(o.wait_ns, MS(1200));
    for (int i = 0; i < 300; i++) { /* nothing comes: nothing is learned */
        now += MS(50);
        order_until(&o, now, &seen);
    }
    assert_int_equal(o.wait_ns, MS(1200));
}

static void test_a_clock_that_is_ahead_holds_nothing_up(void **state)
{
    (void)state;
    struct order o = {.least_ns = MS(500), .wait_ns = MS(500)};
    struct order_seen seen = {0};
    int64_t now = MS(1000000), ahead = now + MS(3600000);
    order_until(&o, now, &seen);
    order_see(&seen, ahead, now);
    assert_true(order_until(&o, now, &seen) < ahead);
    int waited = 0;
    while (order_until(&o, now, &seen) < ahead && waited < 5000) {
        now += MS(50);
        waited += 50;
    }
    assert_true(waited >= 500 && waited <= 1100);
    now += MS(2000); /* and turns nothing round for ever */
    for (int i = 0; i < 60; i++) {
        now += MS(50);
        order_until(&o, now, &seen);
    }
    assert_int_equal(order_until(&o, now, &seen), now - MS(500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_damaged_values),
        cmocka_unit_test(test_waits_as_long_as_lines_are_late),
        cmocka_unit_test(test_a_clock_that_is_ahead_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
