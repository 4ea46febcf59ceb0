#include "tags_limits.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/utf8.h"
#include "hint_said.h"
#include "tags_fields.h"

#define SHOWN 100 /* bytes of a label's key that a message shows */

static const char *id_of(const struct tags *tags)
{
    return tags->full_id ? tags->full_id : tags->service;
}

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
    if (value && value[tags_text_len(value)] && hint_is_new(id_of(tags), key, value)) {
        metrics.cut_tags++;
        log_warn("what a container is called is too long: it is cut", KV("id", tags->id), KV("key", key),
                 KN("bytes", strlen(value)), KN("kept", tags_text_len(value)));
    }
}

void tags_say_long(const struct tags *tags)
{
    struct tag_field fields[TAG_FIELDS];
    tags_fields(tags, fields);
    say_cut(tags, "service", tags->service);
    for (size_t i = 0; i < TAG_FIELDS; i++) {
        say_cut(tags, fields[i].key, fields[i].value);
    }
}

bool tags_label_fits(const struct tags *tags, const char *key, const char *value, size_t *used)
{
    size_t size = strlen(key) + strlen(value);
    if (size <= TAG_LABELS_MAX - *used) {
        *used += size;
        return true;
    }
    if (hint_is_new(id_of(tags), key, value)) {
        struct error name = {0};
        error_set(&name, "%.*s", (int)kept(key, SHOWN), key);
        metrics.cut_tags++;
        log_warn("a container's labels are too long: one is left out of its lines", KV("id", tags->id),
                 KV("label", name.text), KN("bytes", size));
    }
    return false;
}
