#include "tags_limits.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/utf8.h"
#include "hint_said.h"
#include "tags_fields.h"

/* Bytes of a text of which so many are kept. */
static size_t kept(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    return len > max ? utf8_cut(text, max) : len;
}

size_t tags_text_len(const char *text)
{
    return kept(text, TAG_TEXT_MAX);
}

static void say_cut(const struct tags *tags, const char *key, const char *value)
{
    if (value && value[tags_text_len(value)] && hint_is_new(tags, key, value)) {
        metrics.cut_tags++;
        log_warn("what a container is called is too long, and cut", KV("id", tags->id), KV("key", key),
                 KN("bytes", strlen(value)), KN("kept", tags_text_len(value)));
    }
}

void tags_say_long(const struct tags *tags)
{
    struct tag_field fields[TAG_FIELDS];
    tags_fields(tags, fields);
    say_cut(tags, "service", tags->service);
    for (size_t i = 0; i < TAG_FIELDS; i++) {
        if (strcmp(fields[i].key, "host") != 0) { /* the operator's */
            say_cut(tags, fields[i].key, fields[i].value);
        }
    }
}

bool tags_label_fits(struct labels_room *room, const char *key, size_t value_len)
{
    size_t size = strlen(key) + value_len;
    bool fits = size <= TAG_LABELS_MAX - room->used;
    room->used += fits ? size : 0;
    if (!fits && room->left_out++ == 0) {
        room->first = key;
    }
    return fits;
}

void tags_say_labels(const struct tags *tags, const struct labels_room *room)
{
    if (room->left_out > 0 && hint_is_new(tags, "labels", room->first)) {
        struct error first = {0};
        error_set(&first, "%.*s", (int)kept(room->first, TAG_LABEL_SHOWN), room->first);
        metrics.cut_tags += room->left_out;
        log_warn("a container's labels are too long: some are left out of its lines", KV("id", tags->id),
                 KV("first", first.text), KN("left_out", room->left_out));
    }
}
