/* Connections on each of which a little comes often, as the log of a container does: one descriptor tells of them all, and
 * while much happens they are read together, at a pace (base/paced.h). One that brings much does not belong here: the kernel
 * keeps some 280 small messages for a connection, and whoever sends more is held up until they are read. */
#ifndef SIDETAIL_ENGINE_GATHER_H
#define SIDETAIL_ENGINE_GATHER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct gather;

/* Reads what a connection has, without waiting for more. It may remove itself and others. */
typedef void gathered_fn(void *arg);

/* One connection, in memory of its owner; borrowed until it is removed. Written by gather.c alone. Zero-initialised: it is
 * not gathered. */
struct gathered {
    struct gather *gather;
    int fd;
    gathered_fn *read;
    void *arg;
};

/* `pace` is in nanoseconds. NULL: none was to be had, connections are read one by one. */
struct gather *gather_new(struct event_base *base, int64_t pace);
/* After all of its connections were removed. NULL is fine. */
void gather_free(struct gather *g);

/* From now on it is read when all are. False: not so, memory is out or `g` is NULL. */
bool gather_add(struct gather *g, struct gathered *c, int fd, gathered_fn *read, void *arg);
/* Before its descriptor is closed. Of one that is not gathered, nothing happens. */
void gather_remove(struct gathered *c);

#endif
