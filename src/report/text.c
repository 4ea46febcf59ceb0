#include "text.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "encode/terminal.h"

#define UNKNOWN  "-"
#define ELLIPSIS "\xe2\x80\xa6"

void short_number(double value, char out[SHORT_MAX])
{
    static const char units[] = "\0kMGTPE";
    size_t unit = 0;
    while (value >= 999.5 && unit < sizeof(units) - 2) {
        value /= 1000;
        unit++;
    }
    bool tenths = value > 0 && value < 9.95 && (unit > 0 || value != (double)(int)value);
    snprintf(out, SHORT_MAX, "%.*f%.1s", tenths, value, &units[unit]);
}

void short_span(double seconds, char out[SHORT_MAX])
{
    static const struct {
        double seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};
    size_t i = 0;
    seconds = seconds > 0 ? seconds : 0; /* clocks differ a little */
    while (i < 3 && seconds < 2 * units[i].seconds) {
        i++;
    }
    double value = i < 3 ? seconds / units[i].seconds : seconds;
    snprintf(out, SHORT_MAX, "%d%c", (int)(value < 99999 ? value : 99999), i < 3 ? units[i].unit : 's');
}

void put_bytes(struct buf *out, struct slice bytes)
{
    if (buf_add_slice(out, bytes) < 0) {
        die_out_of_memory();
    }
}

void put(struct buf *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_bytes(out, slice_of(text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1));
}

void put_safe(struct buf *out, const char *text)
{
    bool colored = false;
    size_t from = out->len;
    if (terminal_put(out, slice_str(text ? text : UNKNOWN), false, &colored) < 0) {
        die_out_of_memory();
    }
    for (char *p = out->data + from; p && p < out->data + out->len; p++) {
        *p = *p == '\t' ? ' ' : *p; /* nobody knows how wide it is */
    }
}

unsigned safe_columns(const char *text)
{
    struct buf safe = {0};
    put_safe(&safe, text);
    unsigned columns = terminal_columns(slice_of(safe.data, safe.len));
    buf_free(&safe);
    return columns;
}

static void put_spaces(struct buf *out, unsigned count)
{
    while (count-- > 0) {
        put_bytes(out, SLICE(" "));
    }
}

static size_t character(const char *p, const char *end)
{
    size_t len = utf8_length(p, end);
    return len ? len : 1;
}

/* Puts as much of its beginning as so many columns hold. Returns the columns that it took. */
static unsigned put_beginning(struct buf *out, struct slice text, unsigned columns)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    unsigned taken = 0;
    while (p < end) {
        size_t len = character(p, end);
        unsigned more = terminal_columns(slice_of(p, len));
        if (taken + more > columns) {
            break;
        }
        taken += more;
        p += len;
    }
    put_bytes(out, slice_of(text.ptr, (size_t)(p - text.ptr)));
    return taken;
}

/* Likewise of its end. */
static unsigned put_end(struct buf *out, struct slice text, unsigned columns)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    unsigned left = terminal_columns(text);
    while (p < end && left > columns) {
        size_t len = character(p, end);
        left -= terminal_columns(slice_of(p, len));
        p += len;
    }
    put_bytes(out, slice_of(p, (size_t)(end - p)));
    return left;
}

void put_column(struct buf *out, const char *text, unsigned columns, enum side keep, enum side align)
{
    struct buf safe = {0}, shown = {0};
    put_safe(&safe, text);
    struct slice all = slice_of(safe.data, safe.len);
    unsigned taken = terminal_columns(all);
    if (taken <= columns) {
        put_bytes(&shown, all);
    } else if (keep == LEFT) {
        taken = put_beginning(&shown, all, columns - 1) + 1;
        put_bytes(&shown, SLICE(ELLIPSIS));
    } else {
        put_bytes(&shown, SLICE(ELLIPSIS));
        taken = put_end(&shown, all, columns - 1) + 1;
    }
    put_spaces(out, align == RIGHT ? columns - taken : 0);
    put_bytes(out, slice_of(shown.data, shown.len));
    put_spaces(out, align == LEFT ? columns - taken : 0);
    buf_free(&safe);
    buf_free(&shown);
}

void put_wrapped(struct buf *out, const char *text, unsigned columns, unsigned used, unsigned indent)
{
    struct buf safe = {0};
    put_safe(&safe, text);
    const char *p = safe.data, *end = safe.data + safe.len;
    bool first = true;
    while (p < end) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        struct slice word = slice_of(p, (size_t)((space ? space : end) - p));
        unsigned width = terminal_columns(word);
        if (!first && columns > 0 && used + 1 + width > columns) {
            put(out, "\n");
            put_spaces(out, indent);
            used = indent;
        } else if (!first) {
            put(out, " ");
            used++;
        }
        put_bytes(out, word);
        used += width;
        first = false;
        p = space ? space + 1 : end;
    }
    put(out, "\n");
    buf_free(&safe);
}
