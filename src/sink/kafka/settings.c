#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kafka/conf.h"
#include "sink/kafka.h"

#include "batches.h"

/* What librdkafka allocates for a queued message beside its payload: itself, key and headers. */
#define MESSAGE_OVERHEAD 700

static int set_identity(rd_kafka_conf_t *conf, const char *identity, struct error *err)
{
    char id[512];
    snprintf(id, sizeof(id), "sidetail-%s", identity);
    return kafka_conf_set(conf, "transactional.id", id, err);
}

/* Brokers that make a topic because somebody asks for it make it as they like: the positions topic without
 * compaction. The property is documented for consumers alone, but heeded in producers too. */
static int set_producer(rd_kafka_conf_t *conf, const struct config *cfg, const char *identity,
                        struct error *err)
{
    static const char *const codecs[] = {[KAFKA_LZ4] = "lz4",
                                         [KAFKA_ZSTD] = "zstd",
                                         [KAFKA_SNAPPY] = "snappy",
                                         [KAFKA_GZIP] = "gzip",
                                         [KAFKA_NONE] = "none"};
    bool exactly = cfg->kafka_delivery == KAFKA_EXACTLY_ONCE;
    int64_t timeout_ms = cfg->kafka_transaction_timeout / NS_PER_MS;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    return -(kafka_conf_set(conf, "enable.idempotence", "true", err) < 0 ||
             kafka_conf_set(conf, "acks", "all", err) < 0 ||
             kafka_conf_set(conf, "log.queue", "true", err) < 0 ||
             kafka_conf_set(conf, "allow.auto.create.topics", "false", err) < 0 ||
             kafka_conf_set(conf, "compression.codec", codecs[cfg->kafka_compression], err) < 0 ||
             kafka_conf_set_number(conf, "queue.buffering.max.messages",
                                   cfg->memory_max / 4 / MESSAGE_OVERHEAD, err) < 0 ||
             kafka_conf_set(conf, "queue.buffering.max.kbytes", "2097151", err) < 0 ||
             kafka_conf_set_number(conf, "message.timeout.ms", exactly ? timeout_ms : 0, err) < 0 ||
             kafka_conf_set_number(conf, "request.timeout.ms", kafka_request_timeout_ms(cfg), err) < 0 ||
             (exactly && kafka_conf_set_number(conf, "transaction.timeout.ms", timeout_ms, err) < 0) ||
             (exactly && set_identity(conf, identity, err) < 0));
}

/* Reads positions back: with little memory, and nothing but what is committed. When so much is fetched ahead as may be,
 * librdkafka looks a second later whether some of it was taken, and only from 2.2 on it can be told to look sooner: so that is more
 * than comes at once and is not taken at once. With 2 MiB, a start among 5,000 collectors took eleven seconds. */
static int set_reader(rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "10", NULL, 0);
    return -(kafka_conf_set(conf, "isolation.level", "read_committed", err) < 0 ||
             kafka_conf_set(conf, "enable.partition.eof", "true", err) < 0 ||
             kafka_conf_set(conf, "queued.max.messages.kbytes", "16384", err) < 0 ||
             kafka_conf_set(conf, "fetch.message.max.bytes", "262144", err) < 0 ||
             kafka_conf_set(conf, "fetch.wait.max.ms", "50", err) < 0);
}

/* On the thread that hears the producer. A broker that throttles tells so with its answer, and leaves the connection
 * unread for as long. */
static void on_throttle(rd_kafka_t *rk, const char *broker, int32_t id, int ms, void *opaque)
{
    (void)rk, (void)broker, (void)id;
    struct kafka_settings *s = opaque;
    if (ms > s->throttled_ms) {
        s->throttled_ms = ms;
    }
}

static size_t number_of(const rd_kafka_conf_t *conf, const char *name)
{
    char text[64] = "";
    size_t size = sizeof(text);
    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? strtoul(text, NULL, 10) : 0;
}

static int make_confs(struct kafka_settings *s, const struct config *cfg, struct error *err)
{
    s->producer = rd_kafka_conf_new();
    s->reader = rd_kafka_conf_new();
    if (kafka_conf_client(s->producer, cfg, err) < 0 ||
        set_producer(s->producer, cfg, s->identity, err) < 0 || kafka_conf_pass(s->producer, cfg, err) < 0 ||
        kafka_conf_client(s->reader, cfg, err) < 0 || kafka_conf_pass(s->reader, cfg, err) < 0 ||
        set_reader(s->reader, err) < 0) {
        return -1;
    }
    rd_kafka_conf_set_opaque(s->producer, s);
    rd_kafka_conf_set_throttle_cb(s->producer, on_throttle);
    rd_kafka_conf_set_log_cb(s->reader, NULL); /* its errors come with what it reads */
    s->message_max = number_of(s->producer, "message.max.bytes");
    s->batch_max = number_of(s->producer, "batch.size");
    return 0;
}

static char *copy(const char *text, bool *failed)
{
    char *made = strdup(text);
    *failed = *failed || !made;
    return made;
}

struct kafka_settings *kafka_settings_new(const struct config *cfg, struct error *err)
{
    struct kafka_settings *s = calloc(1, sizeof(*s));
    if (!s) {
        error_set(err, "out of memory");
        return NULL;
    }
    bool failed = false;
    s->delivery = cfg->kafka_delivery;
    s->key = cfg->kafka_key;
    s->headers = cfg->kafka_headers;
    s->oversize = cfg->kafka_oversize;
    s->commit_age = cfg->kafka_commit_age;
    int64_t most = cfg->kafka_transaction_timeout / 2; /* behind that, brokers would abort it first */
    s->commit_pause = cfg->kafka_commit_pause < most ? cfg->kafka_commit_pause : most;
    s->retention = cfg->checkpoint_retention;
    int64_t held = kafka_batches_most(cfg) * cfg->batch_bytes;
    s->commit_bytes = (size_t)(cfg->kafka_commit_bytes < held ? cfg->kafka_commit_bytes : held);
    s->timeout_ms = (int)(cfg->kafka_transaction_timeout / NS_PER_MS);
    s->partitions = (int)cfg->kafka_partitions;
    s->replication = (int)cfg->kafka_replication;
    s->brokers = copy(cfg->kafka_brokers, &failed);
    s->topic = copy(cfg->kafka_topic, &failed);
    s->positions_topic = copy(cfg->kafka_positions_topic, &failed);
    s->dead_letter_topic = copy(cfg->kafka_dead_letter_topic, &failed);
    s->overflow_topic = copy(cfg->kafka_overflow_topic, &failed);
    s->topics_max = (unsigned)cfg->kafka_topics_max;
    if (failed) {
        error_set(err, "out of memory");
    } else if ((s->delivery == KAFKA_AT_LEAST_ONCE || (s->identity = kafka_identity(cfg, err))) &&
               make_confs(s, cfg, err) == 0) {
        return s;
    }
    kafka_settings_free(s);
    return NULL;
}

void kafka_settings_free(struct kafka_settings *s)
{
    if (!s) {
        return;
    }
    if (s->producer) {
        rd_kafka_conf_destroy(s->producer);
    }
    if (s->reader) {
        rd_kafka_conf_destroy(s->reader);
    }
    free(s->brokers);
    free(s->topic);
    free(s->positions_topic);
    free(s->dead_letter_topic);
    free(s->overflow_topic);
    free(s->identity);
    free(s);
}

/* identity: whose producer, where it is not our own. */
static rd_kafka_t *make_producer(const struct kafka_settings *s, const char *identity, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(s->producer);
    if (kafka_conf_set_number(conf, "batch.size", (int64_t)s->batch_max, err) < 0 ||
        (identity && set_identity(conf, identity, err) < 0)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_t *rk = kafka_conf_make(conf, RD_KAFKA_PRODUCER, err);
    if (rk) {
        rd_kafka_set_log_queue(rk, NULL);
    }
    return rk;
}

rd_kafka_t *kafka_client(const struct kafka_settings *s, rd_kafka_type_t type, struct error *err)
{
    return type == RD_KAFKA_PRODUCER ? make_producer(s, NULL, err)
                                     : kafka_conf_make(rd_kafka_conf_dup(s->reader), type, err);
}

rd_kafka_t *kafka_uncommitted_reader(const struct kafka_settings *s, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(s->reader);
    if (kafka_conf_set(conf, "isolation.level", "read_uncommitted", err) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return kafka_conf_make(conf, RD_KAFKA_CONSUMER, err);
}

rd_kafka_t *kafka_producer_of(const struct kafka_settings *s, const char *identity, struct error *err)
{
    return make_producer(s, identity, err);
}

int kafka_settings_check(const struct config *cfg, struct error *err)
{
    struct kafka_settings *s = kafka_settings_new(cfg, err);
    rd_kafka_t *rk = s ? kafka_client(s, RD_KAFKA_PRODUCER, err) : NULL;
    int result = rk ? 0 : -1;
    if (rk) {
        rd_kafka_destroy(rk);
    }
    kafka_settings_free(s);
    return result;
}
