/* How long lines that are new wait for earlier ones. Each node commits at intervals of its own, and what is
 * committed is seen once those before it in its partition are, too: so lines are late by different times,
 * which are learned from them. */
#ifndef SIDETAIL_TAIL_KAFKA_ORDER_H
#define SIDETAIL_TAIL_KAFKA_ORDER_H

#include <stdint.h>

#include "base/clock.h"

#define ORDER_WAIT_FIRST NS_PER_S /* before anything is known */
/* By more than that, lines are not late, but of a collector that was away. */
#define ORDER_WAIT_MAX (3 * NS_PER_S)

/* What came since the last call of order_until; zero-initialised. */
struct order_seen {
    int64_t newest_ns; /* the newest time of a line */
    int64_t late_ns;   /* the most that one was late */
};

/* A line of that time came at `now_ns`. */
void order_see(struct order_seen *seen, int64_t time_ns, int64_t now_ns);

/* least_ns: set by the owner; the rest zero-initialised. */
struct order {
    int64_t least_ns;           /* the shortest wait */
    int64_t wait_ns;            /* 0: ORDER_WAIT_FIRST */
    int64_t learned_ns;         /* when this was learned last */
    int64_t late_ns, before_ns; /* the most that a line was late since then, and in the time before */
    int64_t turned_ns;
    /* The newest time since the last turn, before it, and before the one before. */
    int64_t newest_ns, last_ns, shown_ns;
};

/* The time up to which lines may be shown now: those of a wait ago; and where a node's clock is ahead, those
 * that came as long ago, so that no line waits for more than twice that. Sets *seen back. */
int64_t order_until(struct order *o, int64_t now_ns, struct order_seen *seen);

#endif
