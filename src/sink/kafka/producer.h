/* The producer, from its making to its end. The worker makes it (session.h). The loop produces by it, hears
 * what it tells (events.h), and has topics made ready for it (topic_job.h). When it failed it goes back to
 * the worker, which makes another. Loop thread. */
#ifndef SIDETAIL_SINK_KAFKA_PRODUCER_H
#define SIDETAIL_SINK_KAFKA_PRODUCER_H

#include <event2/event.h>
#include <stdint.h>

#include "base/error.h"
#include "base/worker.h"

#include "events.h"
#include "marks.h"
#include "produce.h"
#include "session.h"
#include "settings.h"
#include "topic_job.h"
#include "trouble.h"

/* What it is set up with, and who hears of what happens. All that is pointed to outlives the producer, but for
 * the session's name, which is copied. The calls come from the loop, and not from inside the functions below. */
struct kafka_producer_env {
    struct event_base *base;
    struct kafka_settings *settings;
    struct worker *worker;
    struct kafka_trouble *trouble;
    struct kafka_marks *marks;
    const char *session; /* name of this process's session */

    /* The worker is done; `session` holds what came of it. Where it is KAFKA_OPENED, the owner calls
     * kafka_producer_take. */
    void (*made)(void *arg, const struct kafka_session *session);
    /* The producer told something. failure: why it, or what it was given, failed; NULL: it did not. It may be
     * given up already. */
    void (*heard)(void *arg, const char *failure);
    /* What came of kafka_producer_prepare; never KAFKA_TOPIC_DROPPED. */
    void (*prepared)(void *arg, enum kafka_topic_outcome outcome);
    void *arg;
};

struct kafka_producer {
    struct kafka_producer_env env;
    struct kafka_session session;
    struct kafka_out out; /* for kafka_produce */
    struct kafka_events events;
    struct kafka_topic_job topic_job;
    struct kafka_topic *positions; /* the positions topic */
};

/* 0, or -1 (no memory, or file descriptors). */
int kafka_producer_init(struct kafka_producer *p, const struct kafka_producer_env *env);
/* Once the worker has ended. */
void kafka_producer_free(struct kafka_producer *p);

/* Has the first producer made ready. Finds out at once whether the settings are such that one can be made of
 * them: 0, or -1 and err says which is not. */
int kafka_producer_begin(struct kafka_producer *p, struct error *err);

/* Takes what the session made into use, and hears it from now on. */
void kafka_producer_take(struct kafka_producer *p);

/* Has a topic made ready, and others that the batches' lines go to, unless some are being so. */
void kafka_producer_prepare(struct kafka_producer *p, struct kafka_topic *topic, const struct batch *batches);

/* The transaction of that number was committed; its head is there. */
void kafka_producer_committed(struct kafka_producer *p, uint64_t number, int64_t head_offset);

/* All topics that are ready are proven (proof.h), and nothing is in the transaction. */
void kafka_producer_proven(struct kafka_producer *p);

/* Gives it up for another one, after hearing it out: for a failure, because it knows too many topics, or for files of TLS
 * that were renewed.
 * in_doubt: number of the transaction whose commit failed, or 0. number: of the last transaction. delay_ms:
 * to wait before another is made. */
void kafka_producer_replace(struct kafka_producer *p, uint64_t in_doubt, uint64_t number, int delay_ms);

#endif
