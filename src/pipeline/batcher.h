/* The last stage before the sink. It encodes records into batches, submits them when they are full or old
 * enough, and moves the checkpoint when the sink has acknowledged one. */
#ifndef SIDETAIL_PIPELINE_BATCHER_H
#define SIDETAIL_PIPELINE_BATCHER_H

#include <event2/event.h>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "encode/encode.h"
#include "pool.h"
#include "record/record.h"
#include "sink/sink.h"

/* What goes back up. Both come from inside of batcher_acked, `room` from batcher_hold_back, too. */
struct batcher_calls {
    void (*acked)(void *arg); /* a batch was acknowledged, and the checkpoint has moved */
    void (*room)(void *arg);  /* somebody was told that there is no room, and there is some again */
    void *arg;
};

struct batcher_encoder {
    const struct encoder *encoder; /* NULL: not open */
    void *state;
};

struct batcher {
    const struct config *cfg;      /* borrowed */
    struct checkpoint *checkpoint; /* borrowed */
    struct sink *sink;             /* borrowed; set before the first put */
    struct batcher_calls calls;
    struct batcher_encoder encoder; /* of the configuration's format */
    /* For feeds whose tags set a format; opened for the first one. */
    struct batcher_encoder own[FORMAT_COUNT];

    struct pool pool;
    struct batch *current;      /* being filled; NULL: none yet */
    struct clock_second second; /* of the item noted last */
    struct event *age_timer;    /* submits it */
    unsigned in_flight;         /* batches with the sink */

    bool held_back, draining; /* each for itself: there is no room */
    bool starved;             /* somebody was told so */

    struct position asked; /* see batcher_position */
};

/* What the batcher keeps of one feed: whose records they are, and where its mark in the batch at hand is. */
struct batcher_feed {
    struct batcher *stage;
    struct feed_key *key; /* the feed's own reference */
    struct tags *tags;    /* the feed's own reference */
    const struct batcher_encoder *encoder;
    uint64_t mark_seq; /* the batch that `mark` belongs to; 0: none yet */
    uint32_t mark;     /* index of the feed's newest mark in it */
};

/* 0 or -1 (memory); batcher_free is owed in either case, of a zeroed struct, too. */
int batcher_init(struct batcher *b, struct event_base *base, struct checkpoint *checkpoint,
                 struct batcher_calls calls);
void batcher_free(struct batcher *b);

/* Has the feed's records encoded as its tags say, from now on. */
void batcher_tagged(struct batcher_feed *feed);

/* Takes up limits and format for records to come; what is being filled is submitted first. 0 or -1
 * (memory). */
int batcher_configure(struct batcher *b, const struct config *cfg);

/* The batch reached its limit of lines, or of bytes, among which its marks count: a batch may be of many feeds. */
static inline bool batcher_full(const struct batcher *b)
{
    const struct batch *batch = b->current;
    return batch && (batch->out.len + batch->nmarks * sizeof(struct mark) >= (size_t)b->cfg->batch_bytes ||
                     batch->lines >= (uint32_t)b->cfg->batch_lines);
}

/* May records be put now? When not, calls.room follows once they may. */
bool batcher_room(struct batcher *b);
/* While held back there is no room, whatever the sink takes. */
void batcher_hold_back(struct batcher *b, bool held_back);

/* Encodes the record into the batch. Never refuses: the caller has asked for room. */
void batcher_put(struct batcher_feed *feed, const struct record *rec);
/* All that the feed has put is covered by `pos`. Submits a full batch. */
void batcher_mark(struct batcher_feed *feed, const struct position *pos);

/* Submits what there is, and takes nothing more. */
void batcher_drain(struct batcher *b);
/* sink_events.acked, with the batcher as its argument. */
void batcher_acked(void *batcher, struct batch *batch);

/* The last mark of that key, which is ahead of the checkpoint while its batch is not acknowledged; else the
 * checkpoint's position. NULL: nothing is known. Valid until the next call or change. */
const struct position *batcher_position(struct batcher *b, const char *key);

/* At the end of the process: says what was taken from logs that are gone and was not acknowledged. */
void batcher_say_lost(const struct batcher *b);

#endif
