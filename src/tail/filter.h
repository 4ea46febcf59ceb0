/* Which containers and which of their lines `sidetail tail` shows. */
#ifndef SIDETAIL_TAIL_FILTER_H
#define SIDETAIL_TAIL_FILTER_H

#include "base/buf.h"
#include "record/tags.h"
#include "tail/options.h"

struct tail_filter;

/* Borrows the options. NULL: a regular expression is wrong, err says where. */
struct tail_filter *tail_filter_new(const struct tail_options *o, struct error *err);
void tail_filter_free(struct tail_filter *f); /* NULL is fine */

/* Is it one of those asked for, and of those that the configuration lets be collected? `running`: it runs
 * now. Stopped ones are left out where nobody asked for certain ones; those asked for by name are shown
 * though they are left out of collecting. */
bool tail_filter_container(struct tail_filter *f, const struct config *cfg, const struct tags *tags,
                           const struct identity *who, bool running);
/* Was one of those called as the name of that index says? */
bool tail_filter_found(const struct tail_filter *f, size_t name);

/* What is kept of one stream of a container: the fate of its last line, which a line that goes on with it (it
 * is indented and tells no level of its own) shares. Zero-initialised. */
struct tail_filter_state {
    bool known, shown;
};

/* Is this line shown? Raw text, any bytes. Patterns see it without colours, invalid UTF-8 as U+FFFD. */
bool tail_filter_line(struct tail_filter *f, struct tail_filter_state *state, enum stream stream,
                      struct slice text);

#endif
