#include "encode/terminal.h"

#include <stdio.h>

#include "base/scan.h"
#include "base/utf8.h"

#define ESC         0x1b
#define SHOWN_MAX   16 /* bytes that a character may become; and room for a block */
#define REPLACEMENT "\xef\xbf\xbd"

/* How many bytes at p are printable ASCII or tabs. */
static size_t printable(const char *p, const char *end)
{
    const char *start = p;
    for (; end - p >= 16; p += 16) {
        scan16 v = scan_load(p);
        uint32_t stop = (scan_control_or_high(v) & ~scan_equal(v, '\t')) | scan_equal(v, 0x7f);
        if (stop) {
            return (size_t)(p - start) + (size_t)__builtin_ctz(stop);
        }
    }
    while (p < end && (*p == '\t' || (*p >= 0x20 && *p < 0x7f))) {
        p++;
    }
    return (size_t)(p - start);
}

/* Length of the colour sequence at p; 0 when it is none. */
static size_t color_length(const char *p, const char *end)
{
    if (end - p < 3 || p[0] != ESC || p[1] != '[') {
        return 0;
    }
    const char *start = p;
    for (p += 2; p < end && ((*p >= '0' && *p <= '9') || *p == ';' || *p == ':');) {
        p++;
    }
    return p < end && *p == 'm' ? (size_t)(p + 1 - start) : 0;
}

/* The code of a character that is printable to ASCII's rules, but that some terminals obey: DEL, C1, and
 * Unicode's Bidi_Control (PropList.txt), which turns the order of what stands around it. 0: it is none. */
static unsigned obeyed(const char *p, size_t len)
{
    unsigned char a = (unsigned char)p[0], b = len > 1 ? (unsigned char)p[1] : 0;
    if (len == 1) {
        return a == 0x7f ? a : 0;
    }
    if (len == 2) {
        return a == 0xc2 && b < 0xa0 ? b : a == 0xd8 && b == 0x9c ? 0x061c : 0;
    }
    if (len != 3 || a != 0xe2) {
        return 0;
    }
    unsigned code = 0x2000 | (b & 0x3fu) << 6 | ((unsigned char)p[2] & 0x3fu);
    bool turns = code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
                 (code >= 0x2066 && code <= 0x2069);
    return turns ? code : 0;
}

/* Writes what is shown for a character above ASCII; returns the bytes it took from p. */
static size_t put_high(struct buf *out, const char *p, const char *end)
{
    size_t len = utf8_length(p, end);
    if (len == 0) {
        buf_put(out, REPLACEMENT, 3);
        return 1;
    }
    unsigned code = obeyed(p, len);
    if (code) {
        char shown[SHOWN_MAX];
        int count = snprintf(shown, sizeof(shown), "<U+%04X>", code);
        buf_put(out, shown, (size_t)count);
    } else {
        buf_put(out, p, len);
    }
    return len;
}

int terminal_put(struct buf *out, struct slice raw, bool colors, bool *colored)
{
    if (raw.len == 0) {
        return 0;
    }
    const char *p = raw.ptr, *end = raw.ptr + raw.len;
    while (p < end) {
        size_t len = printable(p, end);
        if (buf_reserve(out, len + SHOWN_MAX) < 0) {
            return -1;
        }
        buf_put(out, p, len);
        p += len;
        size_t color = color_length(p, end);
        if (color > 0) {
            if (colors && buf_add(out, p, color) < 0) {
                return -1;
            }
            *colored |= colors;
            p += color;
        } else if (p < end && (*p & 0x80)) {
            p += put_high(out, p, end);
        } else if (p < end) {
            buf_put(out, (char[]){'^', (char)(*p ^ 0x40)}, 2);
            p++;
        }
    }
    return 0;
}

/* The first character that a terminal obeys in [p, end), or end. */
static const char *next_obeyed(const char *p, const char *end)
{
    while ((p += printable(p, end)) < end) {
        size_t len = utf8_length(p, end);
        if (len > 0 && obeyed(p, len)) {
            break;
        }
        p += len ? len : 1;
    }
    return p;
}

int terminal_escape(struct buf *out, size_t from)
{
    const char *p = out->data + from, *end = out->data + out->len, *next = next_obeyed(p, end);
    if (next == end) {
        return 0;
    }
    struct buf safe = {0};
    int result = 0;
    while (next < end && result == 0) {
        size_t len = utf8_length(next, end);
        result = buf_add(&safe, p, (size_t)(next - p));
        if (result == 0) {
            result = buf_addf(&safe, "\\u%04x", obeyed(next, len));
        }
        p = next + len;
        next = next_obeyed(p, end);
    }
    if (result == 0 && (result = buf_add(&safe, p, (size_t)(end - p))) == 0) {
        out->len = from;
        result = buf_add(out, safe.data, safe.len);
    }
    buf_free(&safe);
    return result;
}

/* -- columns ----------------------------------------------------------------------------------- */

/* Blocks of characters that are not one column wide, by and large (Unicode's EastAsianWidth.txt, and its
 * combining marks). wcwidth would want a locale, which an image may lack. */
static const struct {
    uint32_t first, last;
    unsigned columns;
} widths[] = {
    {0x0300, 0x036f, 0},   {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},   {0x20d0, 0x20ff, 0},
    {0x2e80, 0x303e, 2},   {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
    {0xfe00, 0xfe0f, 0},   {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
    {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2},
    {0x20000, 0x3fffd, 2},
};

static unsigned columns_of(uint32_t code)
{
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]) && code >= widths[i].first; i++) {
        if (code <= widths[i].last) {
            return widths[i].columns;
        }
    }
    return 1;
}

unsigned terminal_columns(struct slice text)
{
    unsigned columns = 0;
    for (size_t i = 0, len; i < text.len; i += len) {
        len = utf8_length(text.ptr + i, text.ptr + text.len);
        len = len ? len : 1;
        uint32_t code = (unsigned char)text.ptr[i] & (0xffu >> (len > 1 ? len + 1 : 0));
        for (size_t k = 1; k < len; k++) {
            code = code << 6 | ((unsigned char)text.ptr[i + k] & 0x3fu);
        }
        columns += columns_of(code);
    }
    return columns;
}
