#include "record/batch.h"

#include <stdlib.h>

#define MARKS_KEPT 64 /* room for more is for when there are many feeds */

struct batch *batch_new(void)
{
    return calloc(1, sizeof(struct batch));
}

void batch_clear(struct batch *b, size_t keep_bytes)
{
    for (uint32_t i = 0; i < b->nmarks; i++) {
        feed_key_unref(b->marks[i].key);
        tags_unref(b->marks[i].tags);
        compact_clear(&b->marks[i].pos);
    }
    if (b->out.cap > keep_bytes) {
        buf_free(&b->out); /* one huge line must not stay in memory for ever */
    }
    if (b->cap_marks > MARKS_KEPT) {
        free(b->marks);
        b->marks = NULL;
        b->cap_marks = 0;
    }
    b->out.len = 0;
    b->lines = b->nitems = b->nmarks = 0;
    b->sent = b->told = 0;
    b->sink_data = NULL;
    b->next = NULL;
}

void batch_free(struct batch *b)
{
    batch_clear(b, 0);
    free(b->items);
    free(b->marks);
    free(b);
}

struct mark *batch_add_mark(struct batch *b)
{
    if (b->nmarks == b->cap_marks) {
        uint32_t cap = b->cap_marks ? b->cap_marks * 2 : 16;
        struct mark *marks = realloc(b->marks, cap * sizeof(*marks));
        if (!marks) {
            return NULL;
        }
        b->marks = marks;
        b->cap_marks = cap;
    }
    struct mark *mark = &b->marks[b->nmarks++];
    *mark = (struct mark){0};
    return mark;
}

struct item *batch_add_item(struct batch *b)
{
    if (b->nitems == b->cap_items) {
        uint32_t cap = b->cap_items ? b->cap_items * 2 : 256;
        struct item *items = realloc(b->items, cap * sizeof(*items));
        if (!items) {
            return NULL;
        }
        b->items = items;
        b->cap_items = cap;
    }
    return &b->items[b->nitems++];
}
