/* The partitions that a transaction reached and whose outcome is not known: where something of it may be left
 * when it fails. That of the session (session.h) is the worker's while that makes a producer, and else the loop's. */
#ifndef SIDETAIL_SINK_KAFKA_DOUBT_H
#define SIDETAIL_SINK_KAFKA_DOUBT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/worker.h"

#include "settings.h"

/* Zeroed: none. */
struct kafka_doubt {
    struct kafka_doubt_partition *partitions; /* a hash */
    const rd_kafka_topic_t *topic;            /* of the message noted last */
    int32_t partition;
};

/* A message was sent there, or may have been. */
void kafka_doubt_note(struct kafka_doubt *d, const rd_kafka_message_t *m);
/* An earlier process may have sent one there. */
void kafka_doubt_add(struct kafka_doubt *d, const char *topic, int32_t partition);
/* What was sent is committed, or ended. */
void kafka_doubt_clear(struct kafka_doubt *d);
/* The topics' handles are about to go. */
void kafka_doubt_detach(struct kafka_doubt *d);

/* What waiting for messages takes. `hear` takes up what the producer tells, waiting so long for it. */
struct kafka_doubt_calls {
    void (*hear)(void *arg, int wait_ms);
    void *arg;
    const struct error *undelivered; /* why a message was not delivered; "": all were, so far */
    const bool *purged;         /* the producer dropped some itself, since the transaction had failed … */
    const struct error *reason; /* … for that; "": it did not say why */
    const int64_t *ahead_ms;    /* our clock is ahead of the brokers', as far as is known: broker_clock.h */
    bool look; /* what is there still: in a topic or partition that is gone nothing is left */
};

/* Purges what a producer that is given up has not delivered: `hear` is told of the partitions, and notes
 * them. */
void kafka_doubt_hear_out(rd_kafka_t *rk, const struct kafka_doubt_calls *calls);

/* Ends what a transaction before may have left open in those partitions, and in the identity's own unless
 * positions_partition is -1: the transaction that has just begun reaches them, and is aborted. The producer has
 * registered, so a transaction that the brokers know of is ended already. But a coordinator of Kafka 4.3 takes a
 * partition that has no leader for deleted (KAFKA-20734), and leaves what lies in it without a marker: the next marker
 * of the same producer would commit it. Blocks. 0; -1: err says why not. */
int kafka_doubt_end(struct kafka_doubt *d, rd_kafka_t *rk, const struct kafka_settings *s,
                    int32_t positions_partition, const struct kafka_doubt_calls *calls, struct worker *worker,
                    struct error *err);
/* Is the message one by which that is done? */
bool kafka_doubt_is_ending(const rd_kafka_message_t *m);

#endif
