/* The feeds of `sidetail tail`: a container each, to which a source hands what the container wrote. Pieces of
 * lines are joined, lines pass the filter, are merged by time with those of the other feeds, and are printed
 * as the screen takes them. Memory that runs out ends the process. */
#ifndef SIDETAIL_TAIL_FEEDS_H
#define SIDETAIL_TAIL_FEEDS_H

#include <event2/event.h>

#include "config/config.h"
#include "filter.h"
#include "line.h"
#include "record/tags.h"
#include "tail/options.h"

/* Bytes of last lines that feeds keep, where the source cannot be asked for these: of all feeds, or of all
 * partitions of Kafka, as long as each has its least, and a line more. */
#define FEEDS_KEPT_MAX (64u << 20)
#define FEED_KEPT_MIN  (256u << 10)

struct tail_feeds;
struct tail_feed;

/* From the loop, or from inside a call that hands something over. */
struct feeds_calls {
    /* After tail_feeds_finish: all is written. May be called again. */
    void (*written)(void *arg);
    /* Nobody reads the screen any more (err NULL), or it failed. */
    void (*closed)(void *arg, const struct error *err);
    void *arg;
};

/* Nothing is printed before tail_feeds_begin. Borrows what it is given. NULL: err says why there is no
 * screen. */
struct tail_feeds *tail_feeds_new(struct event_base *base, const struct tail_options *o,
                                  const struct config *cfg, struct tail_filter *filter,
                                  const struct feeds_calls *calls, struct error *err);
/* With the feeds that are left; what waits to be written is dropped. NULL is fine. */
void tail_feeds_free(struct tail_feeds *fs);
/* How many were opened so far. */
size_t tail_feeds_count(const struct tail_feeds *fs);
/* How many are open, with those that were closed but hold lines. */
size_t tail_feeds_open(const struct tail_feeds *fs);
/* Do all feeds together hold so much that a new one would not take a line of that time? */
bool tail_feeds_full(const struct tail_feeds *fs, int64_t time_ns);
/* No line that is newer is printed: an earlier one may still come. INT64_MAX, as at first: all are. Lines
 * earlier than `wanted_ns` hold up others, so they are taken though all feeds together hold too much;
 * INT64_MIN, as at first: none. */
void tail_feeds_until(struct tail_feeds *fs, int64_t time_ns, int64_t wanted_ns);
/* All feeds that there are at the beginning are open: lines may be printed. */
void tail_feeds_begin(struct tail_feeds *fs);
/* Nothing more will be put: `written` is called when all is. */
void tail_feeds_finish(struct tail_feeds *fs);

/* -- for the sources --------------------------------------------------------------------------- */

/* Past (merge.h) at first. Takes a reference of the tags; NULL: each line that is put has a writer. `resume`
 * is called when there is room again after tail_feed_put said no; it must not put at once. */
struct tail_feed *tail_feed_open(struct tail_feeds *fs, struct tags *tags, void (*resume)(void *arg),
                                 void *arg);
/* A writer with one reference, for whose name there will be room. Takes a reference of the tags. */
struct tail_writer *tail_feeds_writer(struct tail_feeds *fs, struct tags *tags);
void tail_feed_retag(struct tail_feed *feed, struct tags *tags);
/* Of what is put of before now, only the last `lines` lines, at least 1, are to be shown, up to --until. They
 * are kept until tail_feed_present, and chosen among by the filter then. Where they take too many bytes there
 * are fewer, which is told before them. No put is refused as long as that goes on. Where it does already, it
 * begins anew: all that was put is dropped. */
void tail_feed_keep_last(struct tail_feed *feed, int64_t lines);
/* Of a feed that keeps its last lines: how many there are yet. */
int64_t tail_feed_kept(const struct tail_feed *feed);
/* And would earlier ones be kept too? */
bool tail_feed_has_room(const struct tail_feed *feed);
/* All that it had to put of before now is put. */
void tail_feed_present(struct tail_feed *feed);
/* Puts an entry: a line, or with `more` a piece of one. False: not now, `resume` will be called; the same
 * entry is then to be put again. */
bool tail_feed_put(struct tail_feed *feed, enum stream stream, int64_t time_ns, struct slice text, bool more);
/* The same with a whole line. */
bool tail_feed_put_line(struct tail_feed *feed, const struct tail_line *line);
/* Drops the pieces that were put of that stream's unfinished line. */
void tail_feed_drop_part(struct tail_feed *feed, enum stream stream);
/* No rest will come of the unfinished lines: they are put as they are. */
void tail_feed_end_parts(struct tail_feed *feed);
/* Puts what happened to the container, after a piece of a line that waits for its rest. Always taken. */
void tail_feed_notice(struct tail_feed *feed, enum tail_line_kind kind, int64_t time_ns, const char *text);
/* Is no line of it queued? */
bool tail_feed_empty(const struct tail_feed *feed);
/* Nothing more is put; what is queued will still be printed, but not what is kept. */
void tail_feed_close(struct tail_feed *feed);

#endif
