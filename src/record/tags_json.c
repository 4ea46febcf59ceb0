/* The pieces of a container's JSON lines that are the same in each of them. */
#include <stdlib.h>

#include "base/text.h"

#include "tags_fields.h"

/* `,"key":"value"`; nothing when there is no value. */
static int add_field(struct buf *out, const char *key, const char *value)
{
    if (!value) {
        return 0;
    }
    return buf_addf(out, ",\"%s\":\"", key) < 0 || text_escape(out, slice_str(value)) < 0
               ? -1
               : buf_add(out, "\"", 1);
}

static int add_labels(struct buf *out, const json_t *labels)
{
    if (!labels) {
        return 0;
    }
    char *text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);
    int result = text ? buf_addf(out, ",\"labels\":%s", text) : -1;
    free(text);
    return result;
}

static int add_head(struct buf *head, const char *service, const char *stream)
{
    if (buf_add(head, "\"", 1) < 0 || add_field(head, "service", service) < 0 ||
        add_field(head, "stream", stream) < 0 ||
        buf_add(head, TAGS_JSON_LOG, sizeof(TAGS_JSON_LOG) - 1) < 0) {
        return -1;
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
        if (add_field(tail, fields[i].key, fields[i].value) < 0) {
            return -1;
        }
    }
    return add_labels(tail, tags->labels) < 0 ? -1 : buf_add(tail, TAGS_JSON_END, sizeof(TAGS_JSON_END) - 1);
}

const struct tags_pieces *tags_render_json(const struct tags *shared)
{
    static const char *const streams[] = {[STREAM_STDOUT] = "stdout", [STREAM_STDERR] = "stderr"};
    struct tags *tags = (struct tags *)shared; /* no tag changes: what is filled in is a copy of them */
    struct buf text = {0};
    size_t ends[STREAM_COUNT];
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (add_head(&text, tags->service, streams[s]) < 0) {
            buf_free(&text);
            return NULL;
        }
        ends[s] = text.len;
    }
    if (add_tail(&text, tags) < 0) {
        buf_free(&text);
        return NULL;
    }
    return tags->json = tags_keep(&text, ends);
}
