/* Where a container's records go and what they carry: found once for each set of tags. Loop thread. */
#ifndef SIDETAIL_SINK_KAFKA_ROUTE_H
#define SIDETAIL_SINK_KAFKA_ROUTE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#include "kafka/topic_name.h"
#include "record/batch.h"
#include "record/tags.h"

#include "settings.h"

struct kafka_topic {
    UT_hash_handle hh;
    unsigned routes;            /* that lead to it */
    bool kept;                  /* though none does */
    bool overflow;              /* it takes the lines for which there are too many topics */
    rd_kafka_topic_t *handle;   /* NULL until ready; owned */
    bool ready;                 /* this producer knows that it is there */
    int partitions;             /* that it had when it was made ready */
    bool proven, in_proof;      /* see proof.h; the first outlives the topic's being let go */
    size_t limit;               /* bytes of a record with all that belongs to it */
    int64_t older_ms, newer_ms; /* how far from now a message's time may be; INT64_MAX: any distance */
    bool in_job;                /* it is being made ready */
    bool awaited;               /* it was not to be had when last asked */
    bool time_said;             /* it was logged that a line's time is too far */
    bool fault_said;            /* kafka_topic_fault was logged */
    char name[KAFKA_TOPIC_MAX + 1];
};

/* Where the records of one container go, and what they carry. */
struct kafka_route {
    UT_hash_handle hh; /* by tags */
    TAILQ_ENTRY(kafka_route) by_use;
    int64_t used_ns;   /* monotonic */
    uint64_t batch;    /* seq of the last batch that has records for it */
    struct tags *tags; /* counted reference */
    struct kafka_topic *topics[STREAM_COUNT];
    rd_kafka_headers_t *headers[STREAM_COUNT];
    size_t overhead; /* bytes that key, headers and framing add to a record, at the most */
};

struct kafka_routes;
struct kafka_routes *kafka_routes_new(const struct kafka_settings *s); /* NULL: no memory */
void kafka_routes_free(struct kafka_routes *routes);

/* The route for records of the batch `seq`. It and its topics are valid until that batch is acknowledged.
 * NULL: no memory. */
struct kafka_route *kafka_route_find(struct kafka_routes *routes, struct tags *tags, uint64_t seq,
                                     int64_t now_ns);
/* Lines of the batch, which is not acknowledged yet, that went to the overflow topic. */
uint64_t kafka_routes_overflowed(struct kafka_routes *routes, const struct batch *batch);
/* Batches up to this one are acknowledged: what was idle for a while is let go, some of it at each call. */
void kafka_routes_acked(struct kafka_routes *routes, uint64_t seq, int64_t now_ns);

/* A topic that is kept until kafka_routes_free. NULL: no memory. */
struct kafka_topic *kafka_topic_find(struct kafka_routes *routes, const char *name);
/* NULL: it is not known (any more). */
struct kafka_topic *kafka_topic_known(struct kafka_routes *routes, const char *name);

/* Calls for each topic. */
void kafka_routes_each_topic(struct kafka_routes *routes, void (*call)(void *arg, struct kafka_topic *topic),
                             void *arg);

/* The producer knows so many topics which were let go that it should be replaced. */
bool kafka_routes_stale(const struct kafka_routes *routes);

/* Destroys all handles, for their producer is about to go: no topic is ready any more. */
void kafka_routes_detach(struct kafka_routes *routes);

#endif
