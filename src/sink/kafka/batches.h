/* The batches that the sink holds, in the order of submission. Loop thread. */
#ifndef SIDETAIL_SINK_KAFKA_BATCHES_H
#define SIDETAIL_SINK_KAFKA_BATCHES_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "record/batch.h"

struct kafka_list {
    struct batch *head, **tail; /* by batch->next */
};

struct kafka_batches {
    struct kafka_list waiting; /* submitted; of the first some may be produced already */
    struct kafka_list open;    /* produced; they come before all of `waiting` */
    size_t open_bytes;         /* of their encoded records */
    unsigned open_count;
};

void kafka_batches_init(struct kafka_batches *b);
static inline bool kafka_batches_any(const struct kafka_batches *b)
{
    return b->waiting.head || b->open.head;
}

/* A further one waits. */
void kafka_batches_add(struct kafka_batches *b, struct batch *batch);
/* The first that waits is produced: it is the last of `open` now. */
void kafka_batches_produced(struct kafka_batches *b);
/* Takes the first of `open` out, which must not be empty: it is the caller's. */
struct batch *kafka_batches_take(struct kafka_batches *b);
/* So many may be in `open` before reading would soon stop until they come back: three quarters of those that there are, see
 * pipeline/pool.h. A reload may change that. */
static inline int64_t kafka_batches_most(const struct config *cfg)
{
    return cfg->memory_max / 2 / cfg->batch_bytes * 3 / 4;
}
/* Are there more? Small batches may be all used up long before they are many bytes. */
bool kafka_batches_short(const struct kafka_batches *b, const struct config *cfg);
/* All of `open` waits again, before what waits already. */
void kafka_batches_put_back(struct kafka_batches *b);

#endif
