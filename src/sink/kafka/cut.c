#include "cut.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/logfmt.h"
#include "base/text.h"
#include "base/utf8.h"

static int end_piece(struct kafka_pieces *pieces)
{
    if (pieces->count == pieces->cap) {
        size_t cap = pieces->cap ? pieces->cap * 2 : 8;
        size_t *ends = realloc(pieces->ends, cap * sizeof(*ends));
        if (!ends) {
            return -1;
        }
        pieces->ends = ends;
        pieces->cap = cap;
    }
    pieces->ends[pieces->count++] = pieces->out.len;
    return 0;
}

/* Bytes that one character takes in jansson's strings. */
static size_t escaped_length(const char *p, size_t len)
{
    if (len > 1 || (unsigned char)*p >= 0x20) {
        return *p == '"' || *p == '\\' ? 2 : len;
    }
    return strchr("\b\f\n\r\t", *p) && *p ? 2 : 6;
}

/* How many bytes of text fit into `room`, escaped or as they are; no UTF-8 sequence is torn. At least one
 * character. */
static size_t fitting(struct slice text, size_t room, bool escaped)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    while (p < end) {
        size_t len = utf8_length(p, end);
        len = len ? len : 1;
        size_t taken = escaped ? escaped_length(p, len) : len;
        if (taken > room && p > text.ptr) {
            break;
        }
        room -= taken < room ? taken : room;
        p += len;
    }
    return (size_t)(p - text.ptr);
}

static int cut_raw(struct kafka_pieces *pieces, struct slice text, size_t max)
{
    while (text.len > 0) {
        size_t len = fitting(text, max, false);
        if (buf_add(&pieces->out, text.ptr, len) < 0 || end_piece(pieces) < 0) {
            return -1;
        }
        text = slice_of(text.ptr + len, text.len - len);
    }
    return 0;
}

static int add_json(struct kafka_pieces *pieces, const json_t *json)
{
    size_t len = json_dumpb(json, NULL, 0, JSON_COMPACT);
    if (len == 0 || buf_reserve(&pieces->out, len) < 0) {
        return -1;
    }
    json_dumpb(json, pieces->out.data + pieces->out.len, len, JSON_COMPACT);
    pieces->out.len += len;
    return end_piece(pieces);
}

/* Puts the text into `shell`, an object, part after part. */
static int cut_json(struct kafka_pieces *pieces, json_t *shell, struct slice text, size_t max)
{
    bool partial = json_is_true(json_object_get(shell, "partial"));
    if (json_object_set_new(shell, "log", json_string("")) < 0 ||
        json_object_set_new(shell, "partial", json_true()) < 0) {
        return -1;
    }
    size_t around = json_dumpb(shell, NULL, 0, JSON_COMPACT);
    if (around == 0 || around + 64 > max) {
        return -1;
    }
    while (text.len > 0) {
        size_t len = fitting(text, max - around, true);
        if (len == text.len && !partial) {
            json_object_del(shell, "partial");
        }
        if (json_object_set_new(shell, "log", json_stringn(text.ptr, len)) < 0 ||
            add_json(pieces, shell) < 0) {
            return -1;
        }
        text = slice_of(text.ptr + len, text.len - len);
    }
    return 0;
}

/* What is kept of a record that has more than its text to make it long: who wrote it, and when. */
static json_t *bare_shell(const json_t *record)
{
    static const char *const kept[] = {"time", "service", "stream", "log", "container", "id"};
    json_t *shell = json_object();
    for (size_t i = 0; shell && i < sizeof(kept) / sizeof(kept[0]); i++) {
        json_t *value = json_object_get(record, kept[i]);
        if (json_is_string(value) && json_string_length(value) < 128) {
            json_object_set(shell, kept[i], value);
        }
    }
    return shell;
}

static int cut_as_json(struct kafka_pieces *pieces, json_t *json, struct slice record, size_t max)
{
    json_t *text = json_incref(json_object_get(json, "log"));
    json_t *bare = bare_shell(json);
    int result = -1;
    if (json_is_string(text)) {
        result = cut_json(pieces, json, slice_of(json_string_value(text), json_string_length(text)), max);
    }
    if (result < 0) { /* its text is not what makes it long: the record itself is the text then */
        pieces->out.len = pieces->count = 0;
        result = bare ? cut_json(pieces, bare, record, max) : -1;
    }
    json_decref(bare);
    json_decref(text);
    return result;
}

/* -- cutting logfmt ---------------------------------------------------------------------------- */

#define LOGFMT_MSG     SLICE(" msg=\"")
#define LOGFMT_PARTIAL SLICE(" partial=true")

/* A line of the encoder, around its text. */
struct logfmt_shell {
    struct slice head; /* up to the quote that opens the text */
    struct slice tail; /* from the quote that closes it; without partial=true */
    bool partial;      /* the line itself is a piece */
};

static struct slice slice_between(const char *start, const char *end)
{
    return slice_of(start, (size_t)(end - start));
}

/* Where `msg="` stands behind another pair. Pair by pair, for a value may end in the same. NULL: nowhere. */
static const char *find_msg(struct slice line)
{
    const size_t len = LOGFMT_MSG.len - 1; /* the space stands between pairs */
    struct slice pair;
    const char *first = line.ptr;
    while (logfmt_next(&line, &pair)) {
        if (pair.ptr > first && pair.len >= len && memcmp(pair.ptr, LOGFMT_MSG.ptr + 1, len) == 0) {
            return pair.ptr;
        }
    }
    return NULL;
}

/* Takes such a line apart. False when it is none. */
static bool logfmt_open(struct slice line, struct logfmt_shell *shell, struct slice *text)
{
    const char *msg = find_msg(line);
    if (!msg) {
        return false;
    }
    const char *start = msg + LOGFMT_MSG.len - 1, *end = line.ptr + line.len, *p = start;
    while (p < end && *p != '"') {
        p += *p == '\\' && end - p > 1 ? 2 : 1;
    }
    *text = slice_between(start, p);
    shell->head = slice_between(line.ptr, start);
    shell->tail = slice_between(p, end);
    const size_t len = LOGFMT_PARTIAL.len;
    shell->partial = shell->tail.len > len && slice_eq(slice_between(end - len, end), LOGFMT_PARTIAL);
    shell->tail.len -= shell->partial ? len : 0;
    return p < end;
}

/* Bytes of the text's beginning that fit into `room`; neither an escape nor a UTF-8 sequence is torn. At
 * least one character. */
static size_t escaped_fitting(struct slice text, size_t room)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    while (p < end) {
        size_t left = (size_t)(end - p), len = *p != '\\'                ? utf8_length(p, end)
                                               : left > 1 && p[1] == 'u' ? 6
                                                                         : 2;
        len = len < 1 ? 1 : len < left ? len : left;
        if ((size_t)(p - text.ptr) + len > room && p > text.ptr) {
            break;
        }
        p += len;
    }
    return (size_t)(p - text.ptr);
}

/* Puts the text, escaped, into the shell, part after part. */
static int cut_logfmt(struct kafka_pieces *pieces, const struct logfmt_shell *shell, struct slice text,
                      size_t max)
{
    size_t around = shell->head.len + shell->tail.len + LOGFMT_PARTIAL.len;
    if (around + 64 > max) {
        return -1;
    }
    while (text.len > 0) {
        size_t len = escaped_fitting(text, max - around);
        bool partial = len < text.len || shell->partial;
        if (buf_add_slice(&pieces->out, shell->head) < 0 || buf_add(&pieces->out, text.ptr, len) < 0 ||
            buf_add_slice(&pieces->out, shell->tail) < 0 ||
            (partial && buf_add_slice(&pieces->out, LOGFMT_PARTIAL) < 0) || end_piece(pieces) < 0) {
            return -1;
        }
        text = slice_of(text.ptr + len, text.len - len);
    }
    return 0;
}

/* bare_shell in logfmt: its head, appended. */
static int add_bare_head(struct buf *head, struct slice line)
{
    static const char *const kept[] = {"time=", "service=", "stream=", "container=", "id="};
    for (struct slice pair; logfmt_next(&line, &pair);) {
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
            size_t len = strlen(kept[i]);
            bool keep = pair.len >= len && pair.len < 128 && memcmp(pair.ptr, kept[i], len) == 0;
            if (keep && (buf_add(head, " ", head->len > 0) < 0 || buf_add_slice(head, pair) < 0)) {
                return -1;
            }
        }
    }
    return buf_add_slice(head, LOGFMT_MSG);
}

static int cut_as_logfmt(struct kafka_pieces *pieces, struct slice record, size_t max)
{
    struct logfmt_shell shell;
    struct slice text;
    if (!logfmt_open(record, &shell, &text)) {
        return -1;
    }
    if (cut_logfmt(pieces, &shell, text, max) == 0) {
        return 0;
    }
    /* Its text is not what makes it long: the record itself is the text then. */
    struct buf head = {0}, whole = {0};
    pieces->out.len = pieces->count = 0;
    int result = add_bare_head(&head, record) < 0 || text_escape(&whole, record) < 0 ? -1 : 0;
    if (result == 0) {
        shell = (struct logfmt_shell){
            .head = {head.data, head.len}, .tail = SLICE("\""), .partial = shell.partial};
        result = cut_logfmt(pieces, &shell, slice_of(whole.data, whole.len), max);
    }
    buf_free(&head);
    buf_free(&whole);
    return result;
}

/* -- either ------------------------------------------------------------------------------------ */

int kafka_cut(struct kafka_pieces *pieces, enum format_kind format, struct slice record, size_t max)
{
    pieces->out.len = pieces->count = 0;
    if (max < KAFKA_PIECE_MIN) {
        return -1;
    }
    json_t *json = format == FORMAT_JSON ? json_loadb(record.ptr, record.len, JSON_ALLOW_NUL, NULL) : NULL;
    int result = -1;
    if (json_is_object(json)) {
        result = cut_as_json(pieces, json, record, max);
    } else if (format == FORMAT_LOGFMT) {
        result = cut_as_logfmt(pieces, record, max);
    }
    json_decref(json);
    if (result < 0) {
        pieces->out.len = pieces->count = 0;
        result = cut_raw(pieces, record, max);
    }
    return result;
}

void kafka_pieces_free(struct kafka_pieces *pieces)
{
    buf_free(&pieces->out);
    free(pieces->ends);
    *pieces = (struct kafka_pieces){0};
}
