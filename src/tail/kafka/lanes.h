/* The feeds of one partition: one for each writer. Lines of one writer are in order there; those of several
 * are not, for each node commits at intervals of its own. Memory that runs out ends the process. */
#ifndef SIDETAIL_TAIL_KAFKA_LANES_H
#define SIDETAIL_TAIL_KAFKA_LANES_H

#include "tail/feeds.h"

#define LANES_MANY 4096 /* feeds in all: containers come and go, so those that are empty are soon closed */

struct lanes;

/* `resume` as for tail_feed_open; where tail_feeds_full, it is not called. */
struct lanes *lanes_new(struct tail_feeds *feeds, void (*resume)(void *arg), void *arg);
void lanes_free(struct lanes *l); /* what is queued will still be printed */

/* Puts a line, which has a writer. False: not now. */
bool lanes_put(struct lanes *l, const struct tail_line *line);
/* Closes the feeds of which no line waits. */
void lanes_tidy(struct lanes *l);

#endif
