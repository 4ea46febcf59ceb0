/* What librdkafka tells of the producer: deliveries, errors, and its log. The loop watches its main queue. */
#ifndef SIDETAIL_SINK_KAFKA_EVENTS_H
#define SIDETAIL_SINK_KAFKA_EVENTS_H

#include <event2/event.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/error.h"

#include "doubt.h"
#include "marks.h"
#include "produce.h"
#include "trouble.h"

/* What events change, and who hears of it. */
struct kafka_events_calls {
    struct kafka_out *out;     /* whose producer it is */
    struct kafka_marks *marks; /* whose head may be delivered */
    struct kafka_doubt *doubt; /* what the producer reaches is noted there, when exactly once; else NULL */
    struct kafka_trouble *trouble;
    /* Some were taken up. failure: why the producer, or what it was given, failed; NULL: it did not. */
    void (*heard)(void *arg, const char *failure);
    void *arg;
};

struct kafka_events {
    struct kafka_events_calls calls;
    rd_kafka_queue_t *queue; /* the producer's main queue; NULL: none is watched */
    int fd;                  /* readable when something is in it */
    struct event *event;
    bool given_up;       /* the producer is */
    struct error reason; /* of the failure at hand; "": not known */
};

/* 0, or -1 (no memory, or file descriptors). */
int kafka_events_init(struct kafka_events *e, struct event_base *base,
                      const struct kafka_events_calls *calls);
/* Before the producer is destroyed. */
void kafka_events_free(struct kafka_events *e);

/* There is a new producer in `out`: watches its queue. */
void kafka_events_watch(struct kafka_events *e);
/* The producer is given up: takes up what it still has to say (`heard` is not called), and watches it no
 * more. */
void kafka_events_hear_out(struct kafka_events *e);

#endif
