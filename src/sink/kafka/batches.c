#include "batches.h"

static void init(struct kafka_list *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

static void add(struct kafka_list *list, struct batch *batch)
{
    batch->next = NULL;
    *list->tail = batch;
    list->tail = &batch->next;
}

static struct batch *take(struct kafka_list *list)
{
    struct batch *batch = list->head;
    if (!(list->head = batch->next)) {
        list->tail = &list->head;
    }
    batch->next = NULL;
    return batch;
}

void kafka_batches_init(struct kafka_batches *b)
{
    init(&b->waiting);
    init(&b->open);
    b->open_bytes = 0;
    b->open_count = 0;
}

void kafka_batches_add(struct kafka_batches *b, struct batch *batch)
{
    add(&b->waiting, batch);
}

void kafka_batches_produced(struct kafka_batches *b)
{
    struct batch *batch = take(&b->waiting);
    add(&b->open, batch);
    b->open_bytes += batch->out.len;
    b->open_count++;
}

struct batch *kafka_batches_take(struct kafka_batches *b)
{
    struct batch *batch = take(&b->open);
    b->open_bytes -= batch->out.len;
    b->open_count--;
    return batch;
}

bool kafka_batches_short(const struct kafka_batches *b, const struct config *cfg)
{
    return b->open_count > kafka_batches_most(cfg);
}

void kafka_batches_put_back(struct kafka_batches *b)
{
    if (b->open.head) {
        *b->open.tail = b->waiting.head;
        b->waiting.tail = b->waiting.head ? b->waiting.tail : b->open.tail;
        b->waiting.head = b->open.head;
    }
    init(&b->open);
    b->open_bytes = 0;
    b->open_count = 0;
}
