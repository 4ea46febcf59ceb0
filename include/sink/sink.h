/* Sinks: where batches go. */
#ifndef SIDETAIL_SINK_H
#define SIDETAIL_SINK_H

#include <event2/event.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "record/batch.h"

struct config;
struct sink;

/* What a sink tells its owner, always from the loop, never from inside a call of the owner's to it (but
 * `acked`, which may come from inside submit, drain and reopen). */
struct sink_events {
    void (*ready)(void *arg); /* once: opened, and the checkpoint holds the positions */
    void (*acked)(
        void *arg,
        struct batch *batch); /* delivered, in the order of submission; the batch is the owner's again */
    void (*failed)(void *arg, int exit_code,
                   const struct error *err); /* cannot go on, ever: the process ends */
    void *arg;
};

struct sink_env {
    struct event_base *base;
    const struct config *cfg;
    struct checkpoint *checkpoint;
    struct sink_events events;
};

struct sink_ops {
    const char *name;
    bool items;          /* wants batch->items */
    int64_t least_age;   /* ns: a batch is worth its cost only when it is as old */
    bool owns_positions; /* keeps the checkpoint itself (Kafka, exactly once): it fills it before `ready`, and
                            writes the marks of what it delivers */

    bool exact; /* exactly once by the local checkpoint: what was delivered after the last save is taken back
                   at a start, so nothing is read while saving fails */

    struct sink *(*open)(const struct sink_env *env, struct error *err); /* NULL on error */
    void (*submit)(struct sink *sink,
                   struct batch *batch); /* the batch is the sink's until acked. A sink that cannot deliver
                                            keeps it and retries: it says so once, and counts */
    void (*drain)(
        struct sink *sink); /* deliver all that was submitted now, without waiting for a fuller commit */
    void (*reopen)(struct sink *sink); /* SIGUSR1; may be NULL */
    /* Before each save of the local checkpoint: makes what was acked durable (fsync) and notes in the
     * checkpoint how far the output reached. 0, or -1: no save now; where it can be none any more, `failed`
     * follows. May be NULL. */
    int (*sync)(struct sink *sink, struct error *err);
    void (*close)(struct sink *sink); /* batches not acked are left as they are: pipeline_free frees every
                                         batch it made */
};

struct sink {
    const struct sink_ops *ops; /* first member of each sink's own struct */
};

extern const struct sink_ops sink_stdout;
extern const struct sink_ops sink_file;
extern const struct sink_ops sink_kafka; /* exactly once */
extern const struct sink_ops sink_kafka_at_least_once;

/* The sink that the configuration asks for. */
const struct sink_ops *sink_choose(const struct config *cfg);

#endif
