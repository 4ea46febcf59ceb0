/* Merges the lines of several containers by time. Each container has a lane: a bounded queue. While a lane is
 * past (not all is there yet that was written before now), no line may leave before
 * the lane has one, for an earlier one may come. */
#ifndef SIDETAIL_TAIL_MERGE_H
#define SIDETAIL_TAIL_MERGE_H

#include "line.h"

#define MERGE_LANE_MAX  (256u << 10) /* bytes queued in a lane, and a line more */
#define MERGE_LANE_MIN  (16u << 10)  /* likewise where there are many lanes */
#define MERGE_BYTES_MAX (16u << 20)  /* of all lanes, as long as MERGE_LANE_MIN allows */
/* And of all lanes in any case, with what each takes itself, its writer's tags too, about. Beyond that,
 * nothing more is taken until half of it has left. */
#define MERGE_QUEUED_MAX (32u << 20)
#define MERGE_LANE_COST  1024u

struct merge;
struct lane;

struct merge *merge_new(void);    /* NULL: memory */
void merge_free(struct merge *m); /* with its lanes; NULL is fine */

/* Nothing leaves while held: not all lanes are known. */
void merge_hold(struct merge *m, bool hold);

/* No line leaves that is newer than that (INT64_MAX, as at first: all may): an earlier one may still come. */
void merge_until(struct merge *m, int64_t time_ns);

/* Lines that are earlier than that (INT64_MIN, as at first: none) are waited for, so they are taken though
 * all lanes together are full. */
void merge_want(struct merge *m, int64_t time_ns);

/* A lane, past at first. `owner` comes back with its lines. NULL: memory. */
struct lane *lane_open(struct merge *m, void *owner);
void lane_close(struct lane *lane);   /* what is queued is dropped */
void lane_present(struct lane *lane); /* no longer past */
bool lane_empty(const struct lane *lane);
/* Is there no room for a line of that time? What all wait for is taken, though all lanes together are
 * full: a line of a past lane that is empty, one that is earlier than all that is queued, and what
 * merge_want said. */
bool lane_full(const struct lane *lane, int64_t time_ns);
bool lane_low(
    const struct lane *lane); /* half full at the most, and all together are not: go on filling it */
/* The same for a line whose lane is not open yet, and will not be past. */
bool merge_full(const struct merge *m, int64_t time_ns);
bool merge_empty(const struct merge *m); /* no line is queued */

/* Queues a copy at the end. Lines of a lane leave in the order in which they were put. 0, or -1: memory. */
int lane_put(struct lane *lane, const struct tail_line *line);

/* Would a line of this lane and time, put now, leave at once? Then it need not be put. */
bool lane_passes(const struct lane *lane, int64_t time_ns);

/* Takes the next line, with the reference of its writer; its text is valid until its lane is touched again.
 * Returns the owner of its lane, or NULL: none may leave now. */
void *merge_next(struct merge *m, struct tail_line *out);

#endif
