/* From the configuration to librdkafka's: which properties are set, and which may be passed through. What is
 * wrong by the configuration alone was refused before (rules.c). */
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "sink/kafka.h"

/* What librdkafka allocates for a queued message beside its payload: itself, key and headers. */
#define MESSAGE_OVERHEAD 700

/* Requests are given up sooner than by librdkafka's default, so that a frozen broker is left soon. */
#define REQUEST_TIMEOUT_MS 15000

/* Properties that may not be passed through, or only with one of the values given (separated by spaces). */
static const struct refusal {
    const char *name, *allowed, *why;
} refusals[] = {
    {"bootstrap.servers", "", "set kafka.brokers"},
    {"metadata.broker.list", "", "set kafka.brokers"},
    {"transactional.id", "", "set kafka.identity, of which sidetail makes it"},
    {"transaction.timeout.ms", "", "set kafka.transaction_timeout"},
    {"enable.idempotence", "true", "without it a retry doubles lines"},
    {"acks", "all -1", "anything less loses lines together with a broker"},
    {"request.required.acks", "all -1", "anything less loses lines together with a broker"},
    {"message.timeout.ms", "", "sidetail never gives a line up"},
    {"delivery.timeout.ms", "", "sidetail never gives a line up"},
    {"partitioner", "consistent consistent_random murmur2 murmur2_random fnv1a fnv1a_random",
     "a container's lines would lose their order"},
    {"queuing.strategy", "fifo", "a container's lines would lose their order"},
    {"delivery.report.only.error", "false", "acknowledgements are counted by it"},
    {"compression.codec", "", "set kafka.compression"},
    {"compression.type", "", "set kafka.compression"},
    {"isolation.level", "", "positions are read back committed only"},
    {"enable.partition.eof", "", "sidetail sets it"},
    {"log.queue", "", "sidetail sets it"},
    {"allow.auto.create.topics", "false", "sidetail makes topics itself, as it is told to"},
    {"group.id", "", "sidetail joins no group"},
    {"sasl.username", "", "set kafka.sasl_username"},
    {"sasl.password", "", "set kafka.sasl_password, which is never shown"},
    {"ssl.key.password", "", "set kafka.tls_key_password, which is never shown"},
};

static bool is_allowed(const char *words, const char *value)
{
    size_t len = strlen(value);
    while (*words) {
        size_t word = strcspn(words, " ");
        if (word == len && !strncasecmp(words, value, len)) {
            return true;
        }
        words += word + (words[word] == ' ');
    }
    return false;
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char why[400];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        return error_set(err, "kafka: %s", why);
    }
    return 0;
}

static int set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct error *err)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    return set(conf, name, text, err);
}

static int set_text(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    return *value ? set(conf, name, value, err) : 0;
}

/* librdkafka's own words for a file that is not there do not name it. */
static int set_file(rd_kafka_conf_t *conf, const char *name, const char *key, const char *path,
                    struct error *err)
{
    if (*path && access(path, R_OK) < 0) {
        return error_set(err, "%s: cannot read %s: %s", key, path, strerror(errno));
    }
    return set_text(conf, name, path, err);
}

static int pass_through(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *r = &refusals[i];
        if (!strcmp(name, r->name) && !is_allowed(r->allowed, value)) {
            return error_set(err, "kafka.properties: %s may not be %s: %s", name, *r->allowed ? value : "set",
                             r->why);
        }
    }
    char why[400];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        return error_set(err, "kafka.properties: %s: %s", name, why);
    }
    return 0;
}

static int set_properties(rd_kafka_conf_t *conf, const struct config *cfg, struct error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(cfg->kafka_properties, name, value)
    {
        if (pass_through(conf, name, json_string_value(value), err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int set_security(rd_kafka_conf_t *conf, const struct config *cfg, struct error *err)
{
    bool sasl = *cfg->kafka_sasl_mechanism;
    if (cfg->kafka_tls || sasl) {
        const char *protocol = cfg->kafka_tls ? sasl ? "sasl_ssl" : "ssl" : "sasl_plaintext";
        if (set(conf, "security.protocol", protocol, err) < 0) {
            return -1;
        }
    }
    return -(set_file(conf, "ssl.ca.location", "kafka.tls_ca", cfg->kafka_tls_ca, err) < 0 ||
             set_file(conf, "ssl.certificate.location", "kafka.tls_cert", cfg->kafka_tls_cert, err) < 0 ||
             set_file(conf, "ssl.key.location", "kafka.tls_key", cfg->kafka_tls_key, err) < 0 ||
             set_text(conf, "ssl.key.password", cfg->kafka_tls_key_password, err) < 0 ||
             set_text(conf, "sasl.mechanisms", cfg->kafka_sasl_mechanism, err) < 0 ||
             set_text(conf, "sasl.username", cfg->kafka_sasl_username, err) < 0 ||
             set_text(conf, "sasl.password", cfg->kafka_sasl_password, err) < 0);
}

static int64_t request_timeout_ms(const struct config *cfg)
{
    int64_t timeout_ms = cfg->kafka_transaction_timeout / NS_PER_MS;
    return timeout_ms < REQUEST_TIMEOUT_MS ? timeout_ms : REQUEST_TIMEOUT_MS;
}

/* What every client of ours has. */
static int set_common(rd_kafka_conf_t *conf, const struct config *cfg, struct error *err)
{
    return -(set(conf, "bootstrap.servers", cfg->kafka_brokers, err) < 0 ||
             set(conf, "client.id", "sidetail", err) < 0 ||
             set(conf, "client.software.name", "sidetail", err) < 0 ||
             set(conf, "client.software.version", VERSION, err) < 0 ||
             set(conf, "socket.nagle.disable", "true", err) < 0 ||
             set(conf, "socket.keepalive.enable", "true", err) < 0 ||
             set(conf, "reconnect.backoff.max.ms", "2000", err) < 0 ||
             set(conf, "topic.metadata.propagation.max.ms", "5000", err) < 0 ||
             set_number(conf, "socket.timeout.ms", request_timeout_ms(cfg), err) < 0 ||
             set_security(conf, cfg, err) < 0);
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
    char id[512];
    snprintf(id, sizeof(id), "sidetail-%s", exactly ? identity : "");
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    return -(
        set(conf, "enable.idempotence", "true", err) < 0 || set(conf, "acks", "all", err) < 0 ||
        set(conf, "log.queue", "true", err) < 0 || set(conf, "allow.auto.create.topics", "false", err) < 0 ||
        set(conf, "compression.codec", codecs[cfg->kafka_compression], err) < 0 ||
        set_number(conf, "queue.buffering.max.messages", cfg->memory_max / 4 / MESSAGE_OVERHEAD, err) < 0 ||
        set(conf, "queue.buffering.max.kbytes", "2097151", err) < 0 ||
        set_number(conf, "message.timeout.ms", exactly ? timeout_ms : 0, err) < 0 ||
        set_number(conf, "request.timeout.ms", request_timeout_ms(cfg), err) < 0 ||
        (exactly && set_number(conf, "transaction.timeout.ms", timeout_ms, err) < 0) ||
        (exactly && set(conf, "transactional.id", id, err) < 0));
}

/* Reads positions back: with little memory, and nothing but what is committed. */
static int set_reader(rd_kafka_conf_t *conf, struct error *err)
{
    return -(set(conf, "isolation.level", "read_committed", err) < 0 ||
             set(conf, "enable.partition.eof", "true", err) < 0 ||
             set(conf, "queued.max.messages.kbytes", "2048", err) < 0 ||
             set(conf, "fetch.message.max.bytes", "524288", err) < 0 ||
             set(conf, "fetch.wait.max.ms", "50", err) < 0);
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
    if (set_common(s->producer, cfg, err) < 0 || set_producer(s->producer, cfg, s->identity, err) < 0 ||
        set_properties(s->producer, cfg, err) < 0 || set_common(s->reader, cfg, err) < 0 ||
        set_properties(s->reader, cfg, err) < 0 || set_reader(s->reader, err) < 0) {
        return -1;
    }
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
    s->oversize = cfg->kafka_oversize;
    s->commit_age = cfg->kafka_commit_age;
    s->retention = cfg->checkpoint_retention;
    s->commit_bytes = (size_t)cfg->kafka_commit_bytes;
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

rd_kafka_t *kafka_client(const struct kafka_settings *s, rd_kafka_type_t type, struct error *err)
{
    char why[400];
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(type == RD_KAFKA_PRODUCER ? s->producer : s->reader);
    if (type == RD_KAFKA_PRODUCER && set_number(conf, "batch.size", (int64_t)s->batch_max, err) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        error_set(err, "kafka: %s", why);
        return NULL;
    }
    if (type == RD_KAFKA_PRODUCER) {
        rd_kafka_set_log_queue(rk, NULL);
    }
    return rk;
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
