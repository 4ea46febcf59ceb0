#include "writer.h"

#include <stdlib.h>

#include "say.h"

struct tail_writer *tail_writer_new(struct tags *tags)
{
    struct tail_writer *w = calloc(1, sizeof(*w));
    if (!w) {
        tail_out_of_memory();
    }
    w->refs = 1;
    w->tags = tags_ref(tags);
    return w;
}

void tail_writer_retag(struct tail_writer *w, struct tags *tags)
{
    tags_ref(tags);
    tags_unref(w->tags);
    w->tags = tags;
}

struct tail_writer *tail_writer_ref(struct tail_writer *w)
{
    if (w) {
        w->refs++;
    }
    return w;
}

void tail_writer_unref(struct tail_writer *w)
{
    if (w && --w->refs == 0) {
        tags_unref(w->tags);
        free(w);
    }
}
