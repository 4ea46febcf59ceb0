/* The batches of a collector: as many as memory_max allows, used again and again. */
#ifndef SIDETAIL_PIPELINE_POOL_H
#define SIDETAIL_PIPELINE_POOL_H

#include <stdbool.h>

#include "config/config.h"
#include "record/batch.h"

struct pool {
    const struct config *cfg; /* borrowed; a reload changes what it holds */
    struct batch *spare;      /* emptied, linked by `next` */
    struct batch **all;       /* every batch there is: spare, being filled, or with the sink */
    unsigned made, limit;     /* made may exceed limit by a few, for a mark is never refused */
    uint64_t last_seq;        /* the number of the newest batch */
};

/* Takes up limits: half of memory_max goes to batches, and there are two at the least. Spare batches are
 * freed, since the old limits gave them their size. */
void pool_configure(struct pool *p, const struct config *cfg);
void pool_free(struct pool *p); /* with every batch */

/* Is there a batch to be had within the limit? */
static inline bool pool_has(const struct pool *p)
{
    return p->spare || p->made < p->limit;
}

/* An empty batch with the next number in the order of submission; beyond the limit, too. */
struct batch *pool_take(struct pool *p);
/* Takes back one that was acknowledged. */
void pool_give_back(struct pool *p, struct batch *b);

/* Bytes that the batches hold. */
size_t pool_memory(const struct pool *p);

#endif
