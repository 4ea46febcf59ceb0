#include "proof.h"

#include "transaction.h"

static void gather(void *arg, struct kafka_topic *topic)
{
    struct kafka_proof *proof = arg;
    topic->in_proof = topic->ready && !topic->proven;
    for (int32_t i = 0; topic->in_proof && i < topic->partitions; i++) {
        kafka_doubt_add(&proof->places, topic->name, i);
    }
}

void kafka_proof_gather(struct kafka_proof *proof, struct kafka_routes *routes)
{
    kafka_routes_each_topic(routes, gather, proof);
}

/* The loop hears what the producer tells; this waits until it has been told of all messages, and has taken that up. */
static void wait_for_deliveries(void *arg, int wait_ms)
{
    const struct kafka_proof *proof = arg;
    if (!rd_kafka_flush(proof->rk, wait_ms) && rd_kafka_outq_len(proof->rk) > 0) {
        worker_wait(proof->worker, 1);
    }
}

void kafka_proof_run(struct job *job)
{
    static const struct error none;
    static const bool not_purged = false;
    struct kafka_proof *proof = (struct kafka_proof *)job;
    const struct kafka_doubt_calls calls = {.hear = wait_for_deliveries,
                                            .arg = proof,
                                            .undelivered = &none,
                                            .purged = &not_purged,
                                            .reason = &none,
                                            .ahead_ms = &proof->ahead_ms};
    proof->given = kafka_doubt_end(&proof->places, proof->rk, proof->settings, -1, &calls, proof->worker,
                                   &proof->err) == 0 &&
                   kafka_begin(proof->rk, &proof->err) == 0;
}

static void give(void *arg, struct kafka_topic *topic)
{
    const bool *given = arg;
    topic->proven = topic->proven || (*given && topic->in_proof);
    topic->in_proof = false;
}

void kafka_proof_conclude(struct kafka_proof *proof, struct kafka_routes *routes, bool given)
{
    kafka_doubt_clear(&proof->places);
    kafka_routes_each_topic(routes, give, &given);
}
