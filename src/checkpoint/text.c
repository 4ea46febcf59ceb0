/* The checkpoint's file as text: both ways. */
#include <stdlib.h>
#include <xxhash.h>

#include "internal.h"

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

int checkpoint_format(struct checkpoint *c, int64_t now_s)
{
    struct buf *out = &c->text;
    out->len = 0;
    if (buf_reserve(out, HEADER_SIZE + 1) < 0) {
        return -1;
    }
    out->len = HEADER_SIZE; /* written last */
    bool output = c->output.kind != POSITION_NONE;
    if (buf_addf(out, output ? "{\"output\":" : "{\"output\":null") < 0 ||
        (output && position_write(out, &c->output) < 0) || buf_addf(out, ",\"feeds\":{") < 0) {
        return -1;
    }
    for (const struct entry *e = c->entries; e; e = e->hh.next) {
        if (add_entry(out, e, e == c->entries, now_s) < 0) {
            return -1;
        }
    }
    if (buf_add(out, "}}", 2) < 0) {
        return -1;
    }
    char header[HEADER_SIZE + 1];
    unsigned long long sum = XXH3_64bits(out->data + HEADER_SIZE, out->len - HEADER_SIZE);
    snprintf(header, sizeof(header), HEADER, CHECKPOINT_VERSION, sum);
    memcpy(out->data, header, HEADER_SIZE);
    return buf_add(out, "\n", 1);
}

static int parse_entry(struct checkpoint *c, const char *name, json_t *json)
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
    struct entry *e = len > 0 ? checkpoint_entry(c, key, len) : NULL;
    free(key);
    if (!e) {
        return -1;
    }
    e->pos = pos;
    e->seen = seen;
    return 0;
}

static int parse_body(struct checkpoint *c, struct slice body, struct error *err)
{
    json_error_t where;
    json_t *root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &where);
    json_t *output, *feeds, *value;
    const char *key;
    int result = -1;
    if (!root) {
        error_set(err, "line 2: %s", where.text);
    } else if (json_unpack(root, "{s:o,s:o!}", "output", &output, "feeds", &feeds) < 0 ||
               !json_is_object(feeds) ||
               (!json_is_null(output) && position_from_json(output, &c->output) < 0)) {
        error_set(err, "line 2 is not {\"output\":…,\"feeds\":{…}}");
    } else {
        result = 0;
        json_object_foreach(feeds, key, value)
        {
            if (parse_entry(c, key, value) < 0) {
                result = error_set(err, "the entry of feed '%s' is not a position", key);
                break;
            }
        }
    }
    json_decref(root);
    return result;
}

enum checkpoint_read checkpoint_parse(struct checkpoint *c, struct slice text, int *version,
                                      struct error *err)
{
    const char *end = memchr(text.ptr, '\n', text.len);
    json_t *header = end ? json_loadb(text.ptr, (size_t)(end - text.ptr), 0, NULL) : NULL;
    const char *what, *sum;
    enum checkpoint_read result = CHECKPOINT_DAMAGED;
    if (!header || json_unpack(header, "{s:s,s:i}", "sidetail", &what, "version", version) < 0 ||
        strcmp(what, "checkpoint") != 0 || *version < 1) {
        error_set(err, "line 1 is not the header of a checkpoint");
    } else if (*version > CHECKPOINT_VERSION) {
        result = CHECKPOINT_NEWER;
    } else if (json_unpack(header, "{s:s,s:i,s:s!}", "sidetail", &what, "version", version, "xxh3", &sum) <
               0) {
        error_set(err, "line 1 is not the header of a checkpoint");
    } else {
        struct slice body = slice_of(end + 1, text.len - (size_t)(end + 1 - text.ptr));
        char expected[17];
        snprintf(expected, sizeof(expected), "%016llx",
                 (unsigned long long)(body.len > 0 ? XXH3_64bits(body.ptr, body.len - 1) : 0));
        if (body.len == 0 || body.ptr[body.len - 1] != '\n') {
            error_set(err, "its end is missing");
        } else if (strcmp(sum, expected) != 0) {
            error_set(err, "its checksum is %s, but the header says %s", expected, sum);
        } else if (parse_body(c, slice_of(body.ptr, body.len - 1), err) == 0) {
            result = CHECKPOINT_OK;
        }
    }
    json_decref(header);
    return result;
}
