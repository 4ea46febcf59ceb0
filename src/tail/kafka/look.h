/* Asks brokers which topics there are, and where their partitions begin and end. All of it blocks: for the
 * worker's thread; where that is to end, it does within a second or so. */
#ifndef SIDETAIL_TAIL_KAFKA_LOOK_H
#define SIDETAIL_TAIL_KAFKA_LOOK_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/worker.h"
#include "config/config.h"
#include "tail/options.h"

/* The partitions of all topics that hold lines. */
struct look_topics {
    struct job job; /* look_for_topics */
    void *owner;    /* whose job it is */
    struct worker *worker;
    rd_kafka_t *rk;
    const struct config *cfg;
    const struct tail_options *options;
    rd_kafka_t *retired; /* one that is not needed any more: ended here, which takes its time; NULL: none */
    bool first; /* waits for a broker that answers, and takes up what librdkafka tells of them meanwhile */
    rd_kafka_topic_partition_list_t *found; /* NULL: err says why. To be dropped before the next look */
    struct error err;
};
void look_for_topics(struct job *job);
void look_topics_free(struct look_topics *l);
/* Frees a list and sets it to NULL, which it may be already. */
void look_drop(rd_kafka_topic_partition_list_t **list);

/* Of each partition where it begins and ends, for a reader of what is committed, and its first message of
 * `since_ms` or later (past the end: none). */
struct look_offsets {
    struct job job; /* look_for_offsets */
    void *owner;    /* whose job it is */
    struct worker *worker;
    rd_kafka_t *rk;
    int64_t since_ms; /* 0: not asked for */
    rd_kafka_topic_partition_list_t *of;
    /* In the same order, with an error for each that could not be asked for; all NULL: err says why. */
    rd_kafka_topic_partition_list_t *begin, *end, *since;
    struct error err;
};
void look_for_offsets(struct job *job);
/* Frees the lists. */
void look_offsets_free(struct look_offsets *l);

/* Says something to the brokers of these partitions. librdkafka fetches no more for a partition that has
 * enough fetched ahead, and looks only once a second whether that was read meanwhile, unless there is
 * something else to do for that broker. */
struct nudge {
    struct job job; /* nudge_brokers */
    void *owner;
    rd_kafka_t *rk;
    rd_kafka_topic_partition_list_t *of; /* the caller's */
};
void nudge_brokers(struct job *job);

#endif
