#include "base/logfmt.h"

#include "base/text.h"
#include "base/utf8.h"

/* Printable ASCII that means nothing to a reader of logfmt. */
static bool is_plain(char c)
{
    return c > ' ' && c < 0x7f && c != '=' && c != '"' && c != '\'' && c != '\\';
}

static bool all_plain(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!is_plain(value.ptr[i])) {
            return false;
        }
    }
    return value.len > 0;
}

/* Above ASCII any character may stand in a key but U+FFFD, which go-logfmt takes for a sign of damage. */
static bool fits_key(const char *p, size_t len)
{
    bool damage = len == 3 && memcmp(p, "\xef\xbf\xbd", 3) == 0;
    return len == 1 ? is_plain(*p) : len > 1 && !damage;
}

int logfmt_add_key(struct buf *out, struct slice key)
{
    if (buf_reserve(out, key.len) < 0) {
        return -1;
    }
    const char *p = key.ptr, *end = key.ptr + key.len;
    while (p < end) {
        size_t len = utf8_length(p, end);
        if (fits_key(p, len)) {
            buf_put(out, p, len);
        } else {
            buf_put(out, "_", 1);
        }
        p += len ? len : 1;
    }
    return 0;
}

int logfmt_add_value(struct buf *out, struct slice value)
{
    const size_t before = out->len;
    if (all_plain(value)) {
        return buf_add_slice(out, value);
    }
    if (buf_add(out, "\"", 1) < 0 || text_escape(out, value) < 0 || buf_add(out, "\"", 1) < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

/* The end of a value in quotes; p is behind the opening one. */
static const char *closing_quote(const char *p, const char *end)
{
    while (p < end && *p != '"') {
        p += *p == '\\' && end - p > 1 ? 2 : 1;
    }
    return p;
}

bool logfmt_next(struct slice *line, struct slice *pair)
{
    const char *p = line->ptr, *end = line->ptr + line->len;
    while (p < end && *p == ' ') {
        p++;
    }
    const char *start = p;
    while (p < end && *p != ' ') {
        p = *p == '"' ? closing_quote(p + 1, end) : p;
        p += p < end;
    }
    *pair = slice_of(start, (size_t)(p - start));
    *line = slice_of(p, (size_t)(end - p));
    return pair->len > 0;
}
