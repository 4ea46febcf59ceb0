#include "outbox.h"

void outbox_push(struct outbox *o, struct batch *b)
{
    b->next = NULL;
    b->sent = 0;
    if (o->tail) {
        o->tail->next = b;
    } else {
        o->head = b;
    }
    o->tail = b;
}

int outbox_gather(const struct outbox *o, size_t limit, struct iovec iov[OUTBOX_IOV])
{
    int count = 0;
    size_t total = 0;
    for (const struct batch *b = o->head; b && count < OUTBOX_IOV; b = b->next) {
        size_t left = b->out.len - b->sent;
        if (count > 0 && (total >= limit || left > limit - total)) {
            break;
        }
        if (left > 0) {
            iov[count++] = (struct iovec){b->out.data + b->sent, left};
            total += left;
        }
    }
    return count;
}

void outbox_sent(struct outbox *o, size_t n)
{
    for (struct batch *b = o->head; b && n > 0; b = b->next) {
        size_t left = b->out.len - b->sent;
        size_t part = n < left ? n : left;
        b->sent += part;
        n -= part;
    }
}

struct batch *outbox_shift(struct outbox *o)
{
    struct batch *b = o->head;
    if (!b || b->sent < b->out.len) {
        return NULL;
    }
    o->head = b->next;
    if (!o->head) {
        o->tail = NULL;
    }
    b->next = NULL;
    return b;
}

size_t outbox_partial(const struct outbox *o)
{
    size_t total = 0;
    for (const struct batch *b = o->head; b; b = b->next) {
        total += b->sent;
    }
    return total;
}
