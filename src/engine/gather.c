#include "gather.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/paced.h"

#define ROOM 16 /* connections read before it is asked what the time is */

struct gather {
    int fd; /* of epoll(7) */
    struct paced paced;
    struct epoll_event ready[ROOM]; /* those being read; NULL: one that was removed meanwhile */
    int count;
};

/* Reads up to ROOM of those that are ready. Returns how many they were. */
static int read_some(struct gather *g)
{
    int ready = epoll_wait(g->fd, g->ready, ROOM, 0);
    g->count = ready > 0 ? ready : 0;
    for (int i = 0; i < g->count; i++) {
        struct gathered *c = g->ready[i].data.ptr;
        if (c) {
            c->read(c->arg);
        }
    }
    g->count = 0;
    return ready;
}

/* Those for which time does not suffice come first next time. */
static bool take(void *arg)
{
    int64_t until = clock_monotonic() + LOOP_TURN_NS;
    int first = read_some(arg), ready = first;
    while (ready == ROOM && clock_monotonic() < until) {
        ready = read_some(arg);
    }
    return first > 0;
}

struct gather *gather_new(struct event_base *base, int64_t pace)
{
    struct gather *g = calloc(1, sizeof(*g));
    if (!g) {
        return NULL;
    }
    g->fd = epoll_create1(EPOLL_CLOEXEC);
    if (g->fd < 0 || paced_start(&g->paced, base, g->fd, pace, take, g) < 0) {
        gather_free(g);
        return NULL;
    }
    return g;
}

void gather_free(struct gather *g)
{
    if (!g) {
        return;
    }
    paced_stop(&g->paced);
    if (g->fd >= 0) {
        close(g->fd);
    }
    free(g);
}

bool gather_add(struct gather *g, struct gathered *c, int fd, gathered_fn *read, void *arg)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (!g || epoll_ctl(g->fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        return false;
    }
    *c = (struct gathered){g, fd, read, arg};
    return true;
}

void gather_remove(struct gathered *c)
{
    struct gather *g = c->gather;
    if (!g) {
        return;
    }
    epoll_ctl(g->fd, EPOLL_CTL_DEL, c->fd, NULL);
    for (int i = 0; i < g->count; i++) {
        if (g->ready[i].data.ptr == c) {
            g->ready[i].data.ptr = NULL;
        }
    }
    c->gather = NULL;
}
