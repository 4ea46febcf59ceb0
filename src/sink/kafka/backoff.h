/* What failures in a row change: how long to wait for the next producer, and how much to commit at once. */
#ifndef SIDETAIL_SINK_KAFKA_BACKOFF_H
#define SIDETAIL_SINK_KAFKA_BACKOFF_H

#include <stddef.h>

struct kafka_backoff {
    unsigned failures;   /* in a row */
    size_t commit_bytes; /* a transaction that holds as many is committed */
    size_t commit_limit; /* the most that commit_bytes may be */
};

void kafka_backoff_init(struct kafka_backoff *b, size_t commit_bytes);

/* One more failure. */
void kafka_backoff_failed(struct kafka_backoff *b);
/* A transaction that failed may have been more than the brokers take in its time: a smaller one comes next,
 * down to a single batch, for the same one would fail in the same way for ever. */
void kafka_backoff_commit_less(struct kafka_backoff *b);
/* Something was delivered: no failures, and larger transactions again. */
void kafka_backoff_delivered(struct kafka_backoff *b);

/* To wait before the next producer is made. */
int kafka_backoff_ms(const struct kafka_backoff *b);

#endif
