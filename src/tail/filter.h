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

/* Is this container to be shown: one of those asked for, and not left out by the configuration's include and
 * exclude? `running`: it runs now. Stopped containers are left out unless certain ones are asked for; those
 * asked for by name are shown even where the configuration leaves them out. */
bool tail_filter_container(struct tail_filter *f, const struct config *cfg, const struct tags *tags,
                           const struct identity *who, bool running);
/* Was any container to be shown? */
bool tail_filter_any(const struct tail_filter *f);
/* Did a container match the name of that index in the options? */
bool tail_filter_found(const struct tail_filter *f, size_t name);

/* Of one stream of a container: the fate of its last line. A line that continues it (indented, with no level
 * of its own) shares that fate. Zero-initialised. */
struct tail_filter_state {
    bool known, shown;
};

/* Is this line shown? `level`: what it came with; NONE: it is looked for in the text. `text` may be any
 * bytes; patterns see it without colours, and invalid UTF-8 as U+FFFD. */
bool tail_filter_line(struct tail_filter *f, struct tail_filter_state *state, enum stream stream,
                      enum severity level, struct slice text);

#endif
