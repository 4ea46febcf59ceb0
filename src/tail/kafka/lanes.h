/* The feeds of one partition: one for each writer. Lines of one writer are in order there; those of several are not, for each
 * node commits at intervals of its own. Memory that runs out ends the process. */
#ifndef SIDETAIL_TAIL_KAFKA_LANES_H
#define SIDETAIL_TAIL_KAFKA_LANES_H

#include "tail/feeds.h"

struct lanes;

/* `resume` as for tail_feed_open. */
struct lanes *lanes_new(struct tail_feeds *feeds, void (*resume)(void *arg), void *arg);
void lanes_free(struct lanes *l); /* what is queued will still be printed */

/* Keeps only the last `lines` lines of each writer until lanes_present; begins anew where it does already. */
void lanes_keep_last(struct lanes *l, int64_t lines);
void lanes_present(struct lanes *l);
/* Of lanes that keep: the lines of all writers; and would earlier ones be kept? */
int64_t lanes_kept(const struct lanes *l);
bool lanes_have_room(const struct lanes *l);

/* Puts a line, which has a writer. False: not now. */
bool lanes_put(struct lanes *l, const struct tail_line *line);

/* Appends its feeds to an array from *count on, where that is not NULL; counts them in any case. */
void lanes_feeds(const struct lanes *l, struct tail_feed **to, size_t *count);

#endif
