/* All topics and partitions that are read. */
#ifndef SIDETAIL_TAIL_KAFKA_READING_H
#define SIDETAIL_TAIL_KAFKA_READING_H

#include "partition.h"

void reading_free(struct reading *r); /* its topics */

struct topic *reading_find(const struct reading *r, const char *name); /* NULL: there is none */
bool reading_knows(const struct reading *r, const char *topic, int32_t partition);
/* The topic of that name, which may be new. NULL: err says why. */
struct topic *reading_topic(struct reading *r, const char *name, struct error *err);
/* To be called when partitions were opened. */
void reading_settle(struct reading *r);

/* Reads what is there, a batch of each partition at most. True: there may be more. */
bool reading_go_on(struct reading *r);
/* Is something still to be read, or to come? */
bool reading_open(const struct reading *r);
/* Is something of before the beginning still to be read? */
bool reading_has_past(const struct reading *r);
/* Is nothing of up to that time still to be read? See partition_has_read. */
bool reading_has_read(const struct reading *r, int64_t until_ns, int64_t since_ns);
bool reading_empty(const struct reading *r); /* there is no topic */
/* May none of the topics be read? */
bool reading_refused(const struct reading *r);
/* Who follows tries again to read what was refused: the right to it may be there now. */
void reading_try_refused(struct reading *r);
/* Does a partition wait for room? */
bool reading_waits(const struct reading *r);
/* Makes some, where that is taken up by those who wrote and whose lines are shown. */
void reading_make_room(struct reading *r);
/* As far as partitions go that still read what is of before the beginning: the time up to which lines may be
 * shown (see partition_until), and the one that the last of them has to reach before others matter. */
struct reading_times {
    int64_t until_ns, wanted_ns;
};
struct reading_times reading_times(const struct reading *r, int64_t spread_ns);
/* Those that partition_hungers tells of; NULL: none. The caller's. */
rd_kafka_topic_partition_list_t *reading_hungry(struct reading *r);
/* Waits no more for partitions of which nothing came since then (monotonic), and says so. */
void reading_give_up_waiting(struct reading *r, int64_t since_ns);

#endif
