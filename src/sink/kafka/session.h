/* Making a producer ready, at the start and after each failure: a job of the worker, for it blocks. It ends
 * what a failed transaction left on the brokers, and finds out what became of a commit in doubt, whether
 * another process took over, whether what was acknowledged is there, and at the start the positions. */
#ifndef SIDETAIL_SINK_KAFKA_SESSION_H
#define SIDETAIL_SINK_KAFKA_SESSION_H

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/worker.h"

#include "doubt.h"
#include "files.h"
#include "positions.h"
#include "settings.h"

/* How long a fenced producer waits before it looks who fenced it: until the other has written its head. */
#define KAFKA_FENCED_MS 1000

enum kafka_outcome {
    KAFKA_OPENED, /* rk is ready */
    KAFKA_FENCED, /* another process took over */
    KAFKA_LOST,   /* the brokers have lost a transaction that they had said was committed */
    KAFKA_ENDED,  /* the worker ends */
};

/* "in" is set before the job is posted; "out" is good once it is done. */
struct kafka_session {
    struct job job; /* first member; run: kafka_session_run */
    struct worker *worker;
    const struct kafka_settings *settings;
    char id[KAFKA_SESSION_LEN + 1]; /* random, of this process */
    int delay_ms;                   /* in: to wait first */
    uint64_t in_doubt;              /* in: number of the transaction whose commit failed, or 0 */
    /* In: number of the last transaction of this session that the brokers said was committed; 0: none yet. Out: of the
     * one with the session's own head, which was read. */
    uint64_t acked;
    /* In: of the last transaction. Out: of the one with the session's own head. */
    uint64_t number;
    bool resumed;             /* in: positions are known already */
    struct kafka_doubt doubt; /* in: what the old one reached. Out: none */
    /* In: the old one, to be destroyed (one that was never used is taken). Out: in a transaction. Owned. */
    rd_kafka_t *rk;
    bool used; /* rk is, or was */
    /* out */
    struct kafka_files files; /* as they were when rk was made */
    enum kafka_outcome outcome;
    bool committed;          /* the transaction in doubt was */
    bool topic_created;      /* the positions topic was not there */
    rd_kafka_topic_t *topic; /* of positions; a handle of rk, owned by who owns that */
    int32_t partition;       /* of positions */
    int64_t head_offset;     /* of a head of ours; in: from which on to look */
    int64_t ahead_ms;        /* see broker_clock.h */
    json_t *positions;       /* as in kafka_past; NULL when resumed. Owned by who takes it */
    /* the job's own */
    struct error err;         /* what went wrong last */
    struct error broker_err;  /* what was last told of a broker */
    struct error undelivered; /* why the head was not delivered */
    bool purged;              /* messages, by the producer, since a transaction had failed … */
    struct error reason;      /* … for that */
};

/* A random name. 0, or -1 (errno). */
int kafka_session_name(char id[KAFKA_SESSION_LEN + 1]);

/* What the process has to end with where the outcome is KAFKA_FENCED or KAFKA_LOST, and why. */
enum exit_code kafka_session_verdict(const struct kafka_session *ses, struct error *why);

/* Tries until it succeeds, is fenced off, or the worker ends. Notes why a first try failed (trouble.h). */
void kafka_session_run(struct job *job);

#endif
