/* The positions that a transaction's batches reach, and its head, as messages. Loop thread. */
#ifndef SIDETAIL_SINK_KAFKA_MARKS_H
#define SIDETAIL_SINK_KAFKA_MARKS_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "record/batch.h"

#include "progress.h"
#include "settings.h"

struct kafka_marks;
struct kafka_marks *kafka_marks_new(const struct kafka_settings *s,
                                    const char *session); /* NULL: no memory */
void kafka_marks_free(struct kafka_marks *marks);

/* A new producer: the partition to write to, and where in it the session's last head is. */
void kafka_marks_setup(struct kafka_marks *marks, int32_t partition, int64_t head_offset);

/* Gathers what the batches reach (a list by `next`); where `all` is given, everything in it comes before
 * that. `number`: of the transaction. 0, or -1 (no memory). */
int kafka_marks_gather(struct kafka_marks *marks, const struct batch *batches, struct checkpoint *all,
                       uint64_t number);

/* Produces what was gathered, from where it stopped. The head comes last, and has `marks` as its opaque. */
enum kafka_progress kafka_marks_produce(struct kafka_marks *marks, rd_kafka_t *rk, rd_kafka_topic_t *topic,
                                        struct error *err);

/* The head was delivered; after some retries its offset is not told, and negative. */
void kafka_marks_head_delivered(struct kafka_marks *marks, int64_t offset);
/* The offset of the last head that is known of. */
int64_t kafka_marks_head_offset(const struct kafka_marks *marks);

/* Forgets the feed's position: a tombstone for it goes with each gathering, until kafka_marks_committed is
 * called after one that had it. 0, or -1 (no memory). */
int kafka_marks_forget(struct kafka_marks *marks, const char *feed);
void kafka_marks_committed(struct kafka_marks *marks);

#endif
