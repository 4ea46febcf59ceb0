/* What the sink needs of the configuration, as librdkafka takes it. */
#ifndef SIDETAIL_SINK_KAFKA_SETTINGS_H
#define SIDETAIL_SINK_KAFKA_SETTINGS_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

/* A copy, for the configuration may be replaced while the sink runs. */
struct kafka_settings {
    char *brokers, *topic, *positions_topic, *dead_letter_topic, *overflow_topic;
    char *identity; /* NULL: at least once, where nothing is kept under it */
    enum kafka_key key;
    enum kafka_headers headers;
    enum kafka_delivery delivery;
    enum kafka_oversize oversize;
    int64_t commit_age, commit_pause; /* ns */
    int64_t retention;                /* ns; of positions that nobody asks for */
    size_t commit_bytes;              /* no more than memory_max lets be in batches */
    int timeout_ms;                   /* of a transaction */
    int partitions, replication;
    unsigned topics_max;
    rd_kafka_conf_t *producer, *reader; /* copied for each client */
    size_t message_max;                 /* message.max.bytes: librdkafka takes no larger message */
    size_t batch_max;   /* batch.size of the next producer; lowered when a topic turns out to take less */
    atomic_bool ending; /* the sink is being closed: whoever waits gives up */
    /* The longest that a broker has told us to wait for, for a quota; who takes it up sets 0. */
    atomic_int throttled_ms;
};

/* NULL: err says which setting is wrong, or that memory is out. */
struct kafka_settings *kafka_settings_new(const struct config *cfg, struct error *err);
void kafka_settings_free(struct kafka_settings *s);

/* A producer, or a consumer that reads committed records only. A producer's log goes to its main queue. The
 * caller destroys it. NULL: err says why. */
rd_kafka_t *kafka_client(const struct kafka_settings *s, rd_kafka_type_t type, struct error *err);
/* The same, of a consumer that reads what is not committed as well. */
rd_kafka_t *kafka_uncommitted_reader(const struct kafka_settings *s, struct error *err);
/* The same, of the producer of another identity. */
rd_kafka_t *kafka_producer_of(const struct kafka_settings *s, const char *identity, struct error *err);

#endif
