/* The batches of a pipeline: as many as memory_max allows, used again and again. */
#include <stdlib.h>

#include "base/memory.h"
#include "config/config.h"
#include "internal.h"

static void note(struct pipeline *pl, struct batch *b)
{
    struct batch **all = realloc(pl->all, (pl->made + 1) * sizeof(*all));
    if (!all) {
        die_out_of_memory();
    }
    pl->all = all;
    pl->all[pl->made++] = b;
}

struct batch *pool_take(struct pipeline *pl)
{
    struct batch *b = pl->spare;
    if (b) {
        pl->spare = b->next;
        b->next = NULL;
    } else {
        b = batch_new();
        if (!b) {
            die_out_of_memory();
        }
        note(pl, b);
    }
    if (buf_reserve(&b->out, (size_t)pl->cfg->batch_bytes) < 0) {
        die_out_of_memory();
    }
    b->seq = pl->next_seq++;
    b->format = pl->cfg->format;
    b->born_ns = clock_monotonic();
    return b;
}

void pool_drop(struct pipeline *pl, struct batch *b)
{
    for (unsigned i = 0; i < pl->made; i++) {
        if (pl->all[i] == b) {
            pl->all[i] = pl->all[--pl->made];
            break;
        }
    }
    batch_free(b);
}

void pool_put_back(struct pipeline *pl, struct batch *b)
{
    if (pl->made > pl->limit) { /* for marks, which are never refused; or memory_max was lowered */
        pool_drop(pl, b);
        return;
    }
    batch_clear(b, (size_t)pl->cfg->batch_bytes * 2 + 65536);
    b->next = pl->spare;
    pl->spare = b;
}
