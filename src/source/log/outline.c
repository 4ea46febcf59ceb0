#include "outline.h"

#include <string.h>

#include "base/hash.h"

static const uint8_t left_of[] = FILE_OUTLINE_LEFT;
#define LINES (sizeof(left_of))
#define HALF  LINES /* the sum of that */

static uint8_t sum(const char *p, size_t len)
{
    return (uint8_t)hash64(p, len);
}

static size_t half(size_t len)
{
    return (len + 1) / 2;
}

/* Which sum is that of the line's end that so many more follow? LINES: none is. */
static size_t sum_of(size_t left)
{
    size_t i = 0;
    while (i < LINES && left_of[i] != left) {
        i++;
    }
    return i;
}

/* Behind the newline, or NULL. */
static const char *next_line(const char *p, const char *end)
{
    const char *newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    return newline ? newline + 1 : NULL;
}

struct file_outline outline_of(const char *tail, size_t len)
{
    struct file_outline out = {0};
    const char *end = tail + len;
    size_t lines = 0;
    for (const char *p = next_line(tail, end); p; p = next_line(p, end)) {
        lines++;
    }
    if (lines == 0 || lines > UINT8_MAX) {
        return out;
    }
    out.lines = (uint8_t)lines;
    out.sums[HALF] = sum(tail, half(len));
    for (const char *p = next_line(tail, end); p; p = next_line(p, end)) {
        size_t i = sum_of(--lines);
        if (i < LINES) {
            out.sums[i] = sum(tail, (size_t)(p - tail));
        }
    }
    return out;
}

struct outline_known outline_known(const struct file_outline *outline, const char *bytes, size_t len)
{
    struct outline_known known = {0};
    size_t left = outline->lines;
    const char *end = bytes + len;
    for (const char *p = next_line(bytes, end); p && left > 1; p = next_line(p, end)) {
        size_t i = sum_of(--left);
        if (i < LINES && outline->sums[i] != sum(bytes, (size_t)(p - bytes))) {
            break;
        }
        known.maybe = (size_t)(p - bytes);
        if (i < LINES) {
            known.surer = known.sure;
            known.sure = known.maybe;
        }
    }
    return known;
}

bool outline_half(const struct file_outline *outline, size_t whole, const char *bytes, size_t len)
{
    return outline->lines > 0 && len >= half(whole) && outline->sums[HALF] == sum(bytes, half(whole));
}
