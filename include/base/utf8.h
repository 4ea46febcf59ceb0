/* One step through UTF-8. */
#ifndef SIDETAIL_BASE_UTF8_H
#define SIDETAIL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool utf8_continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* The length (1 to 4) of the valid sequence (RFC 3629, section 4) at p < end; 0 when there is none: that byte
 * is not UTF-8. */
static inline size_t utf8_length(const char *p, const char *end)
{
    size_t left = (size_t)(end - p);
    unsigned char a = (unsigned char)p[0];
    if (a < 0x80) {
        return 1;
    }
    if (a < 0xc2 || a > 0xf4 || left < 2 || !utf8_continues(p[1])) {
        return 0;
    }
    if (a < 0xe0) {
        return 2;
    }
    unsigned char b = (unsigned char)p[1];
    if (left < 3 || !utf8_continues(p[2])) {
        return 0;
    }
    if (a < 0xf0) {
        bool overlong = a == 0xe0 && b < 0xa0;
        bool surrogate = a == 0xed && b >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    bool overlong = a == 0xf0 && b < 0x90;
    bool too_high = a == 0xf4 && b >= 0x90;
    return left < 4 || !utf8_continues(p[3]) || overlong || too_high ? 0 : 4;
}

/* Is the character of `len` bytes (utf8_length) at p a control character, C0 or C1? It could steer the terminal of who
 * reads it. */
static inline bool utf8_is_control(const char *p, size_t len)
{
    unsigned char c = (unsigned char)p[0];
    return len == 1 ? c < 0x20 || c == 0x7F : len == 2 && c == 0xC2 && (unsigned char)p[1] < 0xA0;
}

/* How many of max bytes to cut from a text (which is longer) so that no character is torn; max where none
 * begins near there. */
static inline size_t utf8_cut(const char *text, size_t max)
{
    size_t len = max;
    while (len > 0 && len + 3 > max && utf8_continues(text[len])) {
        len--;
    }
    return len == 0 || utf8_continues(text[len]) ? max : len;
}

#endif
