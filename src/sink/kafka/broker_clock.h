/* The brokers' clock, by the times that they stamp on messages of the positions topic. A topic may refuse
 * messages whose times are too far from that clock (message.timestamp.after.max.ms: an hour ahead from Kafka
 * 4.0 on), so a machine whose own clock is wrong must not go by it. */
#ifndef SIDETAIL_SINK_KAFKA_BROKER_CLOCK_H
#define SIDETAIL_SINK_KAFKA_BROKER_CLOCK_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "base/error.h"

/* So many ms is our clock ahead of the broker that has just taken `m`; less than 0: behind. 0 where they are no
 * more than a minute apart. `known_ms` where the broker did not stamp it. */
int64_t kafka_clock_ahead(const rd_kafka_message_t *m, int64_t known_ms);

/* Sets err to why the message was not delivered, with its topic, and what to do about a clock that is wrong or a right that is missing. */
void kafka_delivery_fault(struct error *err, const rd_kafka_message_t *m);

#endif
