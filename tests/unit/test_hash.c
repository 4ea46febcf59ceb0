/* hash64 gives what the library's function does, whatever vectors it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h wants the above
#include <cmocka.h>
#include <xxhash.h>

#include "base/hash.h"

static void test_as_the_library(void **state)
{
    static char text[4097];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)(i * 31 + i / 7);
    }
    for (size_t len = 0; len < sizeof(text); len++) {
        const char *p = text + sizeof(text) - len; /* at any alignment */
        assert_int_equal(hash64(p, len), XXH3_64bits(p, len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
