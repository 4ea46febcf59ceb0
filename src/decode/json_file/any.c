/* Any valid JSON object with a string `log`, by jansson. */
#include <jansson.h>

#include "base/clock.h"
#include "decode/decode.h"

/* The string under `key`; empty when there is no such key. 0, or -1 when it is something else. */
static int string_of(const json_t *object, const char *key, struct slice *out)
{
    const json_t *value = json_object_get(object, key);
    *out = (struct slice){"", 0};
    if (!value) {
        return 0;
    }
    *out = slice_of(json_string_value(value), json_string_length(value));
    return json_is_string(value) ? 0 : -1;
}

static int stream_of(struct slice name, enum stream *out)
{
    *out = slice_eq(name, SLICE("stderr")) ? STREAM_STDERR : STREAM_STDOUT;
    return name.len == 0 || slice_eq(name, SLICE("stdout")) || *out == STREAM_STDERR ? 0 : -1;
}

/* Fills in the record, its slices in scratch. */
static int read_object(const json_t *object, struct record *out, struct buf *scratch)
{
    struct slice text, time, stream;
    enum stream which;
    int64_t ns;
    if (!json_is_string(json_object_get(object, "log")) || string_of(object, "log", &text) < 0 ||
        string_of(object, "time", &time) < 0 || string_of(object, "stream", &stream) < 0 ||
        stream_of(stream, &which) < 0 || (time.len > 0 && clock_parse(time, &ns) < 0)) {
        return -1;
    }
    scratch->len = 0;
    if (buf_reserve(scratch, text.len + time.len + DECODE_PAD) < 0) {
        return -1;
    }
    buf_put(scratch, text.ptr, text.len);
    buf_put(scratch, time.ptr, time.len);
    bool whole = text.len > 0 && text.ptr[text.len - 1] == '\n';
    *out = (struct record){
        .text = {scratch->data, text.len - whole},
        .time = {scratch->data + text.len, time.len},
        .stream = which,
        .more = !whole && text.len >= PIECE_MIN,
    };
    return 0;
}

int decode_json_any(const char *line, size_t len, struct record *out, struct buf *scratch)
{
    /* A key that comes twice would hide one of its values: not valid here. */
    json_t *object = json_loadb(line, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    int result = object ? read_object(object, out, scratch) : -1;
    json_decref(object);
    return result;
}
