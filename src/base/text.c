#include "base/text.h"

#include "base/scan.h"
#include "base/utf8.h"

#define BLOCK 16
#define SLACK 128 /* room kept for a block: each byte may become six, and whole blocks are stored */

bool text_utf8_valid(struct slice raw)
{
    if (raw.len == 0) {
        return true;
    }
    const char *p = raw.ptr, *end = raw.ptr + raw.len;
    while (p < end) {
        if (end - p >= 16) {
            uint32_t high = scan_high(scan_load(p));
            if (!high) {
                p += 16;
                continue;
            }
            p += __builtin_ctz(high);
        } else if (!(*p & 0x80)) {
            p++;
            continue;
        }
        do { /* text that is not ASCII seldom stops at one */
            size_t len = utf8_length(p, end);
            if (!len) {
                return false;
            }
            p += len;
        } while (p < end && (*p & 0x80));
    }
    return true;
}

/* So that stops and take are known where they are called. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Which bytes of a block do not stand for themselves. */
typedef uint32_t stops_fn(scan16 block);

/* Takes one of those at p < end, writes what it becomes and moves *to behind it; returns the bytes taken. */
typedef size_t take_fn(const char *p, const char *end, char **to);

/* Converts the block at p, of which n bytes count and two BLOCKs can be read; returns the bytes taken, n or
 * more. What lies between two stops is stored as a whole block, of which the next store overwrites the
 * excess. */
ALWAYS_INLINE size_t convert_block(const char *p, size_t n, const char *end, char **to, stops_fn *stops,
                                   take_fn *take)
{
    scan16 block = scan_load(p);
    uint32_t stop = stops(block) & ((1u << n) - 1);
    if (!stop) {
        scan_store(*to, block);
        *to += n;
        return n;
    }
    size_t done = 0;
    while (stop) {
        size_t at = (size_t)__builtin_ctz(stop);
        scan_store(*to, scan_load(p + done));
        *to += at - done;
        done = at + take(p + at, end, to);
        stop = done < BLOCK ? stop >> done << done : 0;
    }
    if (done < n) {
        scan_store(*to, scan_load(p + done));
        *to += n - done;
        done = n;
    }
    return done;
}

/* Converts [*p, end), as far as whole blocks can be read when `behind` bytes may be read behind end; moves
 * *p. 0 or -1. */
ALWAYS_INLINE int convert_blocks(struct buf *out, const char **p, const char *end, size_t behind,
                                 stops_fn *stops, take_fn *take)
{
    while (*p < end && (size_t)(end - *p) + behind >= 2 * BLOCK) {
        size_t left = (size_t)(end - *p);
        if (out->cap - out->len < left + SLACK && buf_reserve(out, left + SLACK) < 0) {
            return -1;
        }
        char *to = out->data + out->len;
        *p += convert_block(*p, left < BLOCK ? left : BLOCK, end, &to, stops, take);
        out->len = (size_t)(to - out->data);
    }
    return 0;
}

/* Converts all of the text. Its last bytes go by a copy, for nothing may be read behind them. */
ALWAYS_INLINE int convert(struct buf *out, struct slice text, stops_fn *stops, take_fn *take)
{
    if (text.len == 0) {
        return 0;
    }
    const size_t before = out->len;
    const char *p = text.ptr, *end = text.ptr + text.len;
    char tail[4 * BLOCK] = {0};
    if (convert_blocks(out, &p, end, 0, stops, take) == 0) {
        size_t left = (size_t)(end - p);
        memcpy(tail, p, left);
        p = tail;
        if (convert_blocks(out, &p, tail + left, 2 * BLOCK, stops, take) == 0) {
            return 0;
        }
    }
    out->len = before;
    return -1;
}

/* Writes the escape of an ASCII character that needs one; returns its length. */
static inline size_t put_escape(char *to, unsigned char c)
{
    static const char letters[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char letter = c < 0x20 ? letters[c] : (char)c;
    to[0] = '\\';
    if (letter) {
        to[1] = letter;
        return 2;
    }
    to[1] = 'u';
    to[2] = to[3] = '0';
    to[4] = "01"[c >> 4];
    to[5] = "0123456789abcdef"[c & 15];
    return 6;
}

static inline uint32_t stops_escape(scan16 block)
{
    return scan_control_or_high(block) | scan_equal(block, '"') | scan_equal(block, '\\');
}

static inline size_t take_raw(const char *p, const char *end, char **to)
{
    unsigned char c = (unsigned char)*p;
    if (c < 0x80) {
        *to += put_escape(*to, c);
        return 1;
    }
    size_t len = utf8_length(p, end);
    memcpy(*to, len ? p : "\\ufffd", len ? len : 6);
    *to += len ? len : 6;
    return len ? len : 1;
}

int text_escape(struct buf *out, struct slice raw)
{
    return convert(out, raw, stops_escape, take_raw);
}

static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of `\uXXXX` at p; -1 when there is none. */
static int32_t code_unit(const char *p, size_t left)
{
    if (left < 6 || p[0] != '\\' || p[1] != 'u') {
        return -1;
    }
    int32_t value = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

static size_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Takes `\uXXXX`, or a pair of them; a surrogate without its other half is U+FFFD. */
static size_t take_unicode(const char *p, size_t left, char **to)
{
    int32_t unit = code_unit(p, left);
    if (unit < 0) { /* was not checked before: the backslash stands for itself */
        *(*to)++ = '\\';
        return 1;
    }
    uint32_t code = (uint32_t)unit;
    size_t taken = 6;
    if (code >= 0xd800 && code < 0xdc00) {
        int32_t low = code_unit(p + 6, left - 6);
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
            taken = 12;
        }
    }
    if (code >= 0xd800 && code < 0xe000) {
        code = 0xfffd;
    }
    *to += put_utf8(*to, code);
    return taken;
}

static inline uint32_t stops_unescape(scan16 block)
{
    return scan_equal(block, '\\');
}

static inline size_t take_escape(const char *p, const char *end, char **to)
{
    static const char values[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                     ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    unsigned char letter = end - p > 1 ? (unsigned char)p[1] : 0;
    if (letter < 128 && values[letter]) {
        *(*to)++ = values[letter];
        return 2;
    }
    return take_unicode(p, (size_t)(end - p), to);
}

int text_unescape(struct buf *out, struct slice escaped)
{
    return convert(out, escaped, stops_unescape, take_escape);
}

static inline size_t take_reescape(const char *p, const char *end, char **to)
{
    char value[4] = {0}, *stop = value;
    size_t taken = take_escape(p, end, &stop);
    unsigned char c = (unsigned char)value[0];
    if (c < 0x20 || c == '"' || c == '\\') {
        *to += put_escape(*to, c);
    } else {
        memcpy(*to, value, sizeof(value));
        *to += stop - value;
    }
    return taken;
}

int text_reescape(struct buf *out, struct slice escaped)
{
    return convert(out, escaped, stops_unescape, take_reescape);
}

size_t text_take_escape(const char *p, const char *end, char **to)
{
    return take_escape(p, end, to);
}

size_t text_unescaped_length(struct slice escaped)
{
    const char *p = escaped.ptr, *end = p + escaped.len;
    size_t len = 0;
    char value[4];
    while (p < end) {
        const char *backslash = memchr(p, '\\', (size_t)(end - p));
        if (!backslash) {
            return len + (size_t)(end - p);
        }
        char *to = value;
        size_t taken = take_escape(backslash, end, &to);
        len += (size_t)(backslash - p) + (size_t)(to - value);
        p = backslash + taken;
    }
    return len;
}
