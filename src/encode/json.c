/* Around a record's time and text everything is known once per container (tags->json_head, json_tail): a line
 * is five pieces copied one behind the other. */
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "encode.h"
#include "shape.h"
#include "terminal.h"
#include "text.h"

#define OPEN    "{\"time\":\""
#define LOG     ",\"log\":\""
#define LEVEL   ",\"level\":\""
#define PARTIAL ",\"partial\":true"
#define END     "}\n"
#define LEN(s)  (sizeof(s) - 1)
#define BLOCK   32 /* heads and tails are copied by blocks: both ends have this much room behind them */
#define EXTRA                                                                                                \
    (LEN(OPEN) + LEN(LEVEL) + LEN(PARTIAL) + 16 +                                                            \
     3 * BLOCK) /* what may come on top of the pieces' own lengths */

/* The time for records that bear none, formatted once a millisecond. */
struct now {
    int64_t ms;
    size_t len;
    char text[CLOCK_TEXT_MAX];
};

struct json {
    struct now now;
    bool terminal; /* the output is one */
};

static void *open_state(const struct config *cfg, bool terminal)
{
    (void)cfg;
    struct json *json = calloc(1, sizeof(*json));
    if (json) {
        json->terminal = terminal && isatty(STDOUT_FILENO);
    }
    return json;
}

static struct slice now_text(struct now *now)
{
    int64_t ns = clock_now();
    if (ns / NS_PER_MS != now->ms) {
        now->ms = ns / NS_PER_MS;
        now->len = clock_format(ns, now->text);
    }
    return slice_of(now->text, now->len);
}

static inline char *copy(char *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

/* Copies up to BLOCK - 1 bytes more than asked for: cheaper than a call for a short piece. */
static inline char *copy_blocks(char *to, const char *from, size_t len)
{
    size_t done = 0;
    do {
        memcpy(to + done, from + done, BLOCK);
        done += BLOCK;
    } while (done < len);
    return to + len;
}

static inline char *copy_time(char *to, struct slice time)
{
    if (time.len >= 16 && time.len <= 32) {
        memcpy(to, time.ptr, 16);
        memcpy(to + time.len - 16, time.ptr + time.len - 16, 16);
        return to + time.len;
    }
    return copy(to, time.ptr, time.len);
}

static char *copy_head(char *to, const struct buf *head, uint8_t level)
{
    if (!level) {
        return copy_blocks(to, head->data, head->len);
    }
    const char *name = severity_name((enum severity)level);
    to = copy(to, head->data, head->len - LEN(LOG));
    to = copy(to, LEVEL, LEN(LEVEL));
    to = copy(to, name, strlen(name));
    *to++ = '"';
    return copy(to, LOG, LEN(LOG));
}

static char *copy_tail(char *to, const struct buf *tail, const struct record *rec)
{
    if (!rec->partial && rec->extra.len == 0) {
        return copy_blocks(to, tail->data, tail->len);
    }
    to = copy(to, tail->data, tail->len - LEN(END));
    if (rec->partial) {
        to = copy(to, PARTIAL, LEN(PARTIAL));
    }
    if (rec->extra.len > 0) {
        to = copy(to, rec->extra.ptr, rec->extra.len);
    }
    return copy(to, END, LEN(END));
}

static int encode(void *state, const struct tags *tags, const struct record *rec, struct buf *out)
{
    struct json *json = state;
    const size_t before = out->len;
    struct slice time = rec->time.len > 0 ? rec->time : now_text(&json->now);
    const struct buf *head = &tags->json_head[rec->stream], *tail = &tags->json_tail;
    size_t around = time.len + head->len + tail->len + rec->extra.len + EXTRA;
    size_t need = around + (rec->escaped ? rec->text.len : 0);
    if (out->cap - out->len < need && buf_reserve(out, need) < 0) {
        return -1;
    }
    char *to = copy(out->data + out->len, OPEN, LEN(OPEN));
    to = copy_time(to, time);
    to = copy_head(to, head, rec->level);
    if (rec->escaped) {
        to = copy(to, rec->text.ptr, rec->text.len);
    } else {
        out->len = (size_t)(to - out->data);
        if (text_escape(out, rec->text) < 0 || buf_reserve(out, around) < 0) {
            out->len = before;
            return -1;
        }
        to = out->data + out->len;
    }
    to = copy_tail(to, tail, rec);
    out->len = (size_t)(to - out->data);
    if (json->terminal && terminal_json(out, before) < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

const struct encoder encoder_json = {"json", encode, open_state, free};

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

/* Zeroes BLOCK bytes behind the piece, for copy_blocks reads them. */
static int pad(struct buf *b)
{
    if (buf_reserve(b, BLOCK) < 0) {
        return -1;
    }
    memset(b->data + b->len, 0, BLOCK);
    return 0;
}

static int prepare_head(struct buf *head, const char *service, const char *stream)
{
    head->len = 0;
    if (buf_add(head, "\"", 1) < 0 || add_field(head, "service", service) < 0 ||
        add_field(head, "stream", stream) < 0 || buf_add(head, LOG, LEN(LOG)) < 0) {
        return -1;
    }
    return pad(head);
}

int encode_json_prepare(struct tags *tags)
{
    if (prepare_head(&tags->json_head[STREAM_STDOUT], tags->service, "stdout") < 0 ||
        prepare_head(&tags->json_head[STREAM_STDERR], tags->service, "stderr") < 0) {
        return -1;
    }
    const struct {
        const char *key, *value;
    } fields[] = {
        {"project", tags->project},
        {"container", tags->container},
        {"id", tags->id},
        {"host", tags->host},
        {"namespace", tags->namespace_},
        {"pod", tags->pod},
        {"task", tags->task},
        {"node", tags->node},
        {"image", tags->image},
    };
    struct buf *tail = &tags->json_tail;
    tail->len = 0;
    if (buf_add(tail, "\"", 1) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (add_field(tail, fields[i].key, fields[i].value) < 0) {
            return -1;
        }
    }
    return add_labels(tail, tags->labels) < 0 || buf_add(tail, END, LEN(END)) < 0 ? -1 : pad(tail);
}
