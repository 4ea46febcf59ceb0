/* The proof that nothing is left in a topic that a process before this one sent and did not commit: before the first line
 * goes there, a transaction reaches each of its partitions and is aborted (doubt.h tells why). What this process itself
 * may have left is known, and ended with the next producer (session.h); of an earlier one it is not known where it
 * wrote. A topic that this process made needs none. */
#ifndef SIDETAIL_SINK_KAFKA_PROOF_H
#define SIDETAIL_SINK_KAFKA_PROOF_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/worker.h"

#include "doubt.h"
#include "route.h"
#include "settings.h"

/* A job. The producer is the worker's meanwhile, in a transaction with nothing in it; the loop goes on hearing it. */
struct kafka_proof {
    struct job job; /* first member; run: kafka_proof_run */
    struct worker *worker;
    const struct kafka_settings *settings;
    rd_kafka_t *rk;
    int64_t ahead_ms;          /* as in struct kafka_out */
    struct kafka_doubt places; /* the job's own */
    /* out */
    bool given; /* and the next transaction is begun. It does not count where the loop heard of a failure */
    struct error err; /* when it is not */
};

/* Takes up all topics that are ready and not proven. Loop thread. */
void kafka_proof_gather(struct kafka_proof *proof, struct kafka_routes *routes);
void kafka_proof_run(struct job *job);
/* The proof of those topics was given, or failed. Loop thread. */
void kafka_proof_conclude(struct kafka_proof *proof, struct kafka_routes *routes, bool given);

#endif
