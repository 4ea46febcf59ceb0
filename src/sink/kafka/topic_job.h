/* Getting topics ready before anything is produced to them: that they are there, and what they take. On the worker, one
 * job at a time: a job is for all topics that batches wait for, or were one to come after the other, whoever has many made
 * would hold up all others. */
#ifndef SIDETAIL_SINK_KAFKA_TOPIC_JOB_H
#define SIDETAIL_SINK_KAFKA_TOPIC_JOB_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/worker.h"

#include "admin.h"
#include "route.h"
#include "settings.h"
#include "trouble.h"

/* Of several topics, the one that comes last here. */
enum kafka_topic_outcome {
    KAFKA_TOPIC_READY,
    KAFKA_TOPIC_NOT_READY,  /* the one asked for is not, as the log says: try again later */
    KAFKA_TOPIC_TAKES_LESS, /* the next producer has to send less at once than this one does */
    KAFKA_TOPIC_DROPPED,    /* the producer was given up meanwhile; the job uses it no more */
};

struct kafka_topic_job {
    struct job job; /* first member */
    struct worker *worker;
    struct kafka_settings *settings;
    struct kafka_trouble *trouble;
    void (*done)(void *arg, enum kafka_topic_outcome outcome);
    void *arg;
    rd_kafka_t *rk;
    struct kafka_topic *topics[KAFKA_WANTS_MAX]; /* NULL, the first: no job is under way */
    struct kafka_want list[KAFKA_WANTS_MAX];     /* the worker's: the same topics, by name */
    struct kafka_wants wants;
    bool dropped;
};

/* `done` is called on the loop, once for each job that was started, unless the worker ends first. */
void kafka_topic_job_init(struct kafka_topic_job *t, struct worker *worker, struct kafka_settings *settings,
                          struct kafka_trouble *trouble,
                          void (*done)(void *arg, enum kafka_topic_outcome outcome), void *arg);

/* Does nothing while a job is under way. Gets the topic ready, and with it others that the batches' lines go to, in their
 * order: so many as are found in a moment, and can be made ready. All of them have to stay until `done`. */
void kafka_topic_job_start(struct kafka_topic_job *t, rd_kafka_t *rk, struct kafka_topic *topic,
                           struct kafka_routes *routes, const struct batch *batches);

/* The producer is about to go. True: a job under way uses it, and `done` will tell when it does not. */
bool kafka_topic_job_drop(struct kafka_topic_job *t);

/* The worker has ended. */
void kafka_topic_job_free(struct kafka_topic_job *t);

#endif
