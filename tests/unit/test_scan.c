/* Both forms of scan.h, this machine's vectors and the portable words, held against looking at one byte after
 * another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "scan_answers.h"

static uint64_t seed = 20261128;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* Any byte, or one at the edge of what is asked for. */
static char draw_byte(char c)
{
    static const char edges[] = "\x00\x01\x1f\x20\x21\x2f\x30\x39\x3a\x7e\x7f\x80\x81\xa0\xb0\xb9\xfe\xff";
    switch (draw(4)) {
    case 0:
        return c;
    case 1:
        return (char)(c ^ 1 << draw(8)); /* one bit away */
    case 2:
        return edges[draw(sizeof(edges) - 1)];
    default:
        return (char)draw(256);
    }
}

static struct scan_answers by_bytes(const char *p, char c, const char *pattern)
{
    struct scan_answers a = {.stored = ""};
    for (int i = 0; i < 64; i++) {
        unsigned char b = (unsigned char)p[i];
        int block = i / 16, bit = i % 16;
        a.equal[block] |= (uint32_t)(p[i] == c) << bit;
        a.same[block] |= (uint32_t)(p[i] == pattern[bit]) << bit;
        a.high[block] |= (uint32_t)(b >= 0x80) << bit;
        a.control_or_high[block] |= (uint32_t)(b < 0x20 || b >= 0x80) << bit;
        a.digits[block] |= (uint32_t)(b >= '0' && b <= '9') << bit;
        a.equal64 |= (uint64_t)(p[i] == c) << i;
        a.high64 |= (uint64_t)(b >= 0x80) << i;
        a.control_or_high64 |= (uint64_t)(b < 0x20 || b >= 0x80) << i;
    }
    memcpy(a.stored, p, sizeof(a.stored));
    return a;
}

static void check(const char *p, char c, const char *pattern)
{
    struct scan_answers want = by_bytes(p, c, pattern), vectors = scan_ask(p, c, pattern),
                        words = scan_ask_portable(p, c, pattern);
    assert_memory_equal(&vectors, &want, sizeof(want));
    assert_memory_equal(&words, &want, sizeof(want));
}

/* Every byte at every place, between others that are drawn, and looked for by every byte. */
static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (int place = 0; place < 64; place++) {
            char text[64], pattern[16];
            for (int i = 0; i < 64; i++) {
                text[i] = draw_byte((char)byte);
            }
            for (int i = 0; i < 16; i++) {
                pattern[i] = draw(2) ? text[16 * draw(4) + (uint32_t)i] : draw_byte((char)byte);
            }
            text[place] = (char)byte;
            check(text, (char)byte, pattern);
        }
    }
}

/* Nothing but one byte, or that byte in one place alone: no answer leaks into its neighbours. */
static void test_alone(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[64], pattern[16];
        memset(text, (int)byte, sizeof(text));
        memset(pattern, (int)byte, sizeof(pattern));
        check(text, (char)byte, pattern);
        for (int place = 0; place < 64; place++) {
            memset(text, byte == 'x' ? 'y' : 'x', sizeof(text));
            text[place] = (char)byte;
            check(text, (char)byte, pattern);
        }
    }
}

/* Blocks lie anywhere, and what is around them does not count. */
static void test_at_any_address(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char room[64 + 32], pattern[16];
        char c = draw_byte('"');
        for (size_t i = 0; i < sizeof(room); i++) {
            room[i] = draw_byte(c);
        }
        const char *p = room + draw(32);
        memcpy(pattern, p + 16 * draw(4), sizeof(pattern));
        check(p, c, pattern);
    }
}

/* The test compares two forms where it can: a machine that has vectors must not fall back to words unseen. */
static void test_vectors_are_used(void **state)
{
    (void)state;
#if defined(__x86_64__) || defined(__AARCH64EL__)
#ifndef SCAN_VECTORS
    fail_msg("scan.h takes the portable form on a machine that has SSE2 or NEON");
#endif
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_at_any_address),
        cmocka_unit_test(test_vectors_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
