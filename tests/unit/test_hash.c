/* hash64 gives what checkpoints hold, and leaves the vector registers as code that is compiled for SSE2 needs them: with nothing
 * in their upper halves. Elsewhere there is nothing to ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h wants the above
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "base/hash.h"

#ifdef __x86_64__
#include <cpuid.h>

#define UPPER_HALVES (1u << 2) /* of the registers' first sixteen, as XGETBV counts */

static bool upper_halves_in_use(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return low & UPPER_HALVES;
}

/* Does the core tell which parts of its state are in use, and these not once they are clean? */
static bool is_told(void)
{
    unsigned a, b, c, d;
    bool saved = __get_cpuid_count(1, 0, &a, &b, &c, &d) && (c & bit_OSXSAVE) && (c & bit_AVX);
    if (!saved || !__get_cpuid_count(0xd, 1, &a, &b, &c, &d) || !(a & 1u << 2)) {
        return false;
    }
    __asm__ volatile("vzeroupper" ::: "memory");
    return !upper_halves_in_use();
}

static void test_leaves_the_upper_halves_clean(void **state)
{
    static char text[4096];
    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t len = 0; is_told() && len <= sizeof(text); len++) {
        __asm__ volatile("vzeroupper" ::: "memory");
        uint64_t hash = hash64(text, len);
        bool in_use = upper_halves_in_use();
        __asm__ volatile("" ::"r"(hash));
        assert_false(in_use);
    }
}
#else
static void test_leaves_the_upper_halves_clean(void **state)
{
    (void)state;
}
#endif

/* As XXH3 gives it since it is stable (0.8.0). */
static void test_value(void **state)
{
    static const char text[] = "0123456789abcdef0123456789abcdef";
    (void)state;
    assert_true(hash64(text, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(hash64(text, 32) == UINT64_C(0x1121d5b6c0ac055));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_leaves_the_upper_halves_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
