/* Sinks: where batches go. */
#ifndef SIDETAIL_SINK_H
#define SIDETAIL_SINK_H

#include <event2/event.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "record/batch.h"

struct config;
struct sink;

/* What a sink tells its owner, each with `arg` as the first argument. All come from the loop, never from
 * inside a call of the owner's to the sink; but `acked` may also come from inside submit, drain and
 * reopen. */
struct sink_events {
    /* Once: the sink is open, and the checkpoint holds the positions to begin at. */
    void (*ready)(void *arg);

    /* A batch is delivered. Batches come back in the order of submission; each is the owner's again. */
    void (*acked)(void *arg, struct batch *batch);

    /* The sink can never go on: the process has to end with `exit_code` (enum exit_code). */
    void (*failed)(void *arg, int exit_code, const struct error *err);

    void *arg;
};

/* What a sink works with. The owner keeps all of it until the sink is closed; a reload changes what `cfg`
 * holds, and frees the strings that it held before. */
struct sink_env {
    struct event_base *base;
    const struct config *cfg;
    struct checkpoint *checkpoint;
    struct sink_events events;
};

struct sink_ops {
    const char *name; /* as in the configuration */

    /* Sends record by record: wants batch->items filled. */
    bool items;

    /* Nanoseconds. A younger batch is not worth what its delivery costs; it may wait so long to be filled. */
    int64_t least_age;

    /* The sink keeps the positions itself (Kafka, exactly once): it fills the checkpoint before `ready`, and
     * writes the marks of the batches that it delivers. The local checkpoint is neither loaded nor saved. */
    bool owns_positions;

    /* Exactly once by the local checkpoint: a start takes back what was delivered after the last save, so
     * nothing may be read while saving fails. */
    bool exact;

    /* NULL: err says why. The sink is the caller's to close. */
    struct sink *(*open)(const struct sink_env *env, struct error *err);

    /* The batch is the sink's until acked. A sink that cannot deliver it keeps it and tries again: it logs
     * that once, and counts it. */
    void (*submit)(struct sink *sink, struct batch *batch);

    /* Delivers at once all that was submitted, without waiting for a fuller commit. */
    void (*drain)(struct sink *sink);

    /* SIGUSR1: somebody may have moved the output away. NULL: means nothing to this sink. */
    void (*reopen)(struct sink *sink);

    /* Comes before each save of the local checkpoint: makes what was acked durable (fsync), and notes in the
     * checkpoint how far the output reached. 0, or -1: do not save now; where no save will ever be possible
     * again, `failed` follows. NULL: there is nothing to do. */
    int (*sync)(struct sink *sink, struct error *err);

    /* Frees the sink. Batches that are not acked stay as they are: pipeline_free frees every batch that the
     * pipeline made. */
    void (*close)(struct sink *sink);
};

/* The first member of each sink's own struct. */
struct sink {
    const struct sink_ops *ops;
};

extern const struct sink_ops sink_stdout;              /* at least once */
extern const struct sink_ops sink_file;                /* exactly once */
extern const struct sink_ops sink_kafka;               /* exactly once */
extern const struct sink_ops sink_kafka_at_least_once; /* at least once */

/* The sink that the configuration asks for. */
const struct sink_ops *sink_choose(const struct config *cfg);

#endif
