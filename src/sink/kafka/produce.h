/* Batches → messages. Loop thread. */
#ifndef SIDETAIL_SINK_KAFKA_PRODUCE_H
#define SIDETAIL_SINK_KAFKA_PRODUCE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "record/batch.h"

#include "cut.h"
#include "progress.h"
#include "route.h"
#include "settings.h"

/* What batches are produced with, and where it stands in the batch that is being produced. Whoever sets it up
 * owns rk and routes. */
struct kafka_out {
    struct kafka_settings *settings;
    rd_kafka_t *rk; /* NULL: there is no producer now */
    struct kafka_routes *routes;
    const struct kafka_route *route; /* of `mark` in the batch; NULL: to be found */
    uint32_t mark;
    struct slice key;           /* of its messages */
    bool plain;                 /* its whole records need no headers */
    uint32_t prepared;          /* marks of the batch whose topics are ready */
    bool unproven;              /* not all of those are proven */
    int64_t now_ns, now_ms;     /* when this turn began: monotonic, and unix time by the brokers' clock */
    int64_t ahead_ms;           /* how far ours is ahead of it: see broker_clock.h */
    struct kafka_pieces pieces; /* of the item that batch->sent stands at; none: count 0 */
    size_t piece;               /* next of them */
    bool learned;               /* from a failure of this producer: see kafka_refused */
};

/* Produces items of the batch from batch->sent on. Each message's payload stays in the batch, and its opaque
 * is the batch. KAFKA_NEEDS_TOPIC: *missing is which. */
enum kafka_progress kafka_produce(struct kafka_out *out, struct batch *batch, struct kafka_topic **missing,
                                  struct error *err);

/* A new producer: no batch is being produced any more. */
void kafka_out_reset(struct kafka_out *out);

/* All topics that are ready are proven. */
void kafka_out_proven(struct kafka_out *out);

/* The batch is to be produced from its beginning (again); nothing of it is under way. */
void kafka_rewind(struct batch *batch);

/* One of the batch's messages was delivered. */
void kafka_delivered(struct batch *batch);
/* How many of those that were produced are not delivered yet. */
static inline uintptr_t kafka_undelivered(const struct batch *batch)
{
    return (uintptr_t)batch->sink_data;
}

/* A delivery failed. What a topic refused once it would refuse for ever: where size or time are why, the next
 * producer sends less, or times closer to now. Once for each producer, for several messages may fail for the
 * one reason. */
void kafka_refused(struct kafka_out *out, const rd_kafka_message_t *m);

/* The time that a message to the topic carries: the line's, or now where the topic would refuse that. */
int64_t kafka_message_time(const struct kafka_topic *topic, int64_t line_ms, int64_t now_ms);
/* The topic did refuse one. */
void kafka_topic_take_less_time(struct kafka_topic *topic);

#endif
