#include "tags_fields.h"

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

int tags_pad(struct buf *piece)
{
    if (buf_reserve(piece, TAGS_PAD) < 0) {
        return -1;
    }
    memset(piece->data + piece->len, 0, TAGS_PAD);
    buf_fit(piece, TAGS_PAD); /* there may be thousands */
    return 0;
}
