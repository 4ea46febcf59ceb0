/* The queue of batches that a sink of bytes (stdout, a file) has yet to write, in the order of submission. */
#ifndef SIDETAIL_SINK_SEND_QUEUE_H
#define SIDETAIL_SINK_SEND_QUEUE_H

#include <stddef.h>
#include <sys/uio.h>

#include "record/batch.h"

/* Linked by batch->next; batch->sent counts the bytes of each that are written. Zero-initialised is empty.
 * Nothing is ever freed here: the pipeline knows all its batches, and frees those that a closed sink leaves
 * behind. */
struct send_queue {
    struct batch *head, *tail;
};

#define SEND_QUEUE_IOV 64 /* batches in one writev */

/* Appends a batch of which nothing is sent. */
void send_queue_push(struct send_queue *q, struct batch *b);

/* Fills iov with bytes that are not sent yet: of the first batch all, whatever its size, and of those behind
 * it as many as fit whole into `limit` bytes together with it. Returns how many are filled, at most
 * SEND_QUEUE_IOV; 0 when all batches in the queue are without bytes. */
int send_queue_gather(const struct send_queue *q, size_t limit, struct iovec iov[SEND_QUEUE_IOV]);

/* Counts n more bytes as sent. */
void send_queue_sent(struct send_queue *q, size_t n);

/* Takes the first batch off the queue when all of it is sent. NULL: it is not, or there is none. */
struct batch *send_queue_pop(struct send_queue *q);

/* Bytes sent of batches that are still in the queue: written, but not acknowledged. */
size_t send_queue_partial(const struct send_queue *q);

/* Sends the first batch again from its beginning. There must be one. */
void send_queue_restart(struct send_queue *q);

#endif
