/* A producer is replaced by another one: for files of TLS that are new, and for what it knows. */
#include "kafka_mock_fixture.h"

#define STALE_MAX 256 /* see route.c */

/* A file of the settings, which are looked at whatever the protocol is. */
static char tls_path[32];

static void renew(void)
{
    FILE *file = fopen(tls_path, "a");
    assert_non_null(file);
    fputs("renewed\n", file);
    fclose(file);
    usleep(1200000); /* it may not be all yet */
}

static int setup_files(void **state)
{
    setup(state);
    strcpy(tls_path, "/tmp/kafka-mock-XXXXXX");
    close(mkstemp(tls_path));
    set(&w.cfg->kafka_tls_ca, tls_path);
    return 0;
}

static int teardown_files(void **state)
{
    unlink(tls_path);
    return teardown(state);
}

static void a_renewed_file_is_taken_up(void **state)
{
    (void)state;
    const struct kafka *k = open_sink(&sink_kafka);
    const uint64_t *number = &k->flow.producer.session.acked; /* of the transaction that was committed last */
    submit();
    run_until(&w.acked, 1, NULL);
    const uint64_t before = *number;
    renew();
    submit();
    run_until(&w.acked, 2, NULL);
    assert_int_equal(*number,
                     before + 3); /* one was given up unused, and one was the head of another producer */
    assert_false(k->flow.renewal.due);
    submit();
    run_until(&w.acked, 3, NULL);
    assert_int_equal(*number, before + 4); /* once */
    assert_int_equal(metrics.commit_errors + metrics.sink_errors + metrics.sink_retries, 0);
    expect_lines();
}

/* librdkafka keeps what it knows of a topic for as long as its producer lives: after many topics that were
 * let go, there is another producer, between transactions or batches. */
static void check_renewal(struct kafka *k)
{
    metrics = (struct metrics){0};
    for (int i = 0; i < STALE_MAX; i++) {
        char name[24];
        snprintf(name, sizeof(name), "gone-%d", i);
        set(&k->settings->topic, name);
        struct tags *tags = tags_new(&(struct identity){.name = name}, w.cfg);
        struct kafka_route *route = kafka_route_find(k->flow.producer.out.routes, tags, w.acked, 1);
        tags_unref(tags);
        route->topics[STREAM_STDOUT]->handle = rd_kafka_topic_new(k->flow.producer.out.rk, name, NULL);
    }
    set(&k->settings->topic, "lines");
    for (int i = 0; i < STALE_MAX; i++) {
        kafka_routes_acked(k->flow.producer.out.routes, w.acked, clock_monotonic() + 3600 * NS_PER_S);
    }
    assert_true(kafka_routes_stale(k->flow.producer.out.routes));
    for (int i = 0; i < 3; i++) {
        submit();
        run_until(&w.acked, w.submitted, NULL);
    }
    assert_false(kafka_routes_stale(k->flow.producer.out.routes));
    assert_int_equal(metrics.commit_errors + metrics.sink_errors + metrics.sink_retries, 0);
    expect_lines();
}

static void a_producer_that_knows_too_much_is_replaced(void **state)
{
    (void)state;
    check_renewal((struct kafka *)w.sink);
}

static void at_least_once_too(void **state)
{
    (void)state;
    w.cfg->kafka_delivery = KAFKA_AT_LEAST_ONCE;
    struct kafka *k = open_sink(&sink_kafka_at_least_once);
    submit();
    run_until(&w.acked, 1, NULL);
    check_renewal(k);
}

/* At least once, nothing else ends the waiting for brokers which the old files do not lead to any more. */
static void a_renewed_file_may_be_why_nothing_goes(void **state)
{
    (void)state;
    const struct kafka *k = (struct kafka *)w.sink;
    rd_kafka_mock_broker_set_down(w.cluster, 1);
    submit();
    run_until(NULL, 0, &k->flow.trouble.said);
    renew();
    run_until(&metrics.sink_errors, 1, NULL);
    rd_kafka_mock_broker_set_up(w.cluster, 1);
    run_until(&w.acked, w.submitted, NULL);
    assert_int_equal(metrics.sink_errors, 1);
    expect_lines();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_renewed_file_is_taken_up, setup_files),
        cmocka_unit_test_teardown(a_producer_that_knows_too_much_is_replaced, teardown_files),
        cmocka_unit_test_setup(at_least_once_too, setup_files),
        cmocka_unit_test_teardown(a_renewed_file_may_be_why_nothing_goes, teardown_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
