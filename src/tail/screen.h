/* Standard output as `sidetail tail` uses it: written without waiting, from a bounded buffer, and left as it
 * was found. O_NONBLOCK would be shared with the shell, so a pipe or terminal is opened anew through /proc;
 * where that is not possible, writes are small and made only when there is room. */
#ifndef SIDETAIL_TAIL_SCREEN_H
#define SIDETAIL_TAIL_SCREEN_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

#define SCREEN_PRIORITIES 3            /* of the base: reading comes first, so that much is written at once */
#define SCREEN_FULL       (256u << 10) /* bytes that wait to be written: append no more then */

struct screen;

struct screen_calls {
    void (*room)(void *arg);                            /* it was full, and has room again */
    void (*drained)(void *arg);                         /* all is written */
    void (*closed)(void *arg, const struct error *err); /* nobody reads any more (err NULL), or it failed */
    void *arg;
};

/* On a base with SCREEN_PRIORITIES. NULL: stdout is not open, or memory; err says which. */
struct screen *screen_new(struct event_base *base, const struct screen_calls *calls, struct error *err);

/* Whole lines are appended here. They are written as soon as there is nothing to read, or much to write. */
struct buf *screen_out(struct screen *s);
/* To be called after appending. */
void screen_written(struct screen *s);
/* Do SCREEN_FULL bytes wait, or is it closed? Then `room` follows once there is room again. */
bool screen_full(struct screen *s);
bool screen_empty(const struct screen *s);

/* Drops what waits. On a terminal, ends a line that stands there in part, and with `colors` the colours. NULL
 * is fine. */
void screen_free(struct screen *s, bool colors);

#endif
