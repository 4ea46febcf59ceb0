#include "text.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/memory.h"
#include "store.h"

#define HEADER "{\"sidetail\":\"checkpoint\",\"version\":%d,\"xxh3\":\"%016llx\"}\n"
#define HEADER_SIZE                                                                                          \
    (sizeof("{\"sidetail\":\"checkpoint\",\"version\":1,\"xxh3\":\"0123456789abcdef\"}\n") - 1)

#define PIECE 65536 /* bytes that are written, or looked at, at a time */

/* -- writing: piece by piece, for the whole may be as large as all else that is held ------------ */

struct writer {
    int fd;
    struct buf piece;
    XXH3_state_t *sum;
    int version; /* that all which was written needs */
};

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* Writes the piece, and takes it into the sum. */
static int flush(struct writer *w)
{
    int result = write_all(w->fd, w->piece.data, w->piece.len);
    XXH3_64bits_update(w->sum, w->piece.data, w->piece.len);
    w->piece.len = 0;
    return result;
}

static int add_entry(struct writer *w, const struct entry *e, bool first, int64_t now_s)
{
    struct buf *out = &w->piece;
    struct position pos;
    compact_get(&e->pos, &pos);
    w->version = pos.tears.count > 0 ? TEXT_VERSION : w->version;
    if (buf_add(out, first ? "\"" : ",\"", first ? 1 : 2) < 0 || position_key_write(out, e->key) < 0 ||
        buf_addf(out, "\":{\"seen\":%lld,\"at\":", (long long)(e->in_use ? now_s : e->seen)) < 0 ||
        position_write(out, &pos) < 0) {
        errno = ENOMEM;
        return -1;
    }
    return buf_add(out, "}", 1);
}

static int write_body(struct writer *w, const struct entries *entries, const struct position *output,
                      int64_t now_s)
{
    struct buf *out = &w->piece;
    bool has_output = output->kind != POSITION_NONE;
    errno = ENOMEM; /* of what fails before the first flush */
    if (buf_addf(out, has_output ? "{\"output\":" : "{\"output\":null") < 0 ||
        (has_output && position_write(out, output) < 0) || buf_addf(out, ",\"feeds\":{") < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < entries->count; i++) {
        if (add_entry(w, entries->all[i], i == 0, now_s) < 0 || (out->len >= PIECE && flush(w) < 0)) {
            return -1;
        }
    }
    return buf_add(out, "}}", 2) < 0 ? -1 : flush(w);
}

/* The sum is known last, and stands first. */
static int write_all_of_it(struct writer *w, const struct entries *entries, const struct position *output,
                           int64_t now_s)
{
    char header[HEADER_SIZE + 1];
    memset(header, ' ', HEADER_SIZE);
    if (write_all(w->fd, header, HEADER_SIZE) < 0 || write_body(w, entries, output, now_s) < 0 ||
        write_all(w->fd, "\n", 1) < 0) {
        return -1;
    }
    snprintf(header, sizeof(header), HEADER, w->version, (unsigned long long)XXH3_64bits_digest(w->sum));
    return lseek(w->fd, 0, SEEK_SET) < 0 ? -1 : write_all(w->fd, header, HEADER_SIZE);
}

int text_write(int fd, const struct entries *entries, const struct position *output, int64_t now_s)
{
    struct writer w = {.fd = fd, .sum = XXH3_createState(), .version = TEXT_VERSION_NO_TEARS};
    errno = ENOMEM;
    int result = -1;
    if (w.sum) {
        XXH3_64bits_reset(w.sum);
        result = write_all_of_it(&w, entries, output, now_s);
    }
    int why = errno;
    XXH3_freeState(w.sum);
    buf_free(&w.piece);
    errno = why;
    return result;
}

/* -- reading ----------------------------------------------------------------------------------- */

/* The JSON value at p: parsed; *p moves behind it. NULL: there is none, or memory is out. */
static json_t *take_value(const char **p, const char *end)
{
    json_error_t where;
    json_t *value = json_loadb(*p, (size_t)(end - *p),
                               JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &where);
    *p += value ? where.position : 0;
    return value;
}

/* Does that stand at p? Then *p moves behind it. */
static bool take(const char **p, const char *end, const char *text)
{
    size_t len = strlen(text);
    bool there = (size_t)(end - *p) >= len && memcmp(*p, text, len) == 0;
    *p += there ? len : 0;
    return there;
}

static int parse_position(json_t *json, struct entry *e)
{
    json_int_t seen;
    json_t *at;
    struct position pos;
    if (json_unpack(json, "{s:I,s:o!}", "seen", &seen, "at", &at) < 0 || position_from_json(at, &pos) < 0 ||
        pos.kind == POSITION_NONE) {
        return -1;
    }
    entry_set_seen(e, seen);
    return compact_set(&e->pos, &pos);
}

/* "KEY":{…}. 0 or -1. */
static int take_entry(const char **p, const char *end, struct entries *entries, struct error *err)
{
    const char *quote = take(p, end, "\"") ? memchr(*p, '"', (size_t)(end - *p)) : NULL;
    char *key = quote ? strndup(*p, (size_t)(quote - *p)) : NULL;
    size_t len = key ? position_key_read(key) : 0;
    bool twice = len > 0 && entries_find(entries, key, len);
    struct entry *e = len > 0 && !twice ? entries_add(entries, key, len) : NULL;
    free(key);
    json_t *value = NULL;
    if (e) {
        *p = quote + 1;
        value = take(p, end, ":") ? take_value(p, end) : NULL;
    }
    int result = value ? parse_position(value, e) : -1;
    json_decref(value);
    return result < 0 ? error_set(err, "the entry of feed '%s' is not a position", e ? e->key : "") : 0;
}

static int parse_output(const char **p, const char *end, struct position *output)
{
    if (!take(p, end, "{\"output\":")) {
        return -1;
    }
    json_t *file = take_value(p, end);
    int result = file && (json_is_null(file) || position_from_json(file, output) == 0) ? 0 : -1;
    json_decref(file);
    return result == 0 && take(p, end, ",\"feeds\":{") ? 0 : -1;
}

/* As text_write writes it: its sum is right. */
static int parse_body(struct slice body, struct entries *entries, struct position *output, struct error *err)
{
    const char *p = body.ptr, *end = p + body.len, *passed = p;
    if (parse_output(&p, end, output) < 0) {
        return error_set(err, "line 2 is not {\"output\":…,\"feeds\":{…}}");
    }
    for (bool more = !take(&p, end, "}}"); more; more = take(&p, end, ",")) {
        if (take_entry(&p, end, entries, err) < 0) {
            return -1;
        }
        if (p - passed > PIECE) {
            store_passed(body, p);
            passed = p;
        }
    }
    bool whole = p == end || take(&p, end, "}}");
    return whole && p == end ? 0 : error_set(err, "line 2 is not {\"output\":…,\"feeds\":{…}}");
}

/* Piece by piece, as above. */
static unsigned long long sum_of(struct slice text)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state) {
        die_out_of_memory();
    }
    XXH3_64bits_reset(state);
    for (size_t at = 0; at < text.len; at += PIECE) {
        XXH3_64bits_update(state, text.ptr + at, text.len - at < PIECE ? text.len - at : PIECE);
        store_passed(text, text.ptr + at);
    }
    unsigned long long sum = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return sum;
}

/* Is the second line whole, and as the header's sum says? 0 or -1. */
static int check_body(struct slice body, const char *sum, struct error *err)
{
    char expected[17];
    if (body.len == 0 || body.ptr[body.len - 1] != '\n') {
        return error_set(err, "its end is missing");
    }
    snprintf(expected, sizeof(expected), "%016llx", sum_of(slice_of(body.ptr, body.len - 1)));
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
