#include "send_queue.h"

void send_queue_push(struct send_queue *q, struct batch *b)
{
    b->next = NULL;
    b->sent = 0;
    if (q->tail) {
        q->tail->next = b;
    } else {
        q->head = b;
    }
    q->tail = b;
}

int send_queue_gather(const struct send_queue *q, size_t limit, struct iovec iov[SEND_QUEUE_IOV])
{
    int count = 0;
    size_t total = 0;
    for (const struct batch *b = q->head; b && count < SEND_QUEUE_IOV; b = b->next) {
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

void send_queue_sent(struct send_queue *q, size_t n)
{
    for (struct batch *b = q->head; b && n > 0; b = b->next) {
        size_t left = b->out.len - b->sent;
        size_t part = n < left ? n : left;
        b->sent += part;
        n -= part;
    }
}

struct batch *send_queue_pop(struct send_queue *q)
{
    struct batch *b = q->head;
    if (!b || b->sent < b->out.len) {
        return NULL;
    }
    q->head = b->next;
    if (!q->head) {
        q->tail = NULL;
    }
    b->next = NULL;
    return b;
}

size_t send_queue_partial(const struct send_queue *q)
{
    size_t total = 0;
    for (const struct batch *b = q->head; b; b = b->next) {
        total += b->sent;
    }
    return total;
}

void send_queue_restart(struct send_queue *q)
{
    q->head->sent = 0;
}
