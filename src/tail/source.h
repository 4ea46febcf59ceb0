/* A source of `sidetail tail`: it finds the containers to be shown, and hands what they write to feeds. */
#ifndef SIDETAIL_TAIL_SOURCE_H
#define SIDETAIL_TAIL_SOURCE_H

#include "feeds.h"

/* What a source is given; borrowed, and valid until it is closed. The callbacks are called from the loop or
 * from inside `open`. */
struct tail_env {
    struct event_base *base;
    const struct tail_options *options;
    const struct config *cfg;
    struct tail_filter *filter;
    struct tail_feeds *feeds;
    bool follow; /* go on with new lines */
    /* The source cannot begin, and nothing was handed over yet: the other source is tried where it may be.
     * This one is closed soon after. Not from inside `open`, which returns an error. */
    void (*cannot_begin)(void *arg, const struct error *err);
    /* All containers that there are at the beginning have their feeds. */
    void (*listed)(void *arg);
    /* Of a source that knows by their lines alone who wrote: what is of before the beginning is read. */
    void (*read_past)(void *arg);
    /* Nothing more will come: tail ends when all is written. */
    void (*finish)(void *arg);
    /* The same for a reason that is a fault, which is said. */
    void (*fail)(void *arg, const struct error *err);
    void *arg;
};

struct tail_source {
    /* Begins at once. NULL on error. */
    void *(*open)(const struct tail_env *env, struct error *err);
    void (*close)(void *source);
};

#endif
