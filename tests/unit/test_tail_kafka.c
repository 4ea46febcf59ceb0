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

#include "base/buf.h"
#include "encode/pretty/pretty.h"
#include "kafka/advice.h"
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
    assert_true(
        parse("{\"time\":\"2026-11-24T05:00:39Z\",\"service\":\"a\",\"stream\":\"stdout\",\"log\":\"\","
              "\"labels\":\"{}\",\"host\":1}",
              &v));
    assert_null(v.tags[VALUE_LABELS].ptr);
    assert_null(v.tags[VALUE_HOST].ptr);
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

/* A producer may give any time, or none. */
static void test_times_of_messages(void **state)
{
    (void)state;
    assert_int_equal(value_time(1500, 7), 1500 * NS_PER_MS);
    assert_int_equal(value_time(0, 7), 0);
    assert_int_equal(value_time(-1, 7), 7);
    assert_int_equal(value_time(-9000000000000000000, 7), 7);
    assert_int_equal(value_time(9000000000000000000, 7), 7);
}

/* A service without a name is none: the topic is it (writers.h), and the name that is shown is never blank. */
static void test_a_service_without_a_name(void **state)
{
    (void)state;
    struct value v;
    assert_true(parse(
        "{\"time\":\"2026-11-24T05:00:39Z\",\"service\":\"\",\"stream\":\"stdout\",\"log\":\"x\"}", &v));
    assert_int_equal(v.tags[VALUE_SERVICE].len, 0);
    struct slice name = pretty_name(&(struct tags){.service = ""});
    assert_int_equal(name.len, 0);
    name = pretty_name(&(struct tags){.service = "", .container = "job_1"});
    assert_true(slice_eq(name, SLICE("job_1")));
}

static void check_name(const char *container, const char *host, const char *want)
{
    struct pretty p = {.hosts = true};
    struct buf out = {0};
    struct tags tags = {.service = container, .container = container, .host = host};
    assert_int_equal(pretty_put(&p, &tags, &(struct record){.text = SLICE("text")}, &out), 0);
    assert_true(out.len >= strlen(want) && memcmp(out.data, want, strlen(want)) == 0);
    assert_true(out.len < 400);
    buf_free(&out);
    pretty_free(&p);
}

static void test_names_that_are_shown(void **state)
{
    (void)state;
    char *name = calloc(1, 100001);
    check_name("web_1", "node-1.example", "web_1@node-1  | text");
    check_name("web_1", "", "web_1  | text");
    memset(name, 'x', 100000);
    check_name(name, name, "xxxxxxxx");
    for (int i = 0; i < 50000; i++) {
        memcpy(name + 2 * i, "é", 2);
    }
    name[0] = 'x';
    name[1] = 'x';
    name[2] = 'x';
    memmove(name + 3, name + 4, 99997);
    check_name(name, "n", "xxx");
    free(name);
}

static void test_advice(void **state)
{
    (void)state;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const struct {
        const char *said, *want;
    } cases[] = {
        {"ssl://a:1/bootstrap: SSL handshake failed: error:0A000126:SSL routines::unexpected eof while "
         "reading",
         "not to want TLS"},
        {"ssl://a:1/bootstrap: SSL handshake failed: error:0A00010B:SSL routines::wrong version number",
         "not to want TLS"},
        {"ssl://a:1/bootstrap: SSL handshake failed: certificate verify failed", "kafka.tls_ca"},
        {"sasl_ssl://a:1/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL "
         "mechanism",
         "kafka.sasl_mechanism"},
        {"Local: Required feature not supported by broker", "controller"},
        {"a:1/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused", "brokers are up"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!strstr(kafka_advice(conf, cases[i].said), cases[i].want)) {
            fail_msg("%s: %s", cases[i].said, kafka_advice(conf, cases[i].said));
        }
    }
    rd_kafka_conf_destroy(conf);
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
        cmocka_unit_test(test_times_of_messages),
        cmocka_unit_test(test_a_service_without_a_name),
        cmocka_unit_test(test_names_that_are_shown),
        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_waits_as_long_as_lines_are_late),
        cmocka_unit_test(test_a_clock_that_is_ahead_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
