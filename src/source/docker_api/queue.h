/* The logs that wait to be opened. An Engine is asked for a few at once only (docker.max_opening), first come
 * first served, and for none while something holds the queue. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_QUEUE_H
#define SIDETAIL_SOURCE_DOCKER_API_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* What holds the queue; bits. */
enum queue_hold {
    HOLD_NO_ENGINE = 1, /* the Engine does not answer */
    HOLD_NO_ROOM = 2,   /* a log waits for room in the pipeline */
    HOLD_STOPPED = 4,   /* for good: nothing is queued any more */
};

/* A log's place in the queue, kept by the log. Zero-initialised but for the owner. */
struct queue_place {
    TAILQ_ENTRY(queue_place) link;
    void *owner;
    bool waiting;
};

struct open_queue {
    TAILQ_HEAD(queue_places, queue_place) places;
    void (*open)(void *owner);
    int64_t limit, opening;
    unsigned holds; /* bits of enum queue_hold */
};

/* Empty, held by `holds`. `open` begins to open a log; it counts as being opened until queue_settled. */
void queue_init(struct open_queue *q, int64_t limit, unsigned holds, void (*open)(void *owner));

/* Puts a log at the end. False: it is in the queue already, or the queue is stopped. */
bool queue_add(struct open_queue *q, struct queue_place *place);
/* Takes a log out; one that is not in is fine. */
void queue_remove(struct open_queue *q, struct queue_place *place);
/* A log that was being opened is open, or will not be. */
void queue_settled(struct open_queue *q);

void queue_hold(struct open_queue *q, enum queue_hold why);
void queue_release(struct open_queue *q, enum queue_hold why);
bool queue_held(const struct open_queue *q, enum queue_hold why);

/* Opens what may be opened now: to be called after each of the above that makes a place. */
void queue_open_next(struct open_queue *q);

#endif
