/* How long lines that are new wait for earlier ones: collectors commit at intervals, each node at its own. */
#ifndef SIDETAIL_TAIL_KAFKA_ORDER_H
#define SIDETAIL_TAIL_KAFKA_ORDER_H

#include <stdint.h>

/* wait_ns: set by the owner; the rest zero-initialised. */
struct order {
    int64_t wait_ns;
    int64_t turned_ns, shown_ns;
};

/* The time up to which lines may be shown now: those of wait_ns ago; and where a node's clock is ahead, those that came as long
 * ago, so that no line waits for more than twice that. *newest_ns: the newest time of a line since it was last set to 0, which
 * is done here. */
int64_t order_until(struct order *o, int64_t now_ns, int64_t *newest_ns);

#endif
