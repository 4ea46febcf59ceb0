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

char *tags_pad(struct buf *pieces)
{
    if (buf_reserve(pieces, TAGS_PAD) < 0) {
        return NULL;
    }
    memset(pieces->data + pieces->len, 0, TAGS_PAD);
    buf_fit(pieces, TAGS_PAD); /* there may be thousands */
    return pieces->data;
}
