/* Around a record's time and text everything is known once per container (tags_json): a line
 * is five pieces copied one behind the other. */
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "copy.h"
#include "encode/encode.h"
#include "encode/terminal.h"
#include "now.h"
#include "record/severity.h"

#define OPEN    "{\"time\":\""
#define LEVEL   ",\"level\":\""
#define PARTIAL ",\"partial\":true"
#define LEN(s)  (sizeof(s) - 1)
/* What may come on top of the pieces' own lengths. */
#define EXTRA (LEN(OPEN) + LEN(LEVEL) + LEN(PARTIAL) + 16 + 3 * TAGS_PAD)

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

static char *copy_head(char *to, const struct slice *head, uint8_t level)
{
    if (!level) {
        return copy_blocks(to, head->ptr, head->len);
    }
    const char *name = severity_name((enum severity)level);
    to = copy(to, head->ptr, head->len - LEN(TAGS_JSON_LOG));
    to = copy(to, LEVEL, LEN(LEVEL));
    to = copy(to, name, strlen(name));
    *to++ = '"';
    return copy(to, TAGS_JSON_LOG, LEN(TAGS_JSON_LOG));
}

static char *copy_tail(char *to, const struct slice *tail, const struct record *rec)
{
    if (!rec->partial && rec->extra.len == 0) {
        return copy_blocks(to, tail->ptr, tail->len);
    }
    to = copy(to, tail->ptr, tail->len - LEN(TAGS_JSON_END));
    if (rec->partial) {
        to = copy(to, PARTIAL, LEN(PARTIAL));
    }
    if (rec->extra.len > 0) {
        to = copy(to, rec->extra.ptr, rec->extra.len);
    }
    return copy(to, TAGS_JSON_END, LEN(TAGS_JSON_END));
}

static int encode(void *state, const struct tags *tags, const struct record *rec, struct buf *out)
{
    struct json *json = state;
    const size_t before = out->len;
    struct slice time = rec->time.len > 0 ? rec->time : now_text(&json->now);
    const struct tags_pieces *pieces = tags_json(tags);
    if (!pieces) {
        return -1;
    }
    const struct slice *head = &pieces->head[rec->stream], *tail = &pieces->tail;
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
    if (json->terminal && terminal_escape(out, before) < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

const struct encoder encoder_json = {"json", encode, open_state, free};
