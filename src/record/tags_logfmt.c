/* The pieces of a container's logfmt lines that are the same in each of them. */
#include "base/logfmt.h"
#include "tags_fields.h"

/* ` PREFIXkey=value`; nothing when there is no value. */
static int add_pair(struct buf *out, const char *prefix, const char *key, const char *value)
{
    if (!value) {
        return 0;
    }
    return buf_addf(out, " %s", prefix) < 0 || logfmt_add_key(out, slice_str(key)) < 0 ||
                   buf_add(out, "=", 1) < 0 || logfmt_add_value(out, slice_str(value)) < 0
               ? -1
               : 0;
}

static int add_head(struct buf *head, const char *service)
{
    static const char stream[] = " stream=";
    return add_pair(head, "", "service", service) < 0 ? -1 : buf_add(head, stream, sizeof(stream) - 1);
}

/* In the Engine's order: it sorts labels by their keys. */
static int add_labels(struct buf *out, const json_t *labels)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)labels, key, value)
    {
        if (add_pair(out, "label.", key, json_string_value(value)) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_tail(struct buf *tail, const struct tags *tags)
{
    struct tag_field fields[TAG_FIELDS];
    tags_fields(tags, fields);
    if (buf_add(tail, "\"", 1) < 0) {
        return -1;
    }
    for (size_t i = 0; i < TAG_FIELDS; i++) {
        if (add_pair(tail, "", fields[i].key, fields[i].value) < 0) {
            return -1;
        }
    }
    return add_labels(tail, tags->labels);
}

const struct tags_pieces *tags_render_logfmt(const struct tags *shared)
{
    struct tags *tags = (struct tags *)shared; /* no tag changes: what is filled in is a copy of them */
    struct buf text = {0};
    size_t ends[STREAM_COUNT];
    if (add_head(&text, tags->service) < 0) {
        buf_free(&text);
        return NULL;
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        ends[s] = text.len;
    }
    if (add_tail(&text, tags) < 0) {
        buf_free(&text);
        return NULL;
    }
    return tags->logfmt = tags_keep(&text, ends);
}
