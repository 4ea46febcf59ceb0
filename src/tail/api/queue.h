/* The logs that wait to be opened. An Engine is asked for a few at once only (docker.max_opening). Histories
 * come first; while there is one that is not read, nothing else is opened. */
#ifndef SIDETAIL_TAIL_API_QUEUE_H
#define SIDETAIL_TAIL_API_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* A log's place in the queue, kept by the log. */
struct log_place {
    TAILQ_ENTRY(log_place) link;
    void *owner;
    bool past;    /* its history is not read */
    bool waiting; /* to be opened */
    bool opening; /* asked for; the Engine has not answered yet */
};

struct log_queue {
    TAILQ_HEAD(log_places, log_place) places; /* those that wait */
    void (*open)(void *owner);
    int64_t limit, opening;
    size_t past; /* logs whose history is not read, waiting or not */
};

/* Empty. `open` begins to open a log that left the queue. */
void log_queue_init(struct log_queue *q, int64_t limit, void (*open)(void *owner));

/* A log that does not wait yet; its history is to be read. */
void log_queue_join(struct log_queue *q, struct log_place *place, void *owner);
/* It is gone. */
void log_queue_leave(struct log_queue *q, struct log_place *place);

/* It waits to be opened. It may do so already. */
void log_queue_add(struct log_queue *q, struct log_place *place);
/* `open` asked for it. */
void log_queue_asked(struct log_queue *q, struct log_place *place);
/* It is open, or will not be; it need not have been asked for. */
void log_queue_settled(struct log_queue *q, struct log_place *place);
/* Its history is read. Once only. */
void log_queue_past_read(struct log_queue *q, struct log_place *place);

/* Opens what may be opened now: to be called after each of the above. */
void log_queue_open_next(struct log_queue *q);

#endif
