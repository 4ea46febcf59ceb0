#include "encode/pretty/pretty.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "config/config.h"
#include "encode/encode.h"
#include "encode/terminal.h"
#include "payload.h"
#include "record/severity.h"

#define RESET "\x1b[0m"
#define DIM   "\x1b[2m"
#define RED   "\x1b[31m"
#define ESC   0x1b

#define NAME_MAX_BYTES 128 /* that are shown of a name: who writes to Kafka may call himself anything */

/* Bold, in colours that can be read on black and on white; red is kept for stderr and errors. */
static const char *const palette[PRETTY_COLORS] = {
    "\x1b[1;36m", "\x1b[1;33m", "\x1b[1;32m", "\x1b[1;35m", "\x1b[1;34m",
    "\x1b[1;96m", "\x1b[1;93m", "\x1b[1;92m", "\x1b[1;95m", "\x1b[1;94m",
};

/* How a level looks: what stands before a message, and the colours of both ("": the terminal's own). */
static const struct {
    const char *badge, *badge_style, *text_style;
} levels[] = {
    [SEVERITY_NONE] = {"", "", ""},
    [SEVERITY_TRACE] = {"TRACE ", DIM, DIM},
    [SEVERITY_DEBUG] = {"DEBUG ", "\x1b[34m", DIM},
    [SEVERITY_INFO] = {"INFO  ", "\x1b[32m", ""},
    [SEVERITY_WARN] = {"WARN  ", "\x1b[1;33m", "\x1b[33m"},
    [SEVERITY_ERROR] = {"ERROR ", "\x1b[1;31m", RED},
    [SEVERITY_FATAL] = {"FATAL ", "\x1b[1;37;41m", "\x1b[1;31m"},
};

void pretty_free(struct pretty *p)
{
    buf_free(&p->head);
    buf_free(&p->text);
    buf_free(&p->value);
}

bool pretty_color(int color, bool terminal)
{
    if (color != COLOR_AUTO) {
        return color == COLOR_ALWAYS;
    }
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return terminal && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

/* -- names ------------------------------------------------------------------------------------- */

static bool begins(struct slice text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && (len == 0 || memcmp(text.ptr, with, len) == 0);
}

/* Cuts the task's id from a swarm container's name (`web.1.x5k2…`). */
static struct slice without_task(struct slice name, const char *task)
{
    const char *dot = task ? memrchr(name.ptr, '.', name.len) : NULL;
    return dot ? slice_of(name.ptr, (size_t)(dot - name.ptr)) : name;
}

struct slice pretty_name(const struct tags *tags)
{
    struct slice name = slice_str(tags->container), service = slice_str(tags->service);
    size_t project = tags->project ? strlen(tags->project) + 1 : 0; /* and what joins it to the rest */
    if (project > 0 && name.len > project && begins(name, tags->project)) {
        struct slice rest = {name.ptr + project, name.len - project};
        if (begins(rest, tags->service)) {
            return rest;
        }
    }
    return name.len > 0 && begins(name, tags->service) ? without_task(name, tags->task) : service;
}

/* The same for a service in every run (FNV-1a), as far as no two of one run need share it. */
static const char *color_of(struct pretty *p, const char *service)
{
    uint32_t hash = 2166136261u;
    for (; *service; service++) {
        hash = (hash ^ (unsigned char)*service) * 16777619u;
    }
    unsigned first = (hash ^ hash >> 16) % PRETTY_COLORS;
    for (unsigned i = 0; i < PRETTY_COLORS; i++) {
        unsigned slot = (first + i) % PRETTY_COLORS;
        if (p->colors[slot] == 0 || p->colors[slot] == hash) {
            p->colors[slot] = hash;
            return palette[slot];
        }
    }
    return palette[first];
}

static int add_text(struct buf *out, const char *text)
{
    return buf_add(out, text, strlen(text));
}

/* Begins or ends a colour; nothing without colours. */
static int add_style(const struct pretty *p, struct buf *out, const char *style)
{
    return p->color ? add_text(out, style) : 0;
}

/* Cuts what is much longer than names are. */
static int add_cut(struct slice text, struct buf *to)
{
    bool ignored = false, is_long = text.len > NAME_MAX_BYTES;
    if (is_long) {
        text.len = utf8_cut(text.ptr, NAME_MAX_BYTES);
    }
    return terminal_put(to, text, false, &ignored) < 0 ? -1 : add_text(to, is_long ? "…" : "");
}

/* Up to its first dot, where that leaves a name. */
static int add_host(const char *host, struct buf *to)
{
    size_t len = strcspn(host, "."), digits = strspn(host, "0123456789");
    len = len == 0 || digits == len ? strlen(host) : len;
    return buf_add(to, "@", 1) < 0 ? -1 : add_cut(slice_of(host, len), to);
}

/* The name as it is shown, and its columns, which widen the column of names. */
static int add_name(struct pretty *p, const struct tags *tags, struct buf *to, unsigned *columns)
{
    size_t before = to->len;
    if (add_cut(pretty_name(tags), to) < 0 ||
        (p->hosts && tags->host && *tags->host && add_host(tags->host, to) < 0)) {
        return -1;
    }
    *columns = terminal_columns(slice_of(to->data + before, to->len - before));
    if (*columns > p->width) {
        p->width = *columns < PRETTY_WIDTH_MAX ? *columns : PRETTY_WIDTH_MAX;
    }
    return 0;
}

int pretty_expect(struct pretty *p, const struct tags *tags)
{
    unsigned columns;
    p->head.len = 0;
    return add_name(p, tags, &p->head, &columns);
}

static int add_time(struct pretty *p, int64_t time_ns)
{
    char text[PRETTY_TIME_MAX];
    if (p->times == PRETTY_TIMES_NONE) {
        return 0;
    }
    size_t len = pretty_time(&p->clock, p->times, time_ns, clock_now(), text);
    if (add_style(p, &p->head, DIM) < 0 || buf_add(&p->head, text, len) < 0) {
        return -1;
    }
    return add_text(&p->head, p->color ? RESET " " : " ");
}

/* What each line of a record begins with, into p->head: time, aligned name, and the mark of its kind. */
static int make_head(struct pretty *p, const struct tags *tags, int64_t time_ns, const char *mark,
                     const char *mark_style)
{
    static const char spaces[PRETTY_WIDTH_MAX + 3] = "                                  ";
    struct buf *to = &p->head;
    unsigned columns;
    to->len = 0;
    if (add_time(p, time_ns) < 0 || add_style(p, to, color_of(p, tags->service)) < 0 ||
        add_name(p, tags, to, &columns) < 0 || add_style(p, to, RESET) < 0) {
        return -1;
    }
    size_t pad = 2 + (columns < p->width ? p->width - columns : 0);
    if (buf_add(to, spaces, pad) < 0 || add_style(p, to, mark_style) < 0 || add_text(to, mark) < 0) {
        return -1;
    }
    return add_text(to, p->color ? RESET " " : " ");
}

/* -- text -------------------------------------------------------------------------------------- */

/* Appends text in a colour, which ends with each of its lines; what follows a newline begins
 * with the head. */
static int put_text(struct pretty *p, struct slice text, const char *style, struct buf *out)
{
    bool own = text.len > 0 && memchr(text.ptr, ESC, text.len); /* colours of the writer's win */
    style = own || !p->color ? "" : style;
    for (;;) {
        const char *newline = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
        size_t len = newline ? (size_t)(newline - text.ptr) : text.len;
        bool colored = *style && len > 0;
        if ((colored && add_text(out, style) < 0) ||
            terminal_put(out, slice_of(text.ptr, len), p->color, &colored) < 0 ||
            (colored && add_text(out, RESET) < 0)) {
            return -1;
        }
        if (!newline) {
            return 0;
        }
        if (buf_add(out, "\n", 1) < 0 || buf_add(out, p->head.data, p->head.len) < 0) {
            return -1;
        }
        text = slice_of(newline + 1, text.len - len - 1);
    }
}

/* -- JSON lines -------------------------------------------------------------------------------- */

static int put_badge(struct pretty *p, const struct payload *json, enum severity level, struct buf *out)
{
    if (level != SEVERITY_NONE) {
        const char *badge = levels[level].badge;
        size_t len = strcspn(badge, " ");
        if (add_style(p, out, levels[level].badge_style) < 0 || buf_add(out, badge, len) < 0 ||
            add_style(p, out, RESET) < 0) {
            return -1;
        }
        return add_text(out, badge + len);
    }
    if (json->level.len == 0) {
        return 0;
    }
    p->value.len = 0; /* a level of the program's own */
    if (text_unescape(&p->value, json->level) < 0 ||
        put_text(p, slice_of(p->value.data, p->value.len), "", out) < 0) {
        return -1;
    }
    return buf_add(out, " ", 1);
}

/* May it stand without quotes? */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] <= ' ' || strchr("\"\\=", text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

static int put_field(struct pretty *p, const struct payload_field *field, const char *before, struct buf *out)
{
    struct slice value = field->value;
    if (payload_is_string(value) && is_plain(slice_of(value.ptr + 1, value.len - 2))) {
        value = slice_of(value.ptr + 1, value.len - 2);
    }
    bool ignored = false;
    if (add_text(out, before) < 0 || add_style(p, out, DIM) < 0 ||
        terminal_put(out, field->key, false, &ignored) < 0 || buf_add(out, "=", 1) < 0 ||
        add_style(p, out, RESET) < 0) {
        return -1;
    }
    return terminal_put(out, value, false, &ignored);
}

/* As level, message and fields. */
static int put_json(struct pretty *p, const struct payload *json, enum severity level, struct buf *out)
{
    if (put_badge(p, json, level, out) < 0) {
        return -1;
    }
    if (json->message.ptr) {
        p->value.len = 0;
        if (text_unescape(&p->value, json->message) < 0 ||
            put_text(p, slice_of(p->value.data, p->value.len), levels[level].text_style, out) < 0) {
            return -1;
        }
    }
    for (unsigned i = 0; i < json->count; i++) {
        if (put_field(p, &json->fields[i], i > 0 || json->message.ptr ? " " : "", out) < 0) {
            return -1;
        }
    }
    return 0;
}

/* -- lines ------------------------------------------------------------------------------------- */

/* The text as it was written, without the carriage return of a container with a terminal. */
static int raw_text(struct pretty *p, const struct record *rec, struct slice *raw)
{
    *raw = rec->text;
    if (rec->escaped) {
        p->text.len = 0;
        if (text_unescape(&p->text, rec->text) < 0) {
            return -1;
        }
        *raw = slice_of(p->text.data, p->text.len);
    }
    raw->len -= raw->len > 0 && raw->ptr[raw->len - 1] == '\r';
    return 0;
}

static int64_t time_of(const struct pretty *p, const struct record *rec)
{
    int64_t ns;
    if (p->times == PRETTY_TIMES_NONE) {
        return 0;
    }
    return rec->time.len > 0 && clock_parse(rec->time, &ns) == 0 ? ns : clock_now();
}

static int put_record(struct pretty *p, const struct tags *tags, const struct record *rec, struct buf *out)
{
    bool is_err = rec->stream == STREAM_STDERR;
    struct payload json;
    struct slice raw;
    if (raw_text(p, rec, &raw) < 0 ||
        make_head(p, tags, time_of(p, rec), is_err ? "!" : "|", is_err ? RED : DIM) < 0 ||
        buf_add(out, p->head.data, p->head.len) < 0) {
        return -1;
    }
    bool is_json = !p->raw_json && !rec->partial && raw.len > 1 && raw.ptr[0] == '{' &&
                   raw.ptr[raw.len - 1] == '}' && text_utf8_valid(raw) && payload_parse(raw, &json);
    enum severity level = rec->level;
    if (level == SEVERITY_NONE && (is_json || p->color)) {
        level = severity_detect(raw);
    }
    if ((is_json ? put_json(p, &json, level, out) : put_text(p, raw, levels[level].text_style, out)) < 0) {
        return -1;
    }
    return add_text(out, rec->partial ? "…\n" : "\n");
}

int pretty_put(struct pretty *p, const struct tags *tags, const struct record *rec, struct buf *out)
{
    const size_t before = out->len;
    if (put_record(p, tags, rec, out) < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

int pretty_notice(struct pretty *p, const struct tags *tags, int64_t time_ns, enum pretty_tone tone,
                  struct slice text, struct buf *out)
{
    static const char *const styles[] = {
        [PRETTY_PLAIN] = DIM, [PRETTY_GOOD] = "\x1b[32m", [PRETTY_BAD] = "\x1b[1;31m"};
    const size_t before = out->len;
    if (make_head(p, tags, time_ns, "*", styles[tone]) < 0 || buf_add(out, p->head.data, p->head.len) < 0 ||
        put_text(p, text, styles[tone], out) < 0 || buf_add(out, "\n", 1) < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

/* -- as an encoder ----------------------------------------------------------------------------- */

static int encode(void *state, const struct tags *tags, const struct record *rec, struct buf *out)
{
    return pretty_put(state, tags, rec, out);
}

static void *open_state(const struct config *cfg, bool terminal)
{
    struct pretty *p = calloc(1, sizeof(*p));
    if (p) {
        p->color = pretty_color((int)cfg->color, terminal && isatty(STDOUT_FILENO));
        p->raw_json = !cfg->pretty_json;
    }
    return p;
}

static void close_state(void *state)
{
    pretty_free(state);
    free(state);
}

const struct encoder encoder_pretty = {"pretty", encode, open_state, close_state};
