/* json_check_object, held against jansson. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/json_check.h"
#include "base/text.h"

static bool check(const char *bytes, size_t len)
{
    char *copy = malloc(len ? len : 1); /* of exactly this length, for the sanitizer */
    memcpy(copy, bytes, len);
    bool valid = json_check_object(slice_of(copy, len));
    free(copy);
    return valid;
}

/* -1: a number is too big for jansson, which reads no further. */
static int by_jansson(const char *bytes, size_t len)
{
    json_error_t err;
    json_t *json = json_loadb(bytes, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &err);
    int valid = json && json_is_object(json);
    if (!json && json_error_code(&err) == json_error_numeric_overflow) {
        valid = -1;
    }
    json_decref(json);
    return valid;
}

static void test_known(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}",
        " {\"a\":1}\r\n",
        "{\"a\":[1,-0,0.5,1e9,1E-2,2.5e+3],\"b\":{\"c\":[[],{}]},\"d\":null,\"e\":true,\"f\":false}",
        "{\"\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}",
        "{\"a\" : [ 1 , 2 ] , \"b\"\n:\t3 }",
        "{\"a\":123456789012345678901234567890}",
    };
    static const char *const bad[] = {
        "",
        " ",
        "[]",
        "1",
        "\"a\"",
        "{",
        "}",
        "{}}",
        "{} x",
        "{a:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":[1,]}",
        "{\"a\":[1}",
        "{\"a\":(1)}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\ude00\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{'a':1}",
        "{\"a\":NaN}",
        "{\"a\":1}{}",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(check(good[i], strlen(good[i])));
        assert_int_equal(1, by_jansson(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (check(bad[i], strlen(bad[i]))) {
            fail_msg("%s passes", bad[i]);
        }
        assert_int_equal(0, by_jansson(bad[i], strlen(bad[i])));
    }
}

static void test_depth(void **state)
{
    (void)state;
    char text[1000];
    for (size_t depth = 1; depth < 200; depth++) {
        size_t len = 0;
        for (size_t i = 0; i < depth; i++) {
            len += (size_t)sprintf(text + len, i % 2 ? "[" : "{\"\":");
        }
        len += (size_t)sprintf(text + len, "1");
        for (size_t i = depth; i-- > 0;) {
            text[len++] = i % 2 ? ']' : '}';
        }
        assert_int_equal(check(text, len), depth <= JSON_CHECK_DEPTH);
    }
}

/* Random damage to a valid text: both must agree about every result. */
static void test_mutations(void **state)
{
    (void)state;
    static const char seed[] =
        "{\"a\":[1,-2.5e3,\"x\\n\\u00e9\\ud83d\\ude00\"],\"b\":{\"c\":true,\"d\":null},\"e\":{},\"f\":[]}";
    static const char letters[] = "{}[]\",:\\u0123456789aeEn+-. \n\x01xtrufls";
    unsigned random = 1, valid = 0;
    for (int round = 0; round < 400000; round++) {
        char text[sizeof(seed)];
        size_t len = sizeof(seed) - 1;
        memcpy(text, seed, sizeof(seed));
        for (int i = 0; i < 1 + round % 3; i++) {
            random = random * 1103515245 + 12345;
            text[(random >> 8) % len] = letters[(random >> 20) % (sizeof(letters) - 1)];
        }
        int ours = json_check_object(slice_of(text, len)), theirs = by_jansson(text, len);
        valid += theirs == 1;
        if (theirs >= 0 && ours != theirs) {
            fail_msg("%s: %d, jansson says %d", text, ours, theirs);
        }
    }
    assert_true(valid > 1000); /* else nothing was compared */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
