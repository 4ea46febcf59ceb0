/* Who wrote a line, and what became of its last one. */
#ifndef SIDETAIL_TAIL_WRITER_H
#define SIDETAIL_TAIL_WRITER_H

#include "filter.h"
#include "record/tags.h"

struct tail_writer {
    unsigned refs;
    struct tags *tags; /* a reference */
    struct tail_filter_state filter[STREAM_COUNT];
};

/* With one reference; takes one of the tags. Memory that runs out ends the process. */
struct tail_writer *tail_writer_new(struct tags *tags);
void tail_writer_retag(struct tail_writer *w, struct tags *tags);
/* NULL is fine for both. */
struct tail_writer *tail_writer_ref(struct tail_writer *w);
void tail_writer_unref(struct tail_writer *w);

#endif
