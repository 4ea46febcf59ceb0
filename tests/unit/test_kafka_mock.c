/* The Kafka sink as a whole, before librdkafka's mock of a cluster: what no real broker does when it is asked
 * to. The mock knows no isolation: what was produced in a transaction can be read at once, as if it were
 * committed. Nor does it answer what is asked about topics: that, and waiting, is what takes
 * the time here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "config/config.h"
#include "sink/kafka/kafka.h"

#define PRODUCE   0 /* their keys in Kafka's protocol */
#define END_TXN   26
#define WAIT_MS   20000 /* for what takes a second or two */
#define LINES     3     /* of a batch */
#define STALE_MAX 256   /* see route.c */

static struct {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    struct config *cfg;
    struct event_base *base;
    struct checkpoint *checkpoint;
    struct sink *sink;
    struct feed_key *key;
    struct tags *tags;
    bool ready;
    int failed;
    uint64_t submitted, acked;
    struct batch *batches[16];
} w;

static void on_ready(void *arg)
{
    (void)arg;
    w.ready = true;
}

static void on_acked(void *arg, struct batch *batch)
{
    (void)arg;
    assert_ptr_equal(batch, w.batches[w.acked]);
    w.acked++;
}

static void on_failed(void *arg, int code, const struct error *err)
{
    (void)arg;
    w.failed = code;
    print_error("%s\n", err->text);
}

static rd_kafka_conf_t *conf_for(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, NULL);
    return conf;
}

static void set(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    metrics = (struct metrics){0};
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    w.owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf_for("127.0.0.1:1"), NULL, 0);
    w.cluster = rd_kafka_mock_cluster_new(w.owner, 1);
    assert_int_equal(rd_kafka_mock_topic_create(w.cluster, "lines", 1, 1), 0);
    assert_int_equal(rd_kafka_mock_topic_create(w.cluster, "positions", 1, 1), 0);
    w.cfg = config_defaults();
    set(&w.cfg->kafka_brokers, rd_kafka_mock_cluster_bootstraps(w.cluster));
    set(&w.cfg->kafka_topic, "lines");
    set(&w.cfg->kafka_positions_topic, "positions");
    set(&w.cfg->kafka_identity, "unit");
    w.key = feed_key_new("web");
    struct identity who = {.id = "909cac8e1261", .name = "web"};
    w.tags = tags_new(&who, w.cfg);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    w.sink->ops->close(w.sink);
    for (uint64_t i = 0; i < w.submitted; i++) {
        w.batches[i]->nmarks = 0; /* its references are not counted */
        batch_free(w.batches[i]);
    }
    feed_key_unref(w.key);
    tags_unref(w.tags);
    checkpoint_free(w.checkpoint);
    event_base_free(w.base);
    config_free(w.cfg);
    rd_kafka_mock_cluster_destroy(w.cluster);
    rd_kafka_destroy(w.owner);
    return 0;
}

static void run_until(const uint64_t *count, uint64_t wanted, const bool *done)
{
    for (int64_t end = clock_monotonic() + WAIT_MS * NS_PER_MS; clock_monotonic() < end && !w.failed;) {
        if (done ? *done : *count >= wanted) {
            return;
        }
        event_base_loop(w.base, EVLOOP_NONBLOCK);
        usleep(500);
    }
    fail_msg("waited in vain");
}

static struct kafka *open_sink(const struct sink_ops *ops)
{
    struct error err = {0};
    w.base = loop_new();
    w.checkpoint = checkpoint_new();
    struct sink_env env = {.base = w.base,
                           .cfg = w.cfg,
                           .checkpoint = w.checkpoint,
                           .events = {on_ready, on_acked, on_failed, NULL}};
    w.sink = ops->open(&env, &err);
    assert_non_null(w.sink);
    run_until(NULL, 0, &w.ready);
    return (struct kafka *)w.sink;
}

static void submit(void)
{
    struct batch *batch = batch_new();
    struct position pos = {.kind = POSITION_API, .at.api.time_ns = (int64_t)w.submitted};
    struct mark *mark = batch_add_mark(batch);
    *mark = (struct mark){.key = w.key, .tags = w.tags, .moved = true, .lines = {LINES, 0}};
    assert_int_equal(compact_set(&mark->pos, &pos), 0);
    for (int i = 0; i < LINES; i++) {
        struct item *item = batch_add_item(batch);
        size_t offset = batch->out.len;
        buf_addf(&batch->out, "line %d\n", (int)w.submitted * LINES + i);
        *item = (struct item){.offset = (uint32_t)offset, .len = (uint32_t)(batch->out.len - offset)};
    }
    batch->lines = LINES;
    batch->seq = w.submitted + 1;
    batch->born_ns = clock_monotonic();
    w.batches[w.submitted++] = batch;
    w.sink->ops->submit(w.sink, batch);
}

/* The lines that were submitted are in the topic, each once, in order. Messages without a value are of
 * transactions that were to be aborted, to end what one before had left: gives back how many. */
static unsigned expect_lines(void)
{
    rd_kafka_t *rk =
        rd_kafka_new(RD_KAFKA_CONSUMER, conf_for(rd_kafka_mock_cluster_bootstraps(w.cluster)), NULL, 0);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, "lines", NULL);
    unsigned count = 0, ended = 0;
    assert_int_equal(rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_BEGINNING), 0);
    for (;;) {
        rd_kafka_message_t *m = rd_kafka_consume(topic, 0, WAIT_MS);
        assert_non_null(m);
        if (m->err) {
            assert_int_equal(m->err, RD_KAFKA_RESP_ERR__PARTITION_EOF);
            rd_kafka_message_destroy(m);
            break;
        }
        if (!m->payload) {
            ended++;
            rd_kafka_message_destroy(m);
            continue;
        }
        char line[32];
        int len = snprintf(line, sizeof(line), "line %u", count++);
        assert_int_equal(m->len, len);
        assert_memory_equal(m->payload, line, m->len);
        rd_kafka_message_destroy(m);
    }
    assert_int_equal(count, w.submitted * LINES);
    rd_kafka_consume_stop(topic, 0);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    return ended;
}

/* A commit is answered by an error that ends the producer, but was done: the next producer finds the
 * transaction's head, and the lines are acknowledged, not produced again. */
static void a_commit_in_doubt_was_done(void **state)
{
    (void)state;
    const struct kafka *k = open_sink(&sink_kafka);
    submit();
    run_until(&w.acked, 1, NULL);
    rd_kafka_mock_push_request_errors(w.cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    submit();
    run_until(&w.acked, 2, NULL);
    assert_int_equal(metrics.commit_errors, 1);
    assert_int_equal(metrics.sink_retries, 0);
    /* It may have been too large. */
    assert_int_equal(k->flow.backoff.commit_bytes, k->settings->commit_bytes / 2);
    submit(); /* and it goes on */
    run_until(&w.acked, 3, NULL);
    assert_int_equal(k->flow.backoff.commit_bytes, k->settings->commit_bytes);
    assert_int_equal(metrics.commit_errors, 1);
    /* The partition of what an earlier process may have left, and of the transaction that failed. */
    assert_int_equal(expect_lines(), 2);
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

/* Before the first line there is a transaction that ends what an earlier process may have left. It fails: no line goes
 * before another one did not. */
static void a_proof_that_fails_is_made_again(void **state)
{
    (void)state;
    const struct kafka *k = open_sink(&sink_kafka);
    const size_t batch_max = k->settings->batch_max;
    rd_kafka_mock_push_request_errors(w.cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    submit();
    run_until(&w.acked, 1, NULL);
    assert_int_equal(metrics.sink_errors, 1);
    assert_int_equal(metrics.sink_retries + metrics.commit_errors, 0); /* no line was under way */
    assert_int_equal(k->settings->batch_max, batch_max);               /* nor was one refused */
    submit();
    run_until(&w.acked, 2, NULL);
    /* One by the next producer, for this process may have left something there now, and one by the second proof. */
    assert_int_equal(expect_lines(), 2);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_commit_in_doubt_was_done, setup), /* its sink goes on in the next one */
        cmocka_unit_test_teardown(a_producer_that_knows_too_much_is_replaced, teardown),
        cmocka_unit_test_setup_teardown(a_proof_that_fails_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(at_least_once_too, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
