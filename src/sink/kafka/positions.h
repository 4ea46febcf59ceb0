/* Positions and heads as records of the positions topic (see sink/kafka.h): how they are written, and how
 * they are read back. */
#ifndef SIDETAIL_SINK_KAFKA_POSITIONS_H
#define SIDETAIL_SINK_KAFKA_POSITIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/worker.h"
#include "checkpoint/checkpoint.h"
#include "record/position.h"

#include "settings.h"

#define KAFKA_SESSION_LEN 32 /* bytes of a session's name */

/* Which of the topic's partitions holds this identity's records. The answer stays the same when the topic
 * grows: partitions beyond the first KAFKA_POSITIONS_PARTITIONS are not used. */
int32_t kafka_positions_partition(const char *identity, int partitions);

/* Each of these appends. 0, or -1 (no memory). */

/* The key of a feed's position: ["identity","feed"], or, when the feed's name is not UTF-8,
 * ["identity","escaped","%"]. feed NULL: the key of the head, ["identity"]. */
int kafka_positions_key(struct buf *out, const char *identity, const char *feed);
/* The key of the head that a session writes first: ["identity",null]. */
int kafka_session_key(struct buf *out, const char *identity);
int kafka_position_value(struct buf *out, const struct position *pos);
int kafka_head_value(struct buf *out, const char *session, uint64_t transaction);

/* What reading an identity's records finds. The reader sets the first four members and head_offset = -1. */
struct kafka_past {
    const char *identity, *session; /* whose records; our own session */
    uint64_t until;                 /* stop at our own head with this number; 0: at the end */
    uint64_t in_doubt;              /* the number of a transaction, or 0 */
    bool committed;                 /* the one in doubt was */
    uint64_t acked;                 /* the number of another, or 0 */
    bool kept;                      /* its head is there, or that of the later one in doubt */
    bool older;                     /* the head of one of ours before it is */
    bool stranger;                  /* the last head is not of our session */
    bool ours;                      /* a head of our session was seen (in: what is read comes after one) */
    bool overtaken;                 /* a stranger's head came after one of ours */
    bool ended;                     /* `until` was reached */
    int64_t head_offset;            /* of the last head; -1: none was seen */
    bool failed;                    /* memory was out */
    /* Feed's key as position_key_write has it → [position, unix seconds when written]. In: an empty object,
     * or NULL when positions are not wanted. The caller owns it. */
    json_t *positions;
};

/* Takes one record up, written at that time (unix seconds). value NULL: a tombstone. */
void kafka_past_take(struct kafka_past *past, struct slice key, const struct slice *value, int64_t offset,
                     int64_t written);

/* Reads the partition from that offset on (RD_KAFKA_OFFSET_BEGINNING too), committed records only. Where others'
 * transactions keep a head of ours (`until`) from being read for some seconds, it ends them (hold.h); where it may not,
 * it waits for the brokers to do so. 0; -1: err says why, or the worker ends. */
int kafka_past_read(struct kafka_past *past, const struct kafka_settings *s, int32_t partition, int64_t from,
                    struct worker *worker, struct error *err);

/* Puts what was read (NULL: nothing) into the checkpoint that sources ask. One that cannot be read is logged,
 * and skipped. 0, or -1 (no memory). */
int kafka_positions_restore(json_t *positions, struct checkpoint *checkpoint);

#endif
