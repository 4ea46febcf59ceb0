/* The pipeline joins sources to a sink: it joins partial lines, shapes and encodes records into batches,
 * submits them, holds the sources back while no batch is free, and moves the checkpoint when a batch is
 * acknowledged.
 *
 * A source does, for each feed that has something to read:
 *     while (pipeline_room(pl)) {
 *         read and decode an entry; pipeline_put(pl, feed, &rec); account for what it returned;
 *         after a run of entries, or when pipeline_full(pl): pipeline_mark(pl, feed, &position after the last
 * one put);
 *     }
 * and goes on in its `resume` once there is room again. */
#ifndef SIDETAIL_PIPELINE_H
#define SIDETAIL_PIPELINE_H

#include <event2/event.h>

#include "checkpoint/checkpoint.h"
#include "record/put.h"
#include "record/record.h"
#include "record/tags.h"
#include "sink/sink.h"

struct config;
struct pipeline;
struct feed;

/* How the pipeline calls the source back. */
struct source_calls {
    void (*resume)(void *arg); /* there is room again; from the loop */
    void *arg;
};

struct pipeline *pipeline_new(struct event_base *base, const struct config *cfg,
                              struct checkpoint *checkpoint, struct error *err);
void pipeline_free(struct pipeline *pl);
void pipeline_set_sink(struct pipeline *pl, struct sink *sink);
void pipeline_set_source(struct pipeline *pl, struct source_calls calls);
struct sink_events
pipeline_sink_events(struct pipeline *pl); /* acked; ready and failed are left for the caller */

/* Takes up a changed configuration (SIGHUP) for records to come. */
int pipeline_reconfigure(struct pipeline *pl, const struct config *cfg, struct error *err);

/* A feed: one sequence of records with one position; `key` is its name in the checkpoint. Takes a reference
 * of the tags. `released` is called when lines held for `stream` were emitted without a further put (a timer
 * did it): the feed holds nothing for that stream now, and the source marks its position anew. */
struct feed_calls {
    void (*released)(void *arg, enum stream stream);
    void *arg;
};
struct feed *feed_open(struct pipeline *pl, const char *key, struct tags *tags, struct feed_calls calls);
void feed_retag(struct feed *feed, struct tags *tags);
const char *feed_key(const struct feed *feed);
/* Where a feed of that key is to begin: its last mark, which is ahead of the checkpoint while its batch is
 * not acknowledged (a container left out and taken in again by SIGHUP). NULL: nothing is known. Valid until
 * the next change. */
const struct position *pipeline_position(struct pipeline *pl, const char *key);
/* Emits lines still held, as they are: nothing more will come. */
void feed_flush(struct feed *feed);
/* No further put. Lines still held are dropped (they will be read again). */
void feed_close(struct feed *feed);
/* What may be said of the feed's lag (metrics): bytes not yet read. */
void feed_set_lag(struct feed *feed, uint64_t bytes);

/* May records be put now? False: backpressure; `resume` will be called. */
bool pipeline_room(struct pipeline *pl);

/* Puts one entry. Text is copied. Only when pipeline_room. */
unsigned pipeline_put(struct pipeline *pl, struct feed *feed,
                      struct record *rec); /* enum put_result, with PUT_CUT */

/* The batch reached its limit of bytes or lines: mark at once, then see pipeline_room. */
bool pipeline_full(const struct pipeline *pl);
/* All that the feed has put up to now is covered by pos. Submits a full batch. */
void pipeline_mark(struct pipeline *pl, struct feed *feed, const struct position *pos);

/* SIGTERM: submits what there is; `done` is called when all is acknowledged and the checkpoint is saved. */
void pipeline_drain(struct pipeline *pl, void (*done)(void *arg), void *arg);

/* Saves the checkpoint now, where it is a local one. 0, or -1: said, and tried again later. While that fails
 * there is no room for a sink that is exactly once by it (sink_ops.exact). */
int pipeline_save(struct pipeline *pl);

/* A file that was read to its end may be deleted from now on. An exact sink's output would be cut back to the
 * last checkpoint by a kill, and what stood in that file be gone: saves within 50 ms. */
void pipeline_save_soon(struct pipeline *pl);

/* At the end of the process: says what was taken from logs that are gone, and was not acknowledged. All else
 * is read again. */
void pipeline_say_lost(struct pipeline *pl);

/* Bytes held in batches and joins, for metrics and tests. */
size_t pipeline_memory(const struct pipeline *pl);

#endif
