/* Which topics hold the lines that collectors ship: by the names that the configuration's templates make.
 * Pure. */
#ifndef SIDETAIL_TAIL_KAFKA_TOPICS_H
#define SIDETAIL_TAIL_KAFKA_TOPICS_H

#include <stdbool.h>

#include "config/config.h"
#include "tail/options.h"

/* Sets `wanted` of each of all topics that there are: does it hold lines? By kafka.topic, an override's,
 * kafka.overflow_topic and, where too long lines go there, kafka.dead_letter_topic. Where names are asked
 * for, and each is a service that has topics of its own by kafka.topic, those of others are not wanted. */
void topics_choose(const struct config *cfg, const struct tail_options *o, const char *const *topics,
                   size_t count, bool *wanted);

#endif
