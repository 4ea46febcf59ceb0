/* What is said of faults is one line that does nothing to a terminal, whoever wrote a part of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/error.h"

static void test_one_line_without_commands(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"404 page not found\n", "404 page not found"},
        {"<html>\r\n\t<b>no\r\n", "<html>   <b>no"},
        {"\n", ""},
        {"a\033[2Jb\177c\302\233d", "a?[2Jb?c?d"},
        {"naïve …", "naïve …"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err;
        assert_int_equal(error_set(&err, "%s", cases[i][0]), -1);
        assert_string_equal(err.text, cases[i][1]);
    }
}

static void test_quotes_show_what_was_there(void **state)
{
    (void)state;
    char out[ERROR_QUOTE_MAX];
    assert_string_equal(error_quote("a\n\033", out), "\"a??\"");
    assert_string_equal(error_quote("", out), "\"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_line_without_commands),
                                       cmocka_unit_test(test_quotes_show_what_was_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
