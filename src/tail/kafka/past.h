/* The last lines of a topic: chosen among those that its partitions kept, and handed to a feed by time.
 * Memory that runs out ends the process. */
#ifndef SIDETAIL_TAIL_KAFKA_PAST_H
#define SIDETAIL_TAIL_KAFKA_PAST_H

#include "tail/feeds.h"
#include "tail/last_lines.h"

struct past;

/* Opens the feed, so that no line of anybody's is shown before those that are earlier of these. `resume` as for
 * tail_feed_open. */
struct past *past_new(struct tail_feeds *feeds, void (*resume)(void *arg), void *arg);
/* What was put will still be printed. NULL is fine. */
void past_free(struct past *p);

/* Gives it what a partition kept. */
void past_add(struct past *p, struct last_lines *kept);
/* Nothing more is added: chooses the last `lines` lines, at least 1. Where a partition kept fewer for want of
 * memory, there are none that are older than its first one, which is told in the name of the topic. */
void past_choose(struct past *p, int64_t lines, const char *topic);
bool past_chosen(const struct past *p);
/* Puts what there is room for, up to that time (0: any), without what is not wanted. True: all is put. */
bool past_put(struct past *p, int64_t until_ns);

/* Of lines in any order: sorts them and returns the first of those that are chosen. `is_short` of each
 * owner: older ones of it are missing; it is set back where it has any. *cut: for that reason they are
 * fewer. Pure. */
size_t past_first(struct last_line *lines, size_t count, int64_t wanted, bool *is_short, bool *cut);

#endif
