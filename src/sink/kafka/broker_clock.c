#include "broker_clock.h"

#include "base/clock.h"

#include "transaction.h"

#define MINUTE_MS 60000 /* a delivery takes a while, and clocks are never quite the same */

int64_t kafka_clock_ahead(const rd_kafka_message_t *m, int64_t known_ms)
{
    rd_kafka_timestamp_type_t type;
    int64_t broker_ms = rd_kafka_message_timestamp(m, &type);
    if (m->err || type != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) {
        return known_ms;
    }
    int64_t ahead_ms = clock_now() / NS_PER_MS - broker_ms;
    /* The report may have been long under way, or is looked at late. */
    int64_t slow_ms = rd_kafka_message_latency(m) / 1000;
    if (ahead_ms > 0) {
        ahead_ms = ahead_ms > slow_ms ? ahead_ms - slow_ms : 0;
    }
    return ahead_ms > MINUTE_MS || ahead_ms < -MINUTE_MS ? ahead_ms : 0;
}

void kafka_delivery_fault(struct error *err, const rd_kafka_message_t *m)
{
    const char *words = rd_kafka_err2str(m->err);
    if (m->err == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP) {
        words = "Broker: Invalid timestamp: this machine's clock, or the line's time, is further from the "
                "broker's clock than the topic allows; set the clock, or the topic's message.timestamp.type "
                "to LogAppendTime";
    }
    error_set(err, "topic %s: %s%s", rd_kafka_topic_name(m->rkt), words, kafka_right_advice(words));
}
