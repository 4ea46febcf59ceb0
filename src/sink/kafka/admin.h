/* Topics on the brokers: whether they are there, making them, and what they take. All of it blocks: for the
 * worker's thread. */
#ifndef SIDETAIL_SINK_KAFKA_ADMIN_H
#define SIDETAIL_SINK_KAFKA_ADMIN_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kafka/topic_name.h"

#include "settings.h"

#define KAFKA_POSITIONS_PARTITIONS 8 /* of a positions topic that sidetail makes */

/* What a topic was found to be. */
struct kafka_topic_facts {
    bool created; /* just now; by us, if `ours`, or by somebody else at the same time */
    bool ours;
    int partitions;
    size_t message_max;         /* its max.message.bytes; 0: we may not ask */
    int64_t older_ms, newer_ms; /* how far from now its messages' times may be; INT64_MAX: not known */
    int64_t deleted_ms;      /* how long it keeps tombstones, and ends of transactions; 0: we may not ask */
    char cleanup_policy[64]; /* "compact", "delete", or both with a comma; "": we may not ask */
};

#define KAFKA_WANTS_MAX 256

/* A topic that is to be there. */
struct kafka_want {
    const char *name;
    rd_kafka_topic_t *handle;       /* by which it can be produced to at once, owned by the caller; or NULL */
    struct kafka_topic_facts facts; /* good where there is a handle */
    rd_kafka_resp_err_t code;       /* what was said of it last */
    bool failed;
};

/* `list`, `count` (up to KAFKA_WANTS_MAX, each name once) and the names are set before. The first is the one that matters:
 * the others are to be had as well, where that can be. */
struct kafka_wants {
    struct kafka_want *list;
    size_t count;
    bool compact;     /* they are topics of positions */
    struct error err; /* out: why the first one is not to be had now, where it has no handle */
};

/* Makes topics where they are missing. One try, of some seconds. All of them are asked for at once: for many that takes
 * the brokers hardly longer than for one, and who waits for the last of them waits for no other. */
void kafka_topics_ensure(rd_kafka_t *rk, const struct kafka_settings *s, struct kafka_wants *wants);

/* The same of one. Returns its handle; NULL: err says why there is none. */
rd_kafka_topic_t *kafka_topic_ensure(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                     bool compact, struct kafka_topic_facts *facts, struct error *err);

enum kafka_topic_state {
    KAFKA_TOPIC_THERE,       /* facts are filled in */
    KAFKA_TOPIC_MAY_BE_MADE, /* not there; kafka_topic_ensure would make it */
    KAFKA_TOPIC_MISSING,     /* and may not be made: err says why */
    KAFKA_TOPIC_UNKNOWN,     /* we may not ask: err says why */
};

/* What kafka_topic_ensure would find, without making anything. */
enum kafka_topic_state kafka_topic_probe(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                         bool compact, struct kafka_topic_facts *facts, struct error *err);

/* Asks the brokers for the topic. 0 when each of its partitions has a leader: *partitions is their number.
 * Else the topic's error. */
rd_kafka_resp_err_t kafka_topic_look(rd_kafka_t *rk, rd_kafka_topic_t *topic, int *partitions);

/* What is wrong with its cleanup.policy, and what to do; NULL: nothing. */
const char *kafka_topic_fault(const struct kafka_topic_facts *facts, bool compact);

/* What would be better about a topic of positions, and what to do; NULL: nothing. */
const char *kafka_positions_advice(const struct kafka_topic_facts *facts);

/* Is a topic gone that this producer has a handle of? `name` tells which. Unless asked, librdkafka finds out
 * only when what was produced to it is too old. */
bool kafka_topic_gone(rd_kafka_t *rk, char name[KAFKA_TOPIC_MAX + 1]);

#endif
