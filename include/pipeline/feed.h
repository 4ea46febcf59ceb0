/* A feed: one sequence of records with one position in the checkpoint, of one container or one file. Here a
 * source's lines enter the pipeline. */
#ifndef SIDETAIL_PIPELINE_FEED_H
#define SIDETAIL_PIPELINE_FEED_H

#include <stdint.h>

#include "base/status.h"
#include "record/position.h"
#include "record/put.h"
#include "record/record.h"
#include "record/tags.h"

struct pipeline;
struct feed;

/* `released` is called when lines held for `stream` went on without a further put (a timer did it): the feed
 * holds nothing for that stream now, and the source marks its position anew. It may be NULL. */
struct feed_calls {
    void (*released)(void *arg, enum stream stream);
    void *arg;
};

/* `key` is the feed's name in the checkpoint. Takes a reference of the tags. Never NULL. */
struct feed *feed_open(struct pipeline *pl, const char *key, struct tags *tags, struct feed_calls calls);
/* No further put. Lines still held are dropped (they will be read again). */
void feed_close(struct feed *feed);

/* For /status: adds where reading stands and what keeps it from going on to what the feed knows itself, its tags, lines
 * and their time. False: it is not to be told of. */
void feed_describe_by(struct feed *feed, bool (*describe)(void *arg, struct status_log *log), void *arg);

void feed_fetch_soon(const struct feed *feed); /* see base/fetch.h */

const char *feed_key(const struct feed *feed);
/* Records to come bear these tags. */
void feed_retag(struct feed *feed, struct tags *tags);
/* What the metrics say of its lag: bytes not yet read. */
void feed_set_lag(struct feed *feed, uint64_t bytes);

/* Puts one entry; its text is copied. Only while pipeline_room. Returns an enum put_result, with PUT_CUT;
 * pending.h turns it into positions. */
unsigned feed_put(struct feed *feed, struct record *rec);
/* Drops what was joined of the unfinished line of that stream: its parts will be put again. */
void feed_drop_part(struct feed *feed, enum stream stream);
/* All that the feed has put up to now is covered by pos. Submits a full batch. */
void feed_mark(struct feed *feed, const struct position *pos);
/* The newest time of the entries put, by clock_newest; 0: they had none, or nothing was put. */
int64_t feed_newest(struct feed *feed);
/* Lines still held go on as they are: nothing more will come. */
void feed_flush(struct feed *feed);

#endif
