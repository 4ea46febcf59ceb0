/* Looks which topics there are, at first and again and again, and opens their partitions. */
#ifndef SIDETAIL_TAIL_KAFKA_LOOKING_H
#define SIDETAIL_TAIL_KAFKA_LOOKING_H

#include "brokers.h"
#include "look.h"
#include "reading.h"

/* Written by looking.c alone. Zero-initialised is valid for looking_free. */
struct looking {
    struct reading *reading;
    struct worker *worker;
    struct brokers *brokers;
    struct look_topics topics;
    struct look_offsets offsets;
    int64_t at_ns;   /* monotonic: the last look */
    bool busy;       /* one is under way */
    bool opening;    /* partitions are being opened */
    bool reads;      /* the client is the one that reads partitions */
    bool listed;     /* the first look is over */
    size_t left_out; /* partitions that could not be asked for */
};

/* Begins to look. All is borrowed. What comes of it is told by the reading's env and by its `ended`. */
void looking_begin(struct looking *l, struct reading *reading, struct worker *worker,
                   struct brokers *brokers);
/* Looks again, if it is time. */
void looking_go_on(struct looking *l);
/* Once the worker is freed. */
void looking_free(struct looking *l);

#endif
