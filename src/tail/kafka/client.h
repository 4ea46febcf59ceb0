/* librdkafka as `sidetail tail --kafka` uses it: a consumer of no group, of what is committed. */
#ifndef SIDETAIL_TAIL_KAFKA_CLIENT_H
#define SIDETAIL_TAIL_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "base/error.h"
#include "config/config.h"

/* Bytes of values that are fetched ahead of each of so many partitions. */
size_t client_ahead(size_t partitions);

/* `partitions`: how many it will read, at least 1; they share what is fetched ahead. Its errors come as
 * events of its main queue. NULL: err says why. The caller destroys it. */
rd_kafka_t *client_new(const struct config *cfg, size_t partitions, struct error *err);

#endif
