/* Logs that are written to steadily. Such a log is read at a pace of its own, and nobody needs to be told of each of its
 * lines, which costs as much as reading them. Once it rests, it is told of again. */
#ifndef SIDETAIL_SOURCE_LOG_STEADY_H
#define SIDETAIL_SOURCE_LOG_STEADY_H

#include "follow.h"

TAILQ_HEAD(turns, turn);

/* Only steady.c writes this. */
struct steady {
    struct turns logs;
    int64_t due_ns; /* monotonic: when they are to be read */
};

void steady_init(struct steady *s);
/* It was read to its end; `found`: and something was new. `wait`: see config_read_wait; they are read each time that has
 * passed, or each few ms where reading does not wait. False: it is told of again from now on, and has to be read once
 * more: something may have come before that. */
bool steady_note(struct steady *s, struct turn *turn, bool found, int64_t wait);
/* For one of them, where it cannot be read so often: it is told of again, and has to be read once more, likewise. False:
 * not so. */
bool steady_end(struct steady *s, struct turn *turn);
/* Others are read now. Are they due, or nearly so? Then they will be again after their pace. */
bool steady_due(struct steady *s, int64_t wait);
/* In how many nanoseconds? */
int64_t steady_left(const struct steady *s);
void steady_remove(struct steady *s, struct turn *turn); /* where it is one of them */

#endif
