#include "printer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "encode/encode.h"
#include "encode/pretty/pretty.h"
#include "encode/terminal.h"
#include "say.h"

struct printer {
    const struct tail_options *o;
    struct screen *screen;
    struct pretty pretty;
    void *json;    /* state of its encoder */
    bool terminal; /* it is shown on one */
};

struct printer *printer_new(struct event_base *base, const struct tail_options *o, const struct config *cfg,
                            const struct screen_calls *calls, struct error *err)
{
    struct printer *p = calloc(1, sizeof(*p));
    if (!p) {
        error_set(err, "out of memory");
        return NULL;
    }
    p->o = o;
    p->json = encoder_json.open ? encoder_json.open(cfg, true) : NULL;
    bool chosen = o->color != COLOR_AUTO;
    p->terminal = isatty(STDOUT_FILENO);
    p->pretty.color = pretty_color((int)(chosen ? o->color : cfg->color), p->terminal);
    p->pretty.raw_json = o->raw_json || !cfg->pretty_json;
    p->pretty.times = o->times;
    p->pretty.hosts = o->kafka;
    p->screen = screen_new(base, calls, err);
    if (!p->screen) {
        printer_free(p);
        return NULL;
    }
    return p;
}

void printer_free(struct printer *p)
{
    if (!p) {
        return;
    }
    screen_free(p->screen, p->pretty.color);
    pretty_free(&p->pretty);
    if (encoder_json.close) {
        encoder_json.close(p->json);
    }
    free(p);
}

int printer_expect(struct printer *p, struct tags *tags)
{
    return pretty_expect(&p->pretty, tags);
}

/* JSON that others wrote, on one line. */
static int put_whole(struct printer *p, struct slice json)
{
    struct buf *out = screen_out(p->screen);
    size_t before = out->len;
    if (buf_reserve(out, json.len + 1) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json.len;
         i++) { /* a newline is a space between its words: in strings there is none */
        out->data[out->len++] = json.ptr[i] == '\n' || json.ptr[i] == '\r' ? ' ' : json.ptr[i];
    }
    out->data[out->len++] = '\n';
    if (p->terminal && terminal_escape(out, before) < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

static int put_json(struct printer *p, const struct tags *tags, const struct record *rec,
                    const struct tail_line *line)
{
    if (line->json.len > 0) {
        return put_whole(p, line->json);
    }
    if (line->kind == TAIL_LINE) {
        return encoder_json.encode(p->json, tags, rec, screen_out(p->screen));
    }
    char *text;
    if (asprintf(&text, "%s: %.*s", tags->service, (int)rec->text.len, rec->text.ptr) < 0) {
        return -1;
    }
    tail_say(text);
    free(text);
    return 0;
}

static int put_pretty(struct printer *p, const struct tags *tags, const struct record *rec,
                      const struct tail_line *line)
{
    static const enum pretty_tone tones[] = {
        [TAIL_NOTICE] = PRETTY_PLAIN, [TAIL_NOTICE_GOOD] = PRETTY_GOOD, [TAIL_NOTICE_BAD] = PRETTY_BAD};
    struct buf *out = screen_out(p->screen);
    return line->kind == TAIL_LINE
               ? pretty_put(&p->pretty, tags, rec, out)
               : pretty_notice(&p->pretty, tags, line->time_ns, tones[line->kind], line->text, out);
}

int printer_line(struct printer *p, const struct tags *tags, const struct tail_line *line)
{
    char time[CLOCK_TEXT_MAX];
    struct record rec = {
        .text = line->text, .stream = line->stream, .partial = line->partial, .level = line->level};
    if (p->o->json || p->o->times != PRETTY_TIMES_NONE) {
        rec.time = slice_of(time, clock_format(line->time_ns, time));
    }
    if ((p->o->json ? put_json(p, tags, &rec, line) : put_pretty(p, tags, &rec, line)) < 0) {
        return -1;
    }
    screen_written(p->screen);
    return 0;
}

bool printer_full(struct printer *p)
{
    return screen_full(p->screen);
}

bool printer_empty(const struct printer *p)
{
    return screen_empty(p->screen);
}
