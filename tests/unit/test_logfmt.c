/* Keys and values of logfmt: what all its readers take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/logfmt.h"

static struct buf out;

static void expect(int (*add)(struct buf *, struct slice), struct slice given, const char *want)
{
    out.len = 0;
    assert_int_equal(add(&out, given), 0);
    assert_int_equal(buf_add(&out, "", 1), 0);
    assert_string_equal(out.data, want);
}

static void keys_hold_what_readers_take(void **state)
{
    (void)state;
    expect(logfmt_add_key, SLICE("com.docker/x-y_z"), "com.docker/x-y_z");
    expect(logfmt_add_key, SLICE("a b=c\"d'e\\f\tg\x7fh"), "a_b_c_d_e_f_g_h");
    expect(logfmt_add_key, SLICE("größe\u65e5\U0001f680"), "größe\u65e5\U0001f680");
    expect(logfmt_add_key, SLICE("\xff\xc3 \ufffd"), "____");
}

static void plain_values_stand_as_they_are(void **state)
{
    (void)state;
    expect(logfmt_add_value, SLICE("web"), "web");
    expect(logfmt_add_value, SLICE("registry:5000/a-b_c@sha256:1.2+3,{}[]"),
           "registry:5000/a-b_c@sha256:1.2+3,{}[]");
}

static void other_values_stand_in_quotes(void **state)
{
    (void)state;
    expect(logfmt_add_value, SLICE(""), "\"\"");
    expect(logfmt_add_value, SLICE("a b"), "\"a b\"");
    expect(logfmt_add_value, SLICE("a=b"), "\"a=b\"");
    expect(logfmt_add_value, SLICE("it's"), "\"it's\"");
    expect(logfmt_add_value, SLICE("say \"hi\"\\"), "\"say \\\"hi\\\"\\\\\"");
    expect(logfmt_add_value, SLICE("\n\r\t\0\x1b\x7f"), "\"\\n\\r\\t\\u0000\\u001b\x7f\"");
    expect(logfmt_add_value, SLICE("caf\u00e9"), "\"caf\u00e9\"");
    expect(logfmt_add_value, SLICE("bad\xff"), "\"bad\\ufffd\"");
}

static void pairs_are_taken_one_by_one(void **state)
{
    (void)state;
    static const char *const want[] = {"a=b", "c=\"d \\\" e=\\\\\"", "f=\"\"", "g=h"};
    struct slice line = SLICE("a=b c=\"d \\\" e=\\\\\" f=\"\"  g=h"), pair;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(logfmt_next(&line, &pair));
        assert_true(slice_eq(pair, slice_str(want[i])));
    }
    assert_false(logfmt_next(&line, &pair));
    struct slice open = SLICE("a=\"never closed \\");
    assert_true(logfmt_next(&open, &pair));
    assert_int_equal(open.len, 0);
    struct slice nothing = SLICE("");
    assert_false(logfmt_next(&nothing, &pair));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_hold_what_readers_take),
        cmocka_unit_test(plain_values_stand_as_they_are),
        cmocka_unit_test(other_values_stand_in_quotes),
        cmocka_unit_test(pairs_are_taken_one_by_one),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&out);
    return failed;
}
