/* Getting a topic ready before anything is produced to it: that it is there, and what it takes. One at a
 * time, on the worker. */
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

enum kafka_topic_outcome {
    KAFKA_TOPIC_READY,
    KAFKA_TOPIC_TAKES_LESS, /* ready, but the next producer has to send less at once than this one does */
    KAFKA_TOPIC_NOT_READY,  /* as the log says: try again later */
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
    struct kafka_topic *topic; /* the worker sees only its name; NULL: no job is under way */
    bool dropped;
    rd_kafka_topic_t *handle; /* NULL: err says why there is none */
    struct kafka_topic_facts facts;
    struct error err;
};

/* `done` is called on the loop, once for each job that was started, unless the worker ends first. */
void kafka_topic_job_init(struct kafka_topic_job *t, struct worker *worker, struct kafka_settings *settings,
                          struct kafka_trouble *trouble,
                          void (*done)(void *arg, enum kafka_topic_outcome outcome), void *arg);

/* Does nothing while a job is under way. The topic has to stay until `done`. */
void kafka_topic_job_start(struct kafka_topic_job *t, rd_kafka_t *rk, struct kafka_topic *topic);

/* The producer is about to go. True: a job under way uses it, and `done` will tell when it does not. */
bool kafka_topic_job_drop(struct kafka_topic_job *t);

/* The worker has ended. */
void kafka_topic_job_free(struct kafka_topic_job *t);

#endif
