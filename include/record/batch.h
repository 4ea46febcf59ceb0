/* A batch: encoded records of many feeds, and how far each of those feeds has come with them. */
#ifndef SIDETAIL_RECORD_BATCH_H
#define SIDETAIL_RECORD_BATCH_H

#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"
#include "record/compact_position.h"
#include "record/feed_key.h"
#include "record/tags.h"

/* One record in a batch; kept only for sinks that send record by record (sink_ops.items). */
struct item {
    uint32_t offset, len; /* in batch->out, newline included */
    uint32_t mark;        /* index into batch->marks: whose it is */
    uint8_t stream;       /* enum stream */
    bool partial;
    int64_t time_ns; /* of the line */
};

/* A feed's part in the batch: records up to `pos` are in this batch or in one before it. */
struct mark {
    struct feed_key *key; /* counted reference */
    struct tags *tags;    /* counted reference; the same feed has a further mark when its tags changed */
    struct compact_position pos;  /* cleared with the batch */
    bool moved;                   /* pos is set */
    uint32_t lines[STREAM_COUNT]; /* its records in the batch, and their encoded bytes */
    uint64_t bytes[STREAM_COUNT];
};

struct batch {
    struct buf out;
    uint32_t lines;
    struct item *items;
    uint32_t nitems, cap_items;
    struct mark *marks;
    uint32_t nmarks, cap_marks;
    uint64_t seq;            /* 1, 2, 3, … in the order of submission */
    int64_t born_ns;         /* monotonic time of its first record */
    enum format_kind format; /* of records whose tags set none; a reload may change that of later batches */
    size_t sent;             /* for the sink's use: bytes of out already written */
    void *sink_data;         /* for the sink's use */
    size_t told;             /* for the sink's use: items that were counted, though they may be sent again */
    struct batch *next;      /* for whoever holds it: the sink between submit and ack, else the pipeline */
};

/* How the record is written. */
static inline enum format_kind batch_format(const struct batch *b, const struct item *item)
{
    int format = tags_chosen(b->marks[item->mark].tags)->format;
    return format < 0 ? b->format : (enum format_kind)format;
}

struct batch *batch_new(void); /* NULL: memory */
/* Empties it, for use again; its text stays allocated when it is no larger than keep_bytes. */
void batch_clear(struct batch *b, size_t keep_bytes);
void batch_free(struct batch *b);
struct mark *batch_add_mark(struct batch *b); /* zeroed; NULL: memory */
struct item *batch_add_item(struct batch *b); /* not zeroed; NULL: memory */

#endif
