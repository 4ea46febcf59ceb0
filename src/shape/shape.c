#include <stdlib.h>

#include "base/clock.h"
#include "base/json_check.h"
#include "base/metrics.h"
#include "base/text.h"
#include "record/put.h"
#include "record/severity.h"
#include "rules.h"

#define GROUP_LINES 1000 /* of one group */
#define GROUP_KEEP  2048 /* room that a finished group may keep for the next one */

/* Lines held together, of one stream. */
struct group {
    struct buf text; /* raw, joined by newlines */
    uint32_t lines;  /* 0: nothing is held */
    struct progress at;
    char time[CLOCK_TEXT_MAX]; /* of the first line */
    size_t time_len;
    int64_t due_ns; /* monotonic */
};

/* A line that comes in pieces. */
struct pieces {
    bool more;              /* the last record was a piece, the next one goes on with it */
    bool dropped, unwanted; /* unwanted: dropped by a rule */
    bool hidden; /* it lies in what may be a secret that began too far back: no piece to come is shown */
    uint8_t level;
    const char *why;    /* where it was dropped: the key that did it … */
    size_t rule;        /* … and of `drop`, which pattern */
    struct buf context; /* the end of what came, for redaction */
};

struct shape_state {
    struct shape *shape;
    struct group groups[STREAM_COUNT];
    struct pieces pieces[STREAM_COUNT];
    struct bucket bucket;
    const struct shape_watch *watch; /* NULL: nobody */
};

/* -- text -------------------------------------------------------------------------------------- */

static int unescape(struct shape *s, struct slice escaped, struct slice *raw)
{
    s->raw.len = 0;
    if (text_unescape(&s->raw, escaped) < 0) {
        return -1;
    }
    *raw = slice_of(s->raw.data, s->raw.len);
    return 0;
}

/* The text as its writer wrote it, as valid UTF-8. It may point into s->raw. */
static int raw_text(struct shape *s, const struct record *rec, struct slice *raw)
{
    *raw = rec->text.len > 0 ? rec->text : SLICE("");
    if (!s->reads_text || raw->len == 0) {
        return 0;
    }
    if (rec->escaped) {
        return memchr(rec->text.ptr, '\\', rec->text.len) ? unescape(s, rec->text, raw) : 0;
    }
    if (text_utf8_valid(rec->text)) {
        return 0;
    }
    s->payload.len = 0;
    if (text_escape(&s->payload, rec->text) < 0) {
        return -1;
    }
    return unescape(s, slice_of(s->payload.data, s->payload.len), raw);
}

static int64_t time_of(const struct record *rec)
{
    int64_t ns;
    return clock_parse(rec->time, &ns) < 0 ? clock_now() : ns;
}

/* -- a finished record ------------------------------------------------------------------------- */

/* The place of the first of so many that matches; that number when none does. */
static size_t first_match(const struct regexps *list, size_t count, struct slice raw)
{
    struct span at;
    for (size_t i = 0; i < count; i++) {
        enum regexp_result result = regexp_find(list->items[i], raw, 0, &at);
        metrics.regex_limits += result == REGEXP_LIMIT;
        if (result == REGEXP_FOUND) {
            return i;
        }
    }
    return count;
}

static bool unwanted(const struct shape *s, struct pieces *pieces, struct slice raw)
{
    size_t found = first_match(&s->drop, s->drop.count, raw);
    if (found < s->drop.count) {
        pieces->why = "drop";
        pieces->rule = found;
        return true;
    }
    if (s->keep.count > 0 && first_match(&s->keep, s->keep.count, raw) == s->keep.count) {
        pieces->why = "keep";
        return true;
    }
    return false;
}

static void tell(const struct shape_watch *watch, const struct shape_verdict *verdict)
{
    watch->told(watch->arg, verdict);
}

static void emit_notice(struct shape_state *st, struct shape_out out)
{
    char text[RATE_NOTICE_MAX], time[CLOCK_TEXT_MAX];
    size_t time_len = clock_format(st->bucket.latest_ns, time);
    struct record notice = {.stream = st->bucket.stream,
                            .time = slice_of(time, time_len),
                            .level = st->shape->detect ? SEVERITY_WARN : SEVERITY_NONE};
    notice.text = slice_of(text, rate_notice(&st->bucket, text));
    if (st->watch) {
        tell(st->watch, &(struct shape_verdict){.rec = &notice, .notice = true});
    }
    out.emit(out.arg, &notice);
}

static bool too_fast(struct shape_state *st, const struct record *rec, uint32_t lines, struct shape_out out)
{
    if (st->shape->rate.limit == 0) {
        return false;
    }
    int64_t time_ns = time_of(rec);
    bool pass = rate_pass(&st->shape->rate, &st->bucket, time_ns, lines);
    if (!pass) {
        rate_dropped(&st->bucket, time_ns, lines, rec->stream);
        metrics.dropped_rate += lines;
    }
    if (rate_notice_due(&st->bucket)) {
        emit_notice(st, out);
    }
    return !pass;
}

/* Is the record left out? The pieces of a line all go the way of the first. So do the parts of a group for
 * the rules; the rate limit looks at each. */
static bool left_out(struct shape_state *st, const struct record *rec, struct slice raw, uint32_t lines,
                     struct shape_out out)
{
    struct pieces *pieces = &st->pieces[rec->stream];
    if (pieces->more && st->groups[rec->stream].lines == 0) {
        return pieces->dropped;
    }
    pieces->unwanted = pieces->more ? pieces->unwanted : unwanted(st->shape, pieces, raw);
    if (pieces->unwanted) {
        metrics.dropped_rule += lines;
        return true;
    }
    if (too_fast(st, rec, lines, out)) {
        pieces->why = "rate_limit";
        return true;
    }
    return false;
}

/* Keeps the end of what has come of a line in pieces. */
static int note_context(struct pieces *pieces, struct slice raw)
{
    struct buf *context = &pieces->context;
    if (raw.len >= REDACT_CONTEXT) {
        context->len = 0;
    }
    size_t from = raw.len > REDACT_CONTEXT ? raw.len - REDACT_CONTEXT : 0;
    if (buf_add(context, raw.ptr + from, raw.len - from) < 0) {
        return -1;
    }
    size_t over = context->len > REDACT_CONTEXT ? context->len - REDACT_CONTEXT : 0;
    while (over < context->len && ((unsigned char)context->data[over] & 0xC0) == 0x80) {
        over++;
    }
    buf_consume(context, over);
    return 0;
}

static int hide(struct shape_state *st, struct record *rec, struct slice *raw)
{
    struct shape *s = st->shape;
    struct pieces *pieces = &st->pieces[rec->stream];
    struct slice before = *raw;
    if (s->redactor.secrets.count == 0) {
        return 0;
    }
    struct slice context = slice_of(pieces->context.data, pieces->context.len);
    int result =
        pieces->hidden ? redact_all(&s->redactor, raw) : redact(&s->redactor, context, rec->partial, raw);
    if (result < 0) {
        return -1;
    }
    pieces->hidden = rec->partial && (pieces->hidden || s->redactor.far);
    if (raw->ptr != before.ptr) {
        rec->text = *raw;
        rec->escaped = false;
    }
    return rec->partial ? note_context(pieces, before) : 0;
}

static uint8_t level_of(const struct shape *s, struct slice raw, uint32_t lines)
{
    enum severity level = s->detect ? severity_detect(raw) : SEVERITY_NONE;
    if (s->detect && level == SEVERITY_NONE && lines > 1 && multiline_is_trace(s->multiline)) {
        level = SEVERITY_ERROR;
    }
    return (uint8_t)level;
}

/* A JSON object goes out as it is, but on one line: between its tokens a newline is as good as a space. */
static int add_payload(struct shape *s, struct record *rec, struct slice raw)
{
    if (s->payload_key.len == 0 || !json_check_object(raw)) {
        return 0;
    }
    s->payload.len = 0;
    if (buf_add_slice(&s->payload, slice_of(s->payload_key.data, s->payload_key.len)) < 0 ||
        buf_add_slice(&s->payload, raw) < 0) {
        return -1;
    }
    for (char *p = s->payload.data; (p = memchr(p, '\n', s->payload.len - (size_t)(p - s->payload.data)));) {
        *p = ' ';
    }
    rec->extra = slice_of(s->payload.data, s->payload.len);
    return 0;
}

/* How many lines end with the record? Of a line in pieces, the last one ends it. */
static uint32_t ended_by(const struct shape_state *st, const struct record *rec, uint32_t lines)
{
    return st->groups[rec->stream].lines > 0 ? lines : !rec->partial;
}

static void tell_left_out(const struct shape_state *st, const struct record *rec, uint32_t lines)
{
    const struct pieces *pieces = &st->pieces[rec->stream];
    const struct regexps *drop = &st->shape->drop;
    bool by_pattern = strcmp(pieces->why, "drop") == 0;
    tell(st->watch, &(struct shape_verdict){.rec = rec,
                                            .lines = ended_by(st, rec, lines),
                                            .left_out = pieces->why,
                                            .pattern = by_pattern ? drop->texts[pieces->rule] : NULL,
                                            .rule = pieces->rule});
}

static void tell_emitted(const struct shape_state *st, const struct record *rec, uint32_t lines)
{
    const struct redactor *redactor = &st->shape->redactor;
    bool redacted = redactor->out.data && rec->text.ptr == redactor->out.data;
    tell(st->watch, &(struct shape_verdict){.rec = rec,
                                            .lines = ended_by(st, rec, lines),
                                            .redactions = redactor->spans,
                                            .nredactions = redacted ? redactor->nspans : 0,
                                            .all_redacted = redacted && redactor->nspans == 0});
}

static int finish(struct shape_state *st, const struct record *whole, struct slice raw, uint32_t lines,
                  struct shape_out out)
{
    struct shape *s = st->shape;
    struct pieces *pieces = &st->pieces[whole->stream];
    struct record rec = *whole;
    bool goes_on = pieces->more, piece = goes_on || rec.partial;
    pieces->dropped = left_out(st, &rec, raw, lines, out);
    pieces->more = rec.partial;
    if (!goes_on && (!pieces->dropped || rec.partial)) {
        pieces->level = level_of(s, raw, lines);
    }
    if (!pieces->dropped) {
        rec.level = pieces->level;
        if (hide(st, &rec, &raw) < 0 || (!piece && add_payload(s, &rec, raw) < 0)) {
            return -1;
        }
        if (st->watch) {
            tell_emitted(st, &rec, lines);
        }
        out.emit(out.arg, &rec);
    } else if (st->watch) {
        tell_left_out(st, &rec, lines);
    }
    if (!rec.partial) {
        buf_free(&pieces->context);
    }
    return 0;
}

/* -- groups ------------------------------------------------------------------------------------ */

/* Emits the group; `cut` when it goes on in a further one. */
static int group_end(struct shape_state *st, enum stream stream, bool cut, struct shape_out out)
{
    struct group *g = &st->groups[stream];
    if (g->lines == 0) {
        return 0;
    }
    struct record rec = {.text = slice_of(g->text.data, g->text.len),
                         .time = slice_of(g->time, g->time_len),
                         .stream = stream,
                         .partial = cut};
    int result = finish(st, &rec, rec.text, g->lines, out);
    struct buf *context = &st->pieces[stream].context;
    if (cut && context->len > 0 && buf_add(context, "\n", 1) < 0) {
        result = -1;
    }
    *st->shape->held -= g->text.len;
    g->lines = 0;
    g->text.len = 0;
    if (g->text.cap > GROUP_KEEP) {
        buf_free(&g->text);
    }
    return result;
}

static int group_add(struct shape_state *st, const struct record *rec, struct slice raw)
{
    struct group *g = &st->groups[rec->stream];
    size_t before = g->text.len;
    if (g->lines == 0) {
        g->time_len = rec->time.len < sizeof(g->time) ? rec->time.len : 0;
        memcpy(g->time, rec->time.len > 0 ? rec->time.ptr : "", g->time_len);
        if (g->time_len == 0) {
            g->time_len = clock_format(clock_now(), g->time);
        }
    } else if (buf_add(&g->text, "\n", 1) < 0) {
        return -1;
    }
    if (buf_add_slice(&g->text, raw) < 0) {
        g->text.len = before;
        return -1;
    }
    g->lines++;
    g->due_ns = clock_monotonic() + st->shape->wait_ns;
    *st->shape->held += g->text.len - before;
    return 0;
}

/* A terminal's lines end in a carriage return, too. */
static struct slice without_return(struct slice line)
{
    line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r';
    return line;
}

static int group_put(struct shape_state *st, const struct record *rec, struct slice raw, struct shape_out out)
{
    struct shape *s = st->shape;
    struct group *g = &st->groups[rec->stream];
    struct slice line = without_return(raw);
    bool had = g->lines > 0;
    bool joins = had && multiline_goes_on(s->multiline, line, &g->at);
    bool full = g->lines >= GROUP_LINES || g->text.len + raw.len + 1 > s->line_max ||
                *s->held + raw.len + 1 > s->held_max;
    if (joins && !full) {
        return group_add(st, rec, raw) < 0 ? -1 : PUT_HELD;
    }
    if (group_end(st, rec->stream, joins, out) < 0) {
        return -1;
    }
    bool fits = raw.len <= s->line_max && *s->held + raw.len <= s->held_max;
    if ((joins || multiline_begins(s->multiline, line, &g->at)) && fits) {
        return group_add(st, rec, raw) < 0 ? -1 : had ? PUT_HELD_NEW : PUT_HELD;
    }
    return finish(st, rec, raw, 1, out) < 0 ? -1 : PUT_DONE;
}

int shape_put(struct shape_state *st, const struct record *rec, struct shape_out out)
{
    struct shape *s = st->shape;
    struct slice raw;
    if (raw_text(s, rec, &raw) < 0) {
        return -1;
    }
    /* Behind a piece comes another one, unless the piece was the beginning of a group too long. */
    bool whole = !rec->partial && (!st->pieces[rec->stream].more || st->groups[rec->stream].lines > 0);
    if (s->multiline && whole && first_match(&s->drop, s->never_join, raw) == s->never_join) {
        return group_put(st, rec, raw, out);
    }
    if (group_end(st, rec->stream, false, out) < 0) {
        return -1;
    }
    return finish(st, rec, raw, 1, out) < 0 ? -1 : PUT_DONE;
}

int64_t shape_due(const struct shape_state *st)
{
    int64_t due = st->bucket.dropped > 0 ? st->bucket.due_ns : INT64_MAX;
    for (int i = 0; i < STREAM_COUNT; i++) {
        const struct group *g = &st->groups[i];
        due = g->lines > 0 && g->due_ns < due ? g->due_ns : due;
    }
    return due;
}

int shape_tick(struct shape_state *st, int64_t now, struct shape_out out)
{
    int released = 0;
    for (int i = 0; i < STREAM_COUNT; i++) {
        if (st->groups[i].lines > 0 && st->groups[i].due_ns <= now) {
            if (group_end(st, (enum stream)i, false, out) < 0) {
                return -1;
            }
            released |= 1 << i;
        }
    }
    if (st->bucket.dropped > 0 && st->bucket.due_ns <= now) {
        emit_notice(st, out);
    }
    return released;
}

/* -- feeds ------------------------------------------------------------------------------------- */

struct shape_state *shape_open(struct shape *s)
{
    struct shape_state *st = calloc(1, sizeof(*st));
    if (st) {
        st->shape = s;
        s->refs++;
    }
    return st;
}

void shape_close(struct shape_state *st)
{
    if (!st) {
        return;
    }
    for (int i = 0; i < STREAM_COUNT; i++) {
        *st->shape->held -= st->groups[i].lines > 0 ? st->groups[i].text.len : 0;
        buf_free(&st->groups[i].text);
        buf_free(&st->pieces[i].context);
    }
    shape_unref(st->shape);
    free(st);
}

void shape_share(struct shape *s, size_t *held)
{
    s->held = held;
}

void shape_set_watch(struct shape_state *st, const struct shape_watch *watch)
{
    st->watch = watch;
}

size_t shape_memory(const struct shape *s)
{
    return *s->held;
}
