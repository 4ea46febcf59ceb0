#include "tags_fields.h"

#include <stdlib.h>

void tags_fields(const struct tags *tags, struct tag_field fields[TAG_FIELDS])
{
    const struct tag_field all[TAG_FIELDS] = {
        {"project", tags->project},
        {"container", tags->container},
        {"id", tags->id},
        {"host", tags->host},
        {"namespace", tags->namespace_},
        {"pod", tags->pod},
        {"task", tags->task},
        {"node", tags->node},
        {"image", tags->image},
    };
    memcpy(fields, all, sizeof(all));
}

struct tags_pieces *tags_keep(struct buf *text, const size_t ends[STREAM_COUNT])
{
    struct tags_pieces *pieces = malloc(sizeof(*pieces) + text->len + TAGS_PAD);
    if (pieces) {
        memcpy(pieces->text, text->data, text->len);
        memset(pieces->text + text->len, 0, TAGS_PAD);
        size_t at = 0;
        for (int s = 0; s < STREAM_COUNT; s++) {
            pieces->head[s] = slice_of(pieces->text + at, ends[s] - at);
            at = ends[s];
        }
        pieces->tail = slice_of(pieces->text + at, text->len - at);
    }
    buf_free(text);
    return pieces;
}
