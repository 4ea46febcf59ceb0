/* The pipeline takes lines from sources to a sink. It wires the stages of a line's way. A line enters by its
 * feed, and each stage puts it into the next one only:
 *
 *     feed → joiner → shaper → batcher → sink
 *
 * What goes the other way are callbacks that are given at the set-up: the sink acknowledges a batch, which
 * moves the checkpoint; there is room again, which wakes the source; timers let go of what waited long
 * enough.
 *
 * A source does, for each feed (feed.h) that has something to read:
 *
 *     while (pipeline_room(pl)) {
 *         read and decode an entry;
 *         feed_put(feed, &rec), and account for what that returned;
 *         after a run of entries, or when pipeline_full(pl): feed_mark(feed, &position after the last one put);
 *     }
 *
 * and goes on in its `resume` once there is room again. */
#ifndef SIDETAIL_PIPELINE_H
#define SIDETAIL_PIPELINE_H

#include <event2/event.h>

#include "checkpoint/checkpoint.h"
#include "pipeline/feed.h"
#include "shape/shape.h"
#include "sink/sink.h"

struct config;

/* How the pipeline calls the source back. */
struct source_calls {
    void (*resume)(void *arg); /* there is room again; from the loop */
    void *arg;
};

/* Borrows base, configuration and checkpoint. NULL on error. The sink is set before the first put. */
struct pipeline *pipeline_new(struct event_base *base, const struct config *cfg,
                              struct checkpoint *checkpoint, struct error *err);
/* With every batch, also those that a closed sink has left; NULL is fine. */
void pipeline_free(struct pipeline *pl);
void pipeline_set_sink(struct pipeline *pl, struct sink *sink);
void pipeline_set_source(struct pipeline *pl, struct source_calls calls);
/* Has `acked` and its argument; `ready` and `failed` are left for the caller. */
struct sink_events pipeline_sink_events(struct pipeline *pl);

/* Takes up a changed configuration (SIGHUP) for records to come. 0 or -1. */
int pipeline_reconfigure(struct pipeline *pl, const struct config *cfg, struct error *err);

/* Has somebody told what the rules of shaping decide (sidetail try); where there are none, nothing is told. */
void pipeline_watch(struct pipeline *pl, struct shape_watch watch);

/* May records be put now? False: backpressure; `resume` will be called. */
bool pipeline_room(struct pipeline *pl);
/* The batch reached its limit of bytes or lines: mark at once, then see pipeline_room. */
bool pipeline_full(const struct pipeline *pl);

/* Where a feed of that key begins: its last mark, which is ahead of the checkpoint while its batch is not
 * acknowledged (a container left out and taken in again by SIGHUP). NULL: nothing is known. Valid until the
 * next call or change. */
const struct position *pipeline_position(struct pipeline *pl, const char *key);

/* Saves the checkpoint now, where it is a local one. 0, or -1: said, and tried again later. While that fails
 * there is no room for a sink that is exactly once by it (sink_ops.exact). */
int pipeline_save(struct pipeline *pl);
/* A file that was read to its end may be deleted from now on. A kill would cut an exact sink's output back to
 * the last checkpoint, and what stood in that file would be gone: saves within 50 ms. */
void pipeline_save_soon(struct pipeline *pl);

/* SIGTERM: submits what there is; `done` is called when all is acknowledged and the checkpoint is saved. */
void pipeline_drain(struct pipeline *pl, void (*done)(void *arg), void *arg);
/* The sink has failed for good: there is no room from now on. */
void pipeline_stop(struct pipeline *pl);
/* At the end of the process: says what was taken from logs that are gone, and was not acknowledged. All else
 * is read again. */
void pipeline_say_lost(struct pipeline *pl);

/* Bytes held in batches and unfinished lines, for metrics and tests. */
size_t pipeline_memory(const struct pipeline *pl);

#endif
