/* The name of the topic that a record goes to. Pure. */
#ifndef SIDETAIL_SINK_KAFKA_TOPIC_NAME_H
#define SIDETAIL_SINK_KAFKA_TOPIC_NAME_H

#include "record/tags.h"

/* Bytes of a topic's name; it consists of letters, digits and ._- (Kafka's org.apache.kafka…Topic). */
#define KAFKA_TOPIC_MAX 249

/* Fills the template in. Unknown parts become "none", illegal characters '-'. A name that would be too long
 * is cut, and ends in a hash of the whole. */
void kafka_topic_name(const char *template, const struct tags *tags, enum stream stream,
                      char out[KAFKA_TOPIC_MAX + 1]);

#endif
