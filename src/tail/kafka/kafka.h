/* Kafka as a source of `sidetail tail`, with --kafka: what the collectors of all nodes ship. It joins no
 * group, commits nothing and writes nothing: the rights to Read and Describe the topics are enough. */
#ifndef SIDETAIL_TAIL_KAFKA_KAFKA_H
#define SIDETAIL_TAIL_KAFKA_KAFKA_H

#include "tail/source.h"

extern const struct tail_source tail_kafka;

#endif
