/* Forgetting the positions of containers that were gone before this process began, and for long enough. Loop
 * thread. */
#ifndef SIDETAIL_SINK_KAFKA_EXPIRY_H
#define SIDETAIL_SINK_KAFKA_EXPIRY_H

#include <event2/event.h>
#include <stdint.h>

#include "checkpoint/checkpoint.h"

#include "marks.h"

struct kafka_expiry {
    struct event *timer;
    struct checkpoint *checkpoint;
    struct kafka_marks *marks;
    int64_t retention; /* ns */
};

/* 0, or -1 (no memory). */
int kafka_expiry_init(struct kafka_expiry *x, struct event_base *base, struct checkpoint *checkpoint,
                      struct kafka_marks *marks, int64_t retention);
void kafka_expiry_free(struct kafka_expiry *x);

/* Once the checkpoint holds the positions: looks for them after a grace, and then every hour. */
void kafka_expiry_start(struct kafka_expiry *x);

#endif
