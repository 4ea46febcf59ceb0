/* What scan.h says of 64 bytes, so that its forms can be compared: each file that includes this has one. */
#ifndef SIDETAIL_TEST_SCAN_ANSWERS_H
#define SIDETAIL_TEST_SCAN_ANSWERS_H

#include "base/scan.h"

struct scan_answers {
    uint32_t equal[4], same[4], high[4], control_or_high[4], digits[4]; /* sixteen bytes each */
    uint64_t equal64, high64, control_or_high64;
    char stored[16]; /* the first sixteen bytes, loaded and stored */
};

/* c: the byte that is looked for; pattern: sixteen bytes to compare with. */
static inline struct scan_answers scan_ask(const char *p, char c, const char *pattern)
{
    struct scan64 v = scan64_load(p);
    struct scan_answers a = {.equal64 = scan64_equal(v, c),
                             .high64 = scan64_high(v),
                             .control_or_high64 = scan64_control_or_high(v)};
    for (int i = 0; i < 4; i++) {
        scan16 block = scan_load(p + 16 * i);
        a.equal[i] = scan_equal(block, c);
        a.same[i] = scan_same(block, scan_load(pattern));
        a.high[i] = scan_high(block);
        a.control_or_high[i] = scan_control_or_high(block);
        a.digits[i] = scan_digits(block);
    }
    scan_store(a.stored, scan_load(p));
    return a;
}

/* The same by the form for machines without vectors. */
struct scan_answers scan_ask_portable(const char *p, char c, const char *pattern);

#endif
