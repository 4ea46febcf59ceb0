/* The calls of librdkafka's transactions, which block. On the worker's thread. */
#ifndef SIDETAIL_SINK_KAFKA_TRANSACTION_H
#define SIDETAIL_SINK_KAFKA_TRANSACTION_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/worker.h"

struct kafka_call {
    rd_kafka_error_t *(*function)(rd_kafka_t *, int timeout_ms);
    const char *what; /* "committing": how err begins */
    bool delivers;    /* it waits for deliveries: give up when a topic of theirs is gone */
    /* Before each try: takes up what the producer tells, waiting wait_ms for it. NULL: nobody does, or
     * the loop. */
    void (*hear)(void *arg, int wait_ms);
    void *arg;
};

/* Repeats the call for as long as it asks to be repeated. 0; -1: err says why not. */
int kafka_insist(rd_kafka_t *rk, const struct kafka_call *call, int timeout_ms, struct worker *worker,
                 struct error *err);

/* 0; -1: err says why not. Does not block. */
int kafka_begin(rd_kafka_t *rk, struct error *err);

/* Does the text of an error of librdkafka's say that a right to a topic is missing? */
bool kafka_lacks_right(const char *text);
/* What to do where it says that a right is missing, to a topic or to the transactional id; begins with "; ". Else "". */
const char *kafka_right_advice(const char *text);

/* Why a transaction failed (a right is missing, say) is told in the producer's log alone: all that follows of it in other
 * events is that messages were purged. Where the line of the log tells it and the reason is empty, it is set. */
void kafka_take_reason(struct error *reason, const char *facility, const char *text);

/* Was this producer (NULL: no) fenced off: by another one with its name, or by the brokers when a transaction
 * took too long? */
bool kafka_is_fenced(rd_kafka_t *rk);

/* A job: commits, and begins the next transaction. */
struct kafka_commit {
    struct job job; /* first member; run: kafka_commit_run */
    struct worker *worker;
    rd_kafka_t *rk;
    int timeout_ms;
    /* out */
    bool committed; /* else the outcome is not known */
    bool begun, fenced;
    struct error err; /* when it is not committed, or not begun */
};

void kafka_commit_run(struct job *job);

#endif
