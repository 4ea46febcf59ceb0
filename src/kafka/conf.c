/* Which properties are set, and which may be passed through. What is wrong by the configuration alone was refused before
 * (rules.c). */
#include "kafka/conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"

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

int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char why[400];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        return error_set(err, "kafka: %s", why);
    }
    return 0;
}

int kafka_conf_set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct error *err)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    return kafka_conf_set(conf, name, text, err);
}

static int set_text(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    return *value ? kafka_conf_set(conf, name, value, err) : 0;
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

int kafka_conf_pass(rd_kafka_conf_t *conf, const struct config *cfg, struct error *err)
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
        if (kafka_conf_set(conf, "security.protocol", protocol, err) < 0) {
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

int64_t kafka_request_timeout_ms(const struct config *cfg)
{
    int64_t timeout_ms = cfg->kafka_transaction_timeout / NS_PER_MS;
    return timeout_ms < REQUEST_TIMEOUT_MS ? timeout_ms : REQUEST_TIMEOUT_MS;
}

int kafka_conf_client(rd_kafka_conf_t *conf, const struct config *cfg, struct error *err)
{
    return -(kafka_conf_set(conf, "bootstrap.servers", cfg->kafka_brokers, err) < 0 ||
             kafka_conf_set(conf, "client.id", "sidetail", err) < 0 ||
             kafka_conf_set(conf, "client.software.name", "sidetail", err) < 0 ||
             kafka_conf_set(conf, "client.software.version", VERSION, err) < 0 ||
             kafka_conf_set(conf, "socket.nagle.disable", "true", err) < 0 ||
             kafka_conf_set(conf, "socket.keepalive.enable", "true", err) < 0 ||
             kafka_conf_set(conf, "reconnect.backoff.max.ms", "2000", err) < 0 ||
             kafka_conf_set(conf, "topic.metadata.propagation.max.ms", "5000", err) < 0 ||
             kafka_conf_set_number(conf, "socket.timeout.ms", kafka_request_timeout_ms(cfg), err) < 0 ||
             set_security(conf, cfg, err) < 0);
}

rd_kafka_t *kafka_conf_make(rd_kafka_conf_t *conf, rd_kafka_type_t type, struct error *err)
{
    char why[400];
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        error_set(err, "kafka: %s", why);
    }
    return rk;
}
