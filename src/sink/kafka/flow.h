/* The way of a batch: submitted, produced, committed, acknowledged; and what happens when that fails. Loop
 * thread. */
#ifndef SIDETAIL_SINK_KAFKA_FLOW_H
#define SIDETAIL_SINK_KAFKA_FLOW_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/worker.h"
#include "record/batch.h"
#include "sink/sink.h"

#include "backoff.h"
#include "batches.h"
#include "expiry.h"
#include "marks.h"
#include "pace.h"
#include "producer.h"
#include "proof.h"
#include "renewal.h"
#include "settings.h"
#include "transaction.h"
#include "trouble.h"

enum kafka_state {
    KAFKA_OPENING,    /* the worker makes a producer */
    KAFKA_PRODUCING,  /* in a transaction (or needing none) */
    KAFKA_SEALING,    /* the positions of the transaction are being produced */
    KAFKA_COMMITTING, /* the producer and `commit` are the worker's */
    KAFKA_PROVING,    /* the producer and `proof` are */
    KAFKA_CLOSED,     /* fenced off, or out of memory */
};

struct kafka_flow {
    struct sink_env env;
    struct kafka_settings *settings;
    bool exactly;
    enum kafka_state state;
    struct worker *worker;
    struct kafka_producer producer;
    /* Those open are in the open transaction; at least once, they are not delivered in full yet. */
    struct kafka_batches batches;
    struct kafka_marks *marks;
    struct kafka_commit commit;
    struct kafka_proof proof;
    struct kafka_pace pace;
    struct kafka_backoff backoff;
    struct kafka_trouble trouble;
    struct kafka_expiry expiry;
    struct kafka_renewal renewal;
    uint64_t number; /* of the open transaction */
    bool ready;      /* the owner knows */
    bool due;        /* the transaction has waited long enough */
    bool draining;   /* what there is is to be delivered now */
    bool broken;     /* this producer is given up */
    bool rewrite;    /* the positions topic is new: all positions are to be written */
    struct event *pump_event, *retry_timer;
};

/* Has the worker make the first producer. Keeps `settings`, which outlive it. 0; -1: err says why, and
 * kafka_flow_free is still to be called. */
int kafka_flow_init(struct kafka_flow *f, const struct sink_env *env, struct kafka_settings *settings,
                    struct error *err);
/* Ends the worker and waits for it. Batches that are not acknowledged are left as they are. */
void kafka_flow_free(struct kafka_flow *f);

/* The batch is the flow's until env.events.acked. */
void kafka_flow_submit(struct kafka_flow *f, struct batch *batch);
/* Delivers all that was submitted now, without waiting for a fuller transaction. */
void kafka_flow_drain(struct kafka_flow *f);

#endif
