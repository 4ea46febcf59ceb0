/* The Kafka sink (sink.h: sink_kafka, sink_kafka_at_least_once): what other rooms use of it, and how it keeps
 * positions.
 *
 * Exactly once: a transactional producer (transactional.id = "sidetail-" + identity). Each transaction holds
 * the records of some batches, the positions that those reach, and a head. Positions and heads are records of
 * a compacted topic, all of one identity in one partition:
 *
 *     key ["<identity>","<feed key>"]  value a position (position_to_json); none (a tombstone): forgotten
 *     key ["<identity>"]               value {"session":"<random, of the process>","transaction":<number>}
 *     key ["<identity>",null]          the same, of the transaction by which a producer begins
 *
 * Read back, the heads tell whether a transaction whose outcome is unknown was committed (its number is
 * there), whether another process took over (another session is there), and where the past ends (our own
 * first head). The head of a beginning has a key of its own, so that compaction cannot drop the head in doubt
 * for it. */
#ifndef SIDETAIL_SINK_KAFKA_H
#define SIDETAIL_SINK_KAFKA_H

#include <stdio.h>

#include "base/error.h"
#include "config/config.h"

/* Can a producer be made of these settings? Connects to nothing. 0, or -1: err says which one is wrong. */
int kafka_settings_check(const struct config *cfg, struct error *err);

/* Tries the brokers, the login, the topics and the rights, and writes a line about each to `out`: that it is
 * well, or what is wrong and what to do. Blocks for half a minute at most. 0 when all is well, else -1. */
int kafka_check(const struct config *cfg, FILE *out);

/* The name under which positions are kept: kafka.identity, else the id of this swarm node, else the host's
 * name. The caller owns it. NULL when no name would outlive the process: err says what to set. */
char *kafka_identity(const struct config *cfg, struct error *err);

#endif
