/* A descriptor that tells of many little things, in the loop. While few come, each is told of at once. Where they come faster
 * than the pace, they are left with the kernel, and told of together at each turn of that, until there were none for some
 * turns: as network drivers do. */
#ifndef SIDETAIL_BASE_PACED_H
#define SIDETAIL_BASE_PACED_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#define PACED_ROUNDS 8 /* so many within the time of as many turns, and it is busy */

/* Takes what the descriptor has to tell. False: nothing. */
typedef bool paced_fn(void *arg);

/* Written by paced.c alone. Zero-initialised: it is stopped. */
struct paced {
    struct event *readable;
    int timer;          /* with `turn`; without one all is told at once */
    struct event *turn; /* the timer's, while it is busy */
    int64_t pace;
    int64_t told_ns[PACED_ROUNDS]; /* monotonic: when there was something last; the oldest is at `told` */
    unsigned told, quiet;          /* quiet: so many turns were in vain */
    paced_fn *take;
    void *arg;
};

/* Begins; `pace` is in nanoseconds, less than a second. The descriptor, which poll(2) calls readable while it has something to
 * tell, is borrowed until paced_stop. 0, or -1: memory, and it is stopped. */
int paced_start(struct paced *p, struct event_base *base, int fd, int64_t pace, paced_fn *take, void *arg);
/* Another pace, once it was quiet in between. */
void paced_set(struct paced *p, int64_t pace);
static inline bool paced_runs(const struct paced *p)
{
    return p->readable != NULL;
}
/* Not from within `take`. Of one that is stopped, nothing happens. */
void paced_stop(struct paced *p);

#endif
