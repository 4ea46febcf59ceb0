/* `sidetail tail`: what its sources (the Engine's API, or the files) hand lines to. Lines pass the filter,
 * are merged by time, and are written to the screen as it takes them. */
#ifndef SIDETAIL_TAIL_H
#define SIDETAIL_TAIL_H

#include <event2/event.h>

#include "base/error.h"
#include "record/tags.h"
#include "tail/merge.h"
#include "tail/options.h"

struct tail;
struct tail_feed;

/* One of the two sources. All is called from the loop. */
struct tail_source {
    /* Begins at once. NULL on error. */
    void *(*open)(struct tail *t, struct error *err);
    void (*close)(void *source);
};

extern const struct tail_source tail_api, tail_files;

/* Runs until the end; returns what to exit with, or minus the number of the signal that ended it. Borrows
 * both. */
int tail_run(const struct tail_options *o, const struct config *cfg);

struct event_base *tail_base(const struct tail *t);
const struct tail_options *tail_asked(const struct tail *t);
bool tail_follows(const struct tail *t); /* it goes on with new lines */
const struct config *tail_config(const struct tail *t);

/* Is this container to be shown? */
bool tail_wants(const struct tail *t, const struct tags *tags, const struct identity *who, bool running);

/* The source cannot begin: the other one is tried where it may be, else it is said and tail ends. From the
 * loop, when nothing was handed over yet. The source is closed soon after. */
void tail_cannot_begin(struct tail *t, const struct error *err);
/* All containers that there are at the beginning have their feeds. */
void tail_listed(struct tail *t);
/* Nothing more will come: tail ends when all is written. */
void tail_finish(struct tail *t);
/* A sentence for the user, on stderr. */
void tail_say(struct tail *t, const char *text);

/* -- feeds: a container each ------------------------------------------------------------------- */

/* Past (tail_merge.h) at first. Takes a reference of the tags. `resume` is called when there is room again
 * after tail_feed_put said no; it must not put at once. */
struct tail_feed *tail_feed_open(struct tail *t, struct tags *tags, void (*resume)(void *arg), void *arg);
void tail_feed_retag(struct tail_feed *feed, struct tags *tags);
/* What it had to say of before now is all there. */
void tail_feed_present(struct tail_feed *feed);
/* An entry, a line or (more) a piece of one. False: not now, `resume` will be called; the same is then put
 * anew. */
bool tail_feed_put(struct tail_feed *feed, enum stream stream, int64_t time_ns, struct slice text, bool more);
/* What happened to the container; always taken. A piece that waits for its rest is shown first. */
void tail_feed_notice(struct tail_feed *feed, enum tail_line_kind kind, int64_t time_ns, const char *text);
/* Likewise "stopped (exit 137)". */
void tail_feed_stopped(struct tail_feed *feed, int exit_code, int64_t time_ns);
/* It does not run, and all that it has written is put: is said of one that was asked for by name, as nothing
 * else may come of it. */
void tail_feed_waits(struct tail_feed *feed);
/* Nothing more is put; what is queued will still be shown. */
void tail_feed_close(struct tail_feed *feed);

#endif
