/* The timestamp that log lines bear, `2026-11-24T05:00:39.668510088Z`, checked a block at a time. */
#ifndef SIDETAIL_DECODE_TIMESTAMP_H
#define SIDETAIL_DECODE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/scan.h"

#define TIMESTAMP_MAX  30 /* `2026-11-24T05:00:39.668510088Z` */
#define TIMESTAMP_READ 36 /* bytes that must be readable from p */

static inline unsigned timestamp_number(const char *p)
{
    return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

/* 1 when the two digits at p are a number from least to most, else 0. Not a bool: the answers are joined by &
 * below, for ten jumps would cost more than ten comparisons. */
static inline unsigned timestamp_within(const char *p, unsigned least, unsigned most)
{
    return timestamp_number(p) - least <= most - least;
}

/* Has the month (1 to 12) that day? Of the years from 2000 to 2099 each fourth is a leap year. */
static inline bool timestamp_day_exists(const char *p)
{
    static const unsigned char last[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned month = timestamp_number(p + 5), leap = month == 2 && timestamp_number(p + 2) % 4 == 0;
    return timestamp_number(p + 8) <= last[month] + leap;
}

/* Length of the timestamp at p when it is of a year from 2000 to 2099, in UTC, with no fraction or one of up to
 * nine digits; else 0. What is accepted clock_parse accepts; other forms of RFC 3339 are left to it. */
static inline size_t timestamp_length(const char *p)
{
    static const char date[] = "....-..-..T..:..";
    const uint32_t date_digits = 0xdb6f, date_marks = 0x2490;
    scan16 first = scan_load(p), second = scan_load(p + 16); /* `2026-11-24T05:00`, `:39.668510088Z"}` */
    uint32_t digits = scan_digits(second);
    bool fits = (scan_digits(first) & date_digits) == date_digits &&
                (scan_same(first, scan_load(date)) & date_marks) == date_marks && p[0] == '2' && p[1] == '0';
    fits = fits && p[16] == ':' && (digits & 6) == 6;
    unsigned in_range = timestamp_within(p + 5, 1, 12) & timestamp_within(p + 8, 1, 31) &
                        timestamp_within(p + 11, 0, 23) & timestamp_within(p + 14, 0, 59) &
                        timestamp_within(p + 17, 0, 60);
    if (!fits || !in_range || !timestamp_day_exists(p)) {
        return 0;
    }
    if (p[19] != '.') {
        return p[19] == 'Z' ? 20 : 0;
    }
    size_t count =
        (size_t)__builtin_ctz(~(digits >> 4)); /* of the fraction; the block holds twelve at most */
    return count >= 1 && count <= 9 && p[20 + count] == 'Z' ? 21 + count : 0;
}

#endif
