/* The Kafka sink as a whole, before librdkafka's mock of a cluster: what no real broker does when it is asked
 * to. The mock knows no isolation: what was produced in a transaction can be read at once, as if it were
 * committed. Nor does it answer what is asked about topics: that, and waiting, is what takes
 * the time here, and why there are several programs. */
#ifndef KAFKA_MOCK_FIXTURE_H
#define KAFKA_MOCK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "config/config.h"
#include "sink/kafka/kafka.h"

#define PRODUCE  0 /* their keys in Kafka's protocol */
#define END_TXN  26
#define WAIT_MS  20000 /* for what takes a second or two */
#define LINES    3     /* of a batch, and of each service in one */
#define SERVICES 50

static struct {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    struct config *cfg;
    struct event_base *base;
    struct checkpoint *checkpoint;
    struct sink *sink;
    struct feed_key *key;
    struct tags *tags, *services[SERVICES];
    bool ready;
    int failed;
    uint64_t submitted, acked;
    struct batch *batches[16];
} w;

static inline void on_ready(void *arg)
{
    (void)arg;
    w.ready = true;
}

static inline void on_acked(void *arg, struct batch *batch)
{
    (void)arg;
    assert_ptr_equal(batch, w.batches[w.acked]);
    w.acked++;
}

static inline void on_failed(void *arg, int code, const struct error *err)
{
    (void)arg;
    w.failed = code;
    print_error("%s\n", err->text);
}

static inline rd_kafka_conf_t *conf_for(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, NULL);
    return conf;
}

static inline void set(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    (void)state;
    w.sink->ops->close(w.sink);
    for (uint64_t i = 0; i < w.submitted; i++) {
        w.batches[i]->nmarks = 0; /* its references are not counted */
        batch_free(w.batches[i]);
    }
    feed_key_unref(w.key);
    tags_unref(w.tags);
    for (unsigned i = 0; i < SERVICES; i++) {
        tags_unref(w.services[i]);
    }
    checkpoint_free(w.checkpoint);
    event_base_free(w.base);
    config_free(w.cfg);
    rd_kafka_mock_cluster_destroy(w.cluster);
    rd_kafka_destroy(w.owner);
    return 0;
}

static inline void run_until(const uint64_t *count, uint64_t wanted, const bool *done)
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

static inline struct kafka *open_sink(const struct sink_ops *ops)
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

/* LINES of each of those tags. */
static inline void submit_of(struct tags *const *tags, unsigned count)
{
    struct batch *batch = batch_new();
    for (unsigned i = 0; i < count; i++) {
        struct position pos = {.kind = POSITION_API, .at.api.time_ns = (int64_t)w.submitted};
        struct mark *mark = batch_add_mark(batch);
        *mark = (struct mark){.key = w.key, .tags = tags[i], .moved = true, .lines = {LINES, 0}};
        assert_int_equal(compact_set(&mark->pos, &pos), 0);
    }
    for (unsigned i = 0; i < count * LINES; i++) {
        struct item *item = batch_add_item(batch);
        size_t offset = batch->out.len;
        buf_addf(&batch->out, "line %d\n", (int)w.submitted * LINES + (int)i);
        *item = (struct item){
            .offset = (uint32_t)offset, .len = (uint32_t)(batch->out.len - offset), .mark = i / LINES};
    }
    batch->lines = count * LINES;
    batch->seq = w.submitted + 1;
    batch->born_ns = clock_monotonic();
    w.batches[w.submitted++] = batch;
    w.sink->ops->submit(w.sink, batch);
}

static inline void submit(void)
{
    submit_of(&w.tags, 1);
}

/* The lines that were submitted are in the topic, each once, in order. Messages without a value are of
 * transactions that were to be aborted, to end what one before had left: gives back how many. */
static inline unsigned expect_lines(void)
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

#endif
