/* What the sinks that write bytes share: the queue of batches on their way out. */
#ifndef SIDETAIL_SINK_OUTBOX_H
#define SIDETAIL_SINK_OUTBOX_H

#include <stddef.h>
#include <sys/uio.h>

#include "record/batch.h"

/* Linked by batch->next; batch->sent counts the bytes written. Zero-initialised is empty. Closing a sink
 * leaves the batches to the pipeline, which knows all of them: nothing is freed here. */
struct outbox {
    struct batch *head, *tail;
};

#define OUTBOX_IOV 64 /* batches in one writev */

void outbox_push(struct outbox *o, struct batch *b);

/* Fills iov with what is unsent: of the first batch whatever its size, of the following while they fit whole
 * in `limit` bytes with it. How many are filled, at most OUTBOX_IOV. */
int outbox_gather(const struct outbox *o, size_t limit, struct iovec iov[OUTBOX_IOV]);

/* Accounts for n bytes written. */
void outbox_sent(struct outbox *o, size_t n);

/* Takes the first batch off when it is sent to its end; else NULL. */
struct batch *outbox_shift(struct outbox *o);

/* Bytes written of batches still in the queue. */
size_t outbox_partial(const struct outbox *o);

#endif
