#include "frame.h"

#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "text.h"

/* Lines above and below what is scrolled. */
#define ABOVE 5
#define BELOW 1

#define HOME        "\x1b[H"
#define TO_LINE_END "\x1b[K"
#define TO_END      "\x1b[J"
#define REVERSE     "\x1b[7m"
#define RED         "\x1b[31m"
#define PLAIN       "\x1b[0m"

/* Draws line by line, no more of them than there is room for. */
struct pen {
    struct buf *out;
    const struct view *v;
    unsigned drawn;
};

unsigned frame_page(const struct view *v)
{
    return v->height > ABOVE + BELOW ? v->height - ABOVE - BELOW : 1;
}

/* -- order ------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return row_compare_names(a, b);
}

static int by_rate(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->rate != y->rate ? (x->rate < y->rate ? 1 : -1) : row_compare_names(x, y);
}

static int by_lag(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->lag_bytes != y->lag_bytes ? (x->lag_bytes < y->lag_bytes ? 1 : -1) : by_rate(x, y);
}

static void sort(struct answer *a, enum sort how)
{
    static int (*const orders[])(const void *, const void *) = {
        [SORT_RATE] = by_rate, [SORT_LAG] = by_lag, [SORT_NAME] = by_name};
    if (a->count > 1) {
        qsort(a->rows, a->count, sizeof(*a->rows), orders[how]);
    }
}

/* -- lines ------------------------------------------------------------------------------------- */

/* A text of one line, with its newline or without; cut to the width. Between lines only there is a newline, for one behind
 * the last would scroll the screen. */
static void draw(struct pen *pen, const char *style, struct slice text)
{
    struct buf line = {0};
    if (pen->drawn == pen->v->height) {
        return;
    }
    text.len -= text.len > 0 && text.ptr[text.len - 1] == '\n';
    put_bytes(&line, text);
    put(&line, "%c", '\0');
    put(pen->out, "%s%s", pen->drawn++ > 0 ? "\r\n" : "", style);
    put_column(pen->out, line.data, pen->v->width, LEFT, LEFT);
    put(pen->out, "%s", *style ? PLAIN : "");
    buf_free(&line);
}

static void draw_empty(struct pen *pen, unsigned until)
{
    while (pen->drawn < until && pen->drawn < pen->v->height) {
        draw(pen, "", SLICE(""));
    }
}

/* Of `count` things, which is the first shown? */
static void clamp_first(struct view *v, size_t count)
{
    size_t room = frame_page(v), last = count > room ? count - room : 0;
    v->first = v->first < last ? v->first : last;
}

static void draw_logs(struct pen *pen, struct answer *a, struct view *v)
{
    struct table table = table_fit(a, v->width);
    struct buf line = {0};
    sort(a, v->sort);
    table_put_head(&line, &table);
    draw(pen, REVERSE, slice_of(line.data, line.len));
    clamp_first(v, a->count);
    for (size_t i = v->first; i < a->count && i < v->first + frame_page(v); i++) {
        line.len = 0;
        table_put_row(&line, &table, &a->rows[i], a->now_ns);
        draw(pen, a->rows[i].problem && v->color ? RED : "", slice_of(line.data, line.len));
    }
    buf_free(&line);
}

static void draw_reasons(struct pen *pen, struct answer *a, struct view *v)
{
    struct buf text = {0};
    size_t count = 0, number = 0;
    table_put_reasons(&text, a, v->width);
    if (text.len == 0) {
        put(&text, "\nNothing is wrong, and nothing is left out.\n");
    }
    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] == '\n';
    }
    clamp_first(v, count);
    draw(pen, REVERSE, SLICE("PROBLEMS, AND WHAT IS LEFT OUT"));
    for (const char *p = text.data, *end = p + text.len; p < end; number++) {
        size_t len = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) + 1 - p);
        if (number >= v->first && number < v->first + frame_page(v)) {
            draw(pen, "", slice_of(p, len));
        }
        p += len;
    }
    buf_free(&text);
}

static void draw_above(struct pen *pen, const struct answer *a)
{
    struct buf text = {0};
    table_put_title(&text, a, pen->v->listen);
    draw(pen, "", slice_of(text.data, text.len));
    text.len = 0;
    table_put_states(&text, a);
    draw(pen, "", slice_of(text.data, text.len));
    text.len = 0;
    table_put_sums(&text, a);
    draw(pen, "", slice_of(text.data, text.len));
    draw(pen, "", SLICE(""));
    buf_free(&text);
}

static void draw_below(struct pen *pen)
{
    const struct view *v = pen->v;
    static const char *const orders[] = {[SORT_RATE] = "rate", [SORT_LAG] = "lag", [SORT_NAME] = "name"};
    struct buf text = {0};
    if (v->fault) {
        put(&text, "%s", v->fault);
    } else if (v->problems) {
        put(&text, "q quit  p logs  arrows, PgUp, PgDn: scroll");
    } else {
        put(&text, "q quit  p problems  by %s (r rate, l lag, n name)  arrows, PgUp, PgDn: scroll",
            orders[v->sort]);
    }
    draw(pen, v->fault ? REVERSE : "", slice_of(text.data, text.len));
    buf_free(&text);
}

void frame_put(struct buf *out, struct answer *a, struct view *v)
{
    struct pen pen = {out, v, 0};
    put(out, HOME);
    if (!a->json) {
        draw(&pen, "", SLICE("asking …"));
    } else {
        draw_above(&pen, a);
        if (v->problems) {
            draw_reasons(&pen, a, v);
        } else {
            draw_logs(&pen, a, v);
        }
    }
    draw_empty(&pen, v->height > BELOW ? v->height - BELOW : 0);
    draw_below(&pen);
    put(out, TO_LINE_END TO_END);
}
