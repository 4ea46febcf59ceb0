#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

static void empty_is_valid(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_add(&b, NULL, 0), 0);
    assert_null(b.data);
    buf_consume(&b, 0);
    buf_free(&b);
    buf_free(&b);
    assert_int_equal(buf_add(&b, "x", 1), 0);
    assert_int_equal(b.len, 1);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
}

static void grows_by_doubling(void **state)
{
    (void)state;
    struct buf b = {0};
    unsigned grown = 0;
    for (size_t i = 0; i < 1000000; i++) {
        size_t cap = b.cap;
        char c = (char)i;
        assert_int_equal(buf_add(&b, &c, 1), 0);
        grown += b.cap != cap;
    }
    assert_int_equal(b.len, 1000000);
    assert_true(grown < 20);
    for (size_t i = 0; i < b.len; i++) {
        assert_int_equal(b.data[i], (char)i);
    }
    buf_free(&b);
}

static void reserves_exactly_what_is_asked_for(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_reserve(&b, 5000), 0);
    assert_true(b.cap >= 5000);
    char *data = b.data;
    b.len = 100;
    assert_int_equal(buf_reserve(&b, b.cap - 100), 0); /* there already */
    assert_ptr_equal(b.data, data);
    buf_free(&b);
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_add(&b, "keep", 4), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -1); /* more than a size_t counts */
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "keep", 4);
    buf_free(&b);
}

static void formats(void **state)
{
    (void)state;
    struct buf b = {0};
    char expected[4000];
    assert_int_equal(buf_addf(&b, "%s=%d;", "a", 1), 0);
    assert_int_equal(buf_addf(&b, "%s", ""), 0);
    assert_int_equal(buf_addf(&b, "%03999d", 7), 0); /* larger than what was there */
    memset(expected, '0', 3998);
    expected[3998] = '7';
    assert_int_equal(b.len, 4 + 3999);
    assert_memory_equal(b.data, "a=1;", 4);
    assert_memory_equal(b.data + 4, expected, 3999);
    buf_free(&b);
}

static void consumes_from_the_front(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_add_slice(&b, SLICE("one\0two")), 0);
    buf_consume(&b, 4);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "two", 3);
    buf_consume(&b, 3);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

/* Against a plain array, at random. */
static void is_what_was_put_in(void **state)
{
    (void)state;
    struct buf b = {0};
    static char model[1 << 23]; /* what was put in, all of it; [start, start + len) is left */
    size_t start = 0, len = 0;
    srand(3);
    for (int i = 0; i < 50000; i++) {
        char bytes[300];
        size_t n = (size_t)rand() % sizeof(bytes);
        for (size_t k = 0; k < n; k++) {
            bytes[k] = (char)rand();
        }
        if (len < 65536 && rand() % 2) {
            assert_int_equal(buf_add(&b, bytes, n), 0);
            assert_true(start + len + n <= sizeof(model));
            memcpy(model + start + len, bytes, n);
            len += n;
        } else {
            n = n < len ? n : len;
            buf_consume(&b, n);
            start += n;
            len -= n;
        }
        assert_int_equal(b.len, len);
        assert_true(len == 0 || (b.data[0] == model[start] && b.data[len - 1] == model[start + len - 1]));
    }
    assert_memory_equal(b.data, model + start, len);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_valid),
        cmocka_unit_test(grows_by_doubling),
        cmocka_unit_test(reserves_exactly_what_is_asked_for),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(formats),
        cmocka_unit_test(consumes_from_the_front),
        cmocka_unit_test(is_what_was_put_in),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
