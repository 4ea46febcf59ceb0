#include "value.h"

#include <string.h>

#include "base/clock.h"
#include "base/json_check.h"
#include "base/json_walk.h"
#include "base/text.h"
#include "record/severity.h"

static const struct slice tag_names[VALUE_TAGS] = {
    [VALUE_SERVICE] = {"service", 7}, [VALUE_PROJECT] = {"project", 7}, [VALUE_CONTAINER] = {"container", 9},
    [VALUE_ID] = {"id", 2},           [VALUE_HOST] = {"host", 4},       [VALUE_NAMESPACE] = {"namespace", 9},
    [VALUE_POD] = {"pod", 3},         [VALUE_TASK] = {"task", 4},       [VALUE_NODE] = {"node", 4},
    [VALUE_IMAGE] = {"image", 5},     [VALUE_LABELS] = {"labels", 6},
};

static bool is(struct slice key, const char *name)
{
    return slice_eq(key, slice_str(name));
}

static enum severity level_of(struct slice name)
{
    char text[16] = "";
    if (name.len < sizeof(text)) {
        memcpy(text, name.ptr, name.len);
    }
    return severity_find(text);
}

static void take_tag(struct value *out, struct slice key, struct slice value, bool is_string)
{
    for (int i = 0; i < VALUE_TAGS; i++) {
        bool fits = i == VALUE_LABELS ? !is_string && *value.ptr == '{' : is_string;
        if (fits && slice_eq(key, tag_names[i])) {
            out->tags[i] = value;
        }
    }
}

/* What a line must have; the rest may be missing. */
struct found {
    bool time, stream, log;
};

static void take_member(struct value *out, struct found *found, struct slice key, struct slice value)
{
    bool is_string = *value.ptr == '"';
    if (is_string) {
        value = slice_of(value.ptr + 1, value.len - 2);
    }
    if (is(key, "log")) {
        out->text = value;
        found->log = is_string;
    } else if (is(key, "time")) {
        found->time = is_string && clock_parse(value, &out->time_ns) == 0;
    } else if (is(key, "stream")) {
        out->stream = is(value, "stderr") ? STREAM_STDERR : STREAM_STDOUT;
        found->stream = is_string && (out->stream == STREAM_STDERR || is(value, "stdout"));
    } else if (is(key, "level")) {
        out->level = is_string ? (uint8_t)level_of(value) : 0;
    } else if (is(key, "partial")) {
        out->partial = is(value, "true");
    } else {
        take_tag(out, key, value, is_string);
    }
}

static void walk(const char *p, struct value *out, struct found *found)
{
    struct slice key, value;
    p = json_members(p);
    while (json_next_member(&p, &key, &value)) {
        take_member(out, found, key, value);
    }
}

int64_t value_time(int64_t timestamp_ms, int64_t otherwise_ns)
{
    int64_t ns;
    bool is_time = timestamp_ms >= 0 && !__builtin_mul_overflow(timestamp_ms, NS_PER_MS, &ns);
    return is_time ? ns : otherwise_ns;
}

bool value_parse(struct slice bytes, struct value *out)
{
    struct found found = {0};
    if (bytes.len < 2 || bytes.ptr[0] != '{' || !text_utf8_valid(bytes) || !json_check_object(bytes)) {
        return false;
    }
    *out = (struct value){0};
    walk(bytes.ptr, out, &found);
    return found.time && found.stream && found.log && out->tags[VALUE_SERVICE].ptr;
}
