#include "client.h"

#include "kafka/conf.h"

/* Of all partitions together, as long as each has its least. librdkafka needs some 300 bytes more for each
 * message. */
#define AHEAD_BYTES (16u << 20)
#define AHEAD_MIN   (256u << 10)
#define AHEAD_MAX   (8u << 20)

#define FETCH_MAX     (1u << 20) /* of each partition in one request */
#define FETCH_WAIT_MS 100        /* that a broker may wait for something to answer a request with */

size_t client_ahead(size_t partitions)
{
    size_t share = AHEAD_BYTES / partitions;
    return share > AHEAD_MAX ? AHEAD_MAX : share < AHEAD_MIN ? AHEAD_MIN : share;
}

rd_kafka_t *client_new(const struct config *cfg, size_t partitions, struct error *err)
{
    size_t ahead = client_ahead(partitions);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR);
    rd_kafka_conf_set_log_cb(conf, NULL); /* errors are told by events */
    if (kafka_conf_client(conf, cfg, err) < 0 || kafka_conf_pass(conf, cfg, err) < 0 ||
        kafka_conf_set(conf, "isolation.level", "read_committed", err) < 0 ||
        kafka_conf_set(conf, "enable.partition.eof", "true", err) < 0 ||
        kafka_conf_set(conf, "enable.auto.commit", "false", err) < 0 ||
        kafka_conf_set(conf, "auto.offset.reset", "earliest", err) < 0 ||
        kafka_conf_set_number(conf, "fetch.wait.max.ms", FETCH_WAIT_MS, err) < 0 ||
        kafka_conf_set_number(conf, "queued.max.messages.kbytes", (int64_t)ahead >> 10, err) < 0 ||
        kafka_conf_set_number(conf, "fetch.message.max.bytes", ahead / 2 < FETCH_MAX ? ahead / 2 : FETCH_MAX,
                              err) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return kafka_conf_make(conf, RD_KAFKA_CONSUMER, err);
}
