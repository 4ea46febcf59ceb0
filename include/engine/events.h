/* What happens to the containers of an Engine, as a stream of events. */
#ifndef SIDETAIL_ENGINE_EVENTS_H
#define SIDETAIL_ENGINE_EVENTS_H

#include "engine/engine.h"

/* One event of a container; borrowed until the callback returns. */
struct engine_event {
    const char *action; /* start, die, destroy, rename */
    const char *id;
    const char *name; /* without slash; NULL: unknown */
    int exit_code;    /* of die; else -1 */
    int64_t time_ns;
};

struct event_calls {
    /* From now on no event is missed; those since `since_ns` come as well. May be NULL. */
    void (*opened)(void *arg);
    void (*event)(void *arg, const struct engine_event *event);
    /* The last call: the stream is gone and freed. err is never NULL. */
    void (*end)(void *arg, const struct error *err);
    void *arg;
};

struct event_stream;

/* Events of that time (the Engine's clock) and later. NULL: memory. */
struct event_stream *event_stream_open(struct engine *e, int64_t since_ns, const struct event_calls *calls);
/* No call comes any more. NULL is fine. */
void event_stream_close(struct event_stream *s);

#endif
