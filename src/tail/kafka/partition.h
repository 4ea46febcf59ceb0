/* One partition of a topic: its messages, from where the user wants them, to feeds. */
#ifndef SIDETAIL_TAIL_KAFKA_PARTITION_H
#define SIDETAIL_TAIL_KAFKA_PARTITION_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lanes.h"
#include "order.h"
#include "past.h"
#include "tail/source.h"
#include "writers.h"

/* What all partitions share. */
struct reading {
    LIST_HEAD(topic_list, topic) topics;
    const struct tail_env *env;
    rd_kafka_t *rk;
    int wake_fd; /* an eventfd: there is something to read */
    struct writers *writers;
    size_t ahead;             /* bytes that are fetched ahead of each partition */
    size_t keep;              /* partitions that keep their last lines */
    struct buf text;          /* scratch */
    int64_t now_ns;           /* set by the owner: the time of reading */
    struct order_seen seen;   /* what came of lines that are new */
    bool full;                /* a lane was; the owner may set it back */
    bool got_on;              /* a line was put; likewise */
    bool any;                 /* a line ever was */
    void (*ended)(void *arg); /* a partition is done, or refused */
    void *arg;
};

enum partition_state {
    PARTITION_PAST,    /* reads what is of before the beginning */
    PARTITION_WAITS,   /* has read that; the others of its topic have not */
    PARTITION_LIVE,    /* reads what is new */
    PARTITION_DONE,    /* has read all that was wanted */
    PARTITION_REFUSED, /* may not be read */
    PARTITION_GONE,    /* is no more */
};

#define PARTITION_BATCH 256

struct partition {
    LIST_ENTRY(partition) link;
    struct topic *topic;
    int32_t id;
    enum partition_state state;
    bool started; /* consuming */
    struct lanes *lanes;
    struct last_lines *kept; /* of the past, where not all of it is wanted; NULL: none, or not any more */
    rd_kafka_queue_t *queue;
    int64_t floor;    /* the first message that may be wanted */
    int64_t start;    /* the first that is read */
    int64_t end;      /* behind the last of the past */
    int64_t next;     /* behind the last that was taken */
    int64_t lines;    /* of the past, only so many of its topic are wanted; -1: all */
    int64_t heard_ns; /* monotonic: something came of it, or it began */
    rd_kafka_message_t *batch[PARTITION_BATCH]; /* taken, not put yet: those from `at` on */
    size_t at, count;
    int64_t newest_ns; /* the newest time of what was read */
    bool full;         /* there is no room for the next message */
    bool at_end;       /* nothing came since all was read that was committed */
    size_t taken;      /* bytes of values, since it was last set back */
};

struct topic {
    LIST_ENTRY(topic) link;
    rd_kafka_topic_t *handle;
    LIST_HEAD(partition_list, partition) partitions;
    bool refused;      /* some may not be read, which was said */
    bool troubled;     /* something is wrong with it, which was said */
    struct past *past; /* the last lines of all; NULL: all lines are wanted, or these are put */
    char name[];
};

/* NULL: err says why. */
struct topic *topic_new(struct reading *r, const char *name, struct error *err);
/* With its partitions. */
void topic_free(struct topic *t);
/* To be called when partitions of it were opened: some may have no past. */
void topic_settle(struct reading *r, struct topic *t);
/* Hands on what was chosen of its past, as far as there is room. */
void topic_go_on(struct reading *r, struct topic *t);

/* Reads from `floor` on; where `lines` is not -1, from so many lines before `end` on. */
void partition_open(struct reading *r, struct topic *t, int32_t id, int64_t floor, int64_t end,
                    int64_t lines);
void partition_free(struct partition *p);
/* Where one that is followed was refused: reads on from there. */
void partition_try_refused(const struct reading *r, struct partition *p);
/* Reads what is there, a batch at most. True: there may be more. */
bool partition_read(struct reading *r, struct partition *p);
/* Has so much been read that librdkafka may have stopped to fetch, and should go on? Once. */
bool partition_hungers(const struct reading *r, struct partition *p);
/* The time up to which lines may be shown, as far as this partition goes: earlier ones than later may still
 * come of it. `spread_ns`: how far from their order lines are in a partition. */
int64_t partition_until(const struct partition *p, int64_t spread_ns);
/* Is nothing of up to that time still to be read, as far as is known? Where nothing came of it since `since_ns`
 * (monotonic), that is not waited for. */
bool partition_has_read(const struct partition *p, int64_t until_ns, int64_t since_ns);
/* Its broker says nothing: nobody is to wait for it any more. False: nobody does. */
bool partition_give_up_waiting(struct reading *r, struct partition *p);

#endif
