#include "text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define HEADER "{\"sidetail\":\"checkpoint\",\"version\":%d,\"xxh3\":\"%016llx\"}\n"
#define HEADER_SIZE                                                                                          \
    (sizeof("{\"sidetail\":\"checkpoint\",\"version\":1,\"xxh3\":\"0123456789abcdef\"}\n") - 1)

static int add_entry(struct buf *out, const struct entry *e, bool first, int64_t now_s)
{
    if (buf_add(out, first ? "\"" : ",\"", first ? 1 : 2) < 0 || position_key_write(out, e->key) < 0 ||
        buf_addf(out, "\":{\"seen\":%lld,\"at\":", (long long)(e->in_use ? now_s : e->seen)) < 0 ||
        position_write(out, &e->pos) < 0) {
        return -1;
    }
    return buf_add(out, "}", 1);
}

int text_write(struct buf *out, const struct entries *entries, const struct position *output, int64_t now_s)
{
    out->len = 0;
    if (buf_reserve(out, HEADER_SIZE + 1) < 0) {
        return -1;
    }
    out->len = HEADER_SIZE; /* written last */
    bool has_output = output->kind != POSITION_NONE;
    if (buf_addf(out, has_output ? "{\"output\":" : "{\"output\":null") < 0 ||
        (has_output && position_write(out, output) < 0) || buf_addf(out, ",\"feeds\":{") < 0) {
        return -1;
    }
    for (const struct entry *e = entries->first; e; e = e->hh.next) {
        if (add_entry(out, e, e == entries->first, now_s) < 0) {
            return -1;
        }
    }
    if (buf_add(out, "}}", 2) < 0) {
        return -1;
    }
    char header[HEADER_SIZE + 1];
    unsigned long long sum = XXH3_64bits(out->data + HEADER_SIZE, out->len - HEADER_SIZE);
    snprintf(header, sizeof(header), HEADER, TEXT_VERSION, sum);
    memcpy(out->data, header, HEADER_SIZE);
    return buf_add(out, "\n", 1);
}

static int parse_entry(struct entries *entries, const char *name, json_t *json)
{
    json_int_t seen;
    json_t *at;
    struct position pos;
    if (json_unpack(json, "{s:I,s:o!}", "seen", &seen, "at", &at) < 0 || position_from_json(at, &pos) < 0 ||
        pos.kind == POSITION_NONE) {
        return -1;
    }
    char *key = strdup(name);
    size_t len = key ? position_key_read(key) : 0;
    struct entry *e = len > 0 ? entries_add(entries, key, len) : NULL;
    free(key);
    if (!e) {
        return -1;
    }
    e->pos = pos;
    e->seen = seen;
    return 0;
}

static int parse_body(struct slice body, struct entries *entries, struct position *output, struct error *err)
{
    json_error_t where;
    json_t *root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &where);
    json_t *file, *feeds, *value;
    const char *key;
    int result = -1;
    if (!root) {
        error_set(err, "line 2: %s", where.text);
    } else if (json_unpack(root, "{s:o,s:o!}", "output", &file, "feeds", &feeds) < 0 ||
               !json_is_object(feeds) || (!json_is_null(file) && position_from_json(file, output) < 0)) {
        error_set(err, "line 2 is not {\"output\":…,\"feeds\":{…}}");
    } else {
        result = 0;
        json_object_foreach(feeds, key, value)
        {
            if (parse_entry(entries, key, value) < 0) {
                result = error_set(err, "the entry of feed '%s' is not a position", key);
                break;
            }
        }
    }
    json_decref(root);
    return result;
}

/* Is the second line whole, and as the header's sum says? 0 or -1. */
static int check_body(struct slice body, const char *sum, struct error *err)
{
    char expected[17];
    if (body.len == 0 || body.ptr[body.len - 1] != '\n') {
        return error_set(err, "its end is missing");
    }
    snprintf(expected, sizeof(expected), "%016llx", (unsigned long long)XXH3_64bits(body.ptr, body.len - 1));
    if (strcmp(sum, expected) != 0) {
        return error_set(err, "its checksum is %s, but the header says %s", expected, sum);
    }
    return 0;
}

/* The first line. *sum points into `header`. */
static enum text_result read_header(json_t *header, int *version, const char **sum, struct error *err)
{
    const char *what;
    if (header && json_unpack(header, "{s:s,s:i}", "sidetail", &what, "version", version) == 0 &&
        strcmp(what, "checkpoint") == 0 && *version >= 1) {
        if (*version > TEXT_VERSION) {
            return TEXT_NEWER;
        }
        if (json_unpack(header, "{s:s,s:i,s:s!}", "sidetail", &what, "version", version, "xxh3", sum) == 0) {
            return TEXT_READ;
        }
    }
    error_set(err, "line 1 is not the header of a checkpoint");
    return TEXT_DAMAGED;
}

enum text_result text_read(struct slice text, struct entries *entries, struct position *output, int *version,
                           struct error *err)
{
    const char *end = memchr(text.ptr, '\n', text.len);
    json_t *header = end ? json_loadb(text.ptr, (size_t)(end - text.ptr), 0, NULL) : NULL;
    const char *sum = NULL;
    enum text_result result = read_header(header, version, &sum, err);
    if (result == TEXT_READ) {
        struct slice body = slice_of(end + 1, text.len - (size_t)(end + 1 - text.ptr));
        if (check_body(body, sum, err) < 0 ||
            parse_body(slice_of(body.ptr, body.len - 1), entries, output, err) < 0) {
            result = TEXT_DAMAGED;
        }
    }
    json_decref(header);
    return result;
}
