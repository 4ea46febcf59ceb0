/* The names of topics that records go to. Pure. */
#ifndef SIDETAIL_KAFKA_TOPIC_NAME_H
#define SIDETAIL_KAFKA_TOPIC_NAME_H

#include "record/tags.h"

/* Bytes of a topic's name; it consists of letters, digits and ._- (Kafka's org.apache.kafka…Topic). */
#define KAFKA_TOPIC_MAX 249

/* Fills the template in. Unknown parts become "none", illegal characters '-'. A name that would be too long
 * is cut, and ends in a hash of the whole. */
void kafka_topic_name(const char *template, const struct tags *tags, enum stream stream,
                      char out[KAFKA_TOPIC_MAX + 1]);

#define KAFKA_GLOB_MAX 1024 /* bytes of a glob; what is longer is cut */

/* The glob (fnmatch) of the names that the template makes; of those that it makes of services that fit the glob
 * `service`, where that is not NULL. */
void kafka_topic_glob(const char *template, const char *service, char out[KAFKA_GLOB_MAX]);

#endif
