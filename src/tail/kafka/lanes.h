/* The feeds of one partition: one for each writer. Lines of one writer are in order there; those of several are not, for each
 * node commits at intervals of its own. Memory that runs out ends the process. */
#ifndef SIDETAIL_TAIL_KAFKA_LANES_H
#define SIDETAIL_TAIL_KAFKA_LANES_H

#include "tail/feeds.h"

struct lanes;

/* `resume` as for tail_feed_open. */
struct lanes *lanes_new(struct tail_feeds *feeds, void (*resume)(void *arg), void *arg);
void lanes_free(struct lanes *l); /* what is queued will still be printed */

/* Puts a line, which has a writer. False: not now. */
bool lanes_put(struct lanes *l, const struct tail_line *line);

#endif
