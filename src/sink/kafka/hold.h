/* Who holds up the end of what is committed: a collector that hangs with its transaction open (or a machine that is gone)
 * keeps everything behind its first position from whoever reads committed records, until the transaction timeout. All
 * blocks: for the worker's thread. */
#ifndef SIDETAIL_SINK_KAFKA_HOLD_H
#define SIDETAIL_SINK_KAFKA_HOLD_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "base/error.h"
#include "base/worker.h"

#include "settings.h"

#define KAFKA_IDENTITY_MAX 500 /* bytes; no longer one makes a transactional id */

/* Ends the transaction that reading the partition of positions stands still at, by registering under its collector's
 * name: what the brokers do at its timeout, sooner. That collector, should it go on, finds its producer fenced, sees that
 * nobody else has written a head under its identity, makes another and produces again what was not committed. What
 * was being committed is committed: registering waits for that. So this takes nothing from anybody but time.
 *
 * reader: one of committed records. offset: where those end for it. Nothing is done unless the record there is of another
 * identity, which it tells by its key. 0: `identity` is that; -1: err says why not. */
int kafka_hold_end(const struct kafka_settings *s, rd_kafka_t *reader, int32_t partition, int64_t offset,
                   char identity[KAFKA_IDENTITY_MAX + 1], struct worker *worker, struct error *err);

#endif
