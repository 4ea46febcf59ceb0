/* logfmt: `time=… service=… stream=… level=… msg="…"` and the other tags. What is the same in each line of a
 * container is rendered into its tags by the first one (tags_logfmt); the rest is copied around it. */
#include <stdlib.h>
#include <unistd.h>

#include "base/logfmt.h"
#include "base/text.h"
#include "copy.h"
#include "encode/encode.h"
#include "encode/terminal.h"
#include "now.h"
#include "record/severity.h"

#define TIME    "time="
#define STREAM  "stdout"
#define LEVEL   " level="
#define MSG     " msg=\""
#define PARTIAL " partial=true"
#define LEN(s)  (sizeof(s) - 1)

/* What may come on top of the pieces' own lengths: before the text, and behind it. */
#define HEAD_EXTRA (LEN(TIME) + LEN(STREAM) + LEN(LEVEL) + 16 + LEN(MSG) + TAGS_PAD)
#define TAIL_EXTRA (LEN(PARTIAL) + 1 + TAGS_PAD)

struct logfmt {
    struct now now;
    bool terminal;  /* the output is one */
    struct buf key; /* scratch: a payload's key without its escapes */
};

static void *open_state(const struct config *cfg, bool terminal)
{
    (void)cfg;
    struct logfmt *logfmt = calloc(1, sizeof(*logfmt));
    if (logfmt) {
        logfmt->terminal = terminal && isatty(STDOUT_FILENO);
    }
    return logfmt;
}

static void close_state(void *state)
{
    struct logfmt *logfmt = state;
    buf_free(&logfmt->key);
    free(logfmt);
}

/* All before the text, with the quote that opens it. */
static int add_head(struct buf *out, const struct tags *tags, const struct record *rec, struct slice time)
{
    const struct tags_pieces *pieces = tags_logfmt(tags);
    if (!pieces) {
        return -1;
    }
    const struct slice *head = &pieces->head[0];
    if (buf_reserve(out, time.len + head->len + HEAD_EXTRA) < 0) {
        return -1;
    }
    char *to = copy(out->data + out->len, TIME, LEN(TIME));
    to = copy_time(to, time);
    to = copy_blocks(to, head->ptr, head->len);
    to = copy(to, rec->stream == STREAM_STDERR ? "stderr" : "stdout", LEN(STREAM));
    if (rec->level) {
        const char *name = severity_name((enum severity)rec->level);
        to = copy(to, LEVEL, LEN(LEVEL));
        to = copy(to, name, strlen(name));
    }
    to = copy(to, MSG, LEN(MSG));
    out->len = (size_t)(to - out->data);
    return 0;
}

/* All behind the text, from the quote that closes it. */
static int add_tail(struct buf *out, const struct tags *tags, const struct record *rec)
{
    const struct slice *tail = &tags->logfmt->tail;
    if (buf_reserve(out, tail->len + TAIL_EXTRA) < 0) {
        return -1;
    }
    char *to = copy_blocks(out->data + out->len, tail->ptr, tail->len);
    if (rec->partial) {
        to = copy(to, PARTIAL, LEN(PARTIAL));
    }
    out->len = (size_t)(to - out->data);
    return 0;
}

/* A payload, which comes as JSON (`,"message":{…}`): its object is one value. */
static int add_payload(struct logfmt *logfmt, struct buf *out, struct slice extra)
{
    const char *key = extra.ptr + LEN(",\""), *end = key;
    while (*end != '"') {
        end += *end == '\\' ? 2 : 1;
    }
    const char *object = end + LEN("\":");
    struct slice value = slice_of(object, extra.len - (size_t)(object - extra.ptr));
    logfmt->key.len = 0;
    return text_unescape(&logfmt->key, slice_of(key, (size_t)(end - key))) < 0 || buf_add(out, " ", 1) < 0 ||
                   logfmt_add_key(out, slice_of(logfmt->key.data, logfmt->key.len)) < 0 ||
                   buf_add(out, "=", 1) < 0 || logfmt_add_value(out, value) < 0
               ? -1
               : 0;
}

static int encode(void *state, const struct tags *tags, const struct record *rec, struct buf *out)
{
    struct logfmt *logfmt = state;
    const size_t before = out->len;
    struct slice time = rec->time.len > 0 ? rec->time : now_text(&logfmt->now);
    int (*const add_text)(struct buf *, struct slice) = rec->escaped ? text_reescape : text_escape;
    if (add_head(out, tags, rec, time) < 0 || add_text(out, rec->text) < 0 || add_tail(out, tags, rec) < 0 ||
        (rec->extra.len > 0 && add_payload(logfmt, out, rec->extra) < 0) || buf_add(out, "\n", 1) < 0 ||
        (logfmt->terminal && terminal_escape(out, before) < 0)) {
        out->len = before;
        return -1;
    }
    return 0;
}

const struct encoder encoder_logfmt = {"logfmt", encode, open_state, close_state};
