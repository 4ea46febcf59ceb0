#include "pool.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

/* One huge line must not keep its room for ever; a batch that is a little over its size may. */
#define KEEP_EXTRA 65536

static void note(struct pool *p, struct batch *b)
{
    struct batch **all = realloc(p->all, (p->made + 1) * sizeof(*all));
    if (!all) {
        die_out_of_memory();
    }
    p->all = all;
    p->all[p->made++] = b;
}

static struct batch *spare_or_new(struct pool *p)
{
    struct batch *b = p->spare;
    if (b) {
        p->spare = b->next;
        b->next = NULL;
        return b;
    }
    b = batch_new();
    if (!b) {
        die_out_of_memory();
    }
    note(p, b);
    return b;
}

struct batch *pool_take(struct pool *p)
{
    struct batch *b = spare_or_new(p);
    if (buf_reserve(&b->out, (size_t)p->cfg->batch_bytes) < 0) {
        die_out_of_memory();
    }
    b->seq = ++p->last_seq;
    b->format = p->cfg->format;
    b->born_ns = clock_monotonic();
    return b;
}

static void drop(struct pool *p, struct batch *b)
{
    for (unsigned i = 0; i < p->made; i++) {
        if (p->all[i] == b) {
            p->all[i] = p->all[--p->made];
            break;
        }
    }
    batch_free(b);
}

void pool_give_back(struct pool *p, struct batch *b)
{
    if (p->made > p->limit) { /* made for a mark, or memory_max was lowered */
        drop(p, b);
        return;
    }
    batch_clear(b, (size_t)p->cfg->batch_bytes * 2 + KEEP_EXTRA);
    b->next = p->spare;
    p->spare = b;
}

void pool_configure(struct pool *p, const struct config *cfg)
{
    while (p->spare) {
        struct batch *b = p->spare;
        p->spare = b->next;
        drop(p, b);
    }
    p->cfg = cfg;
    p->limit = (unsigned)(cfg->memory_max / 2 / cfg->batch_bytes);
    p->limit = p->limit < 2 ? 2 : p->limit;
}

void pool_free(struct pool *p)
{
    for (unsigned i = 0; i < p->made; i++) {
        batch_free(p->all[i]);
    }
    free(p->all);
}

size_t pool_memory(const struct pool *p)
{
    size_t total = 0;
    for (unsigned i = 0; i < p->made; i++) {
        total += p->all[i]->out.cap + p->all[i]->cap_marks * sizeof(struct mark);
    }
    return total;
}
