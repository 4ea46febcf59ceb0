/* Passwords in URLs are not shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/userinfo.h"

static void test_hide(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"no URL: a@b", "no URL: a@b"},
        {"tcp://host:2375", "tcp://host:2375"},
        {"tcp://me:secret@host:2375", "tcp://me:***@host:2375"},
        {"tcp://me:@host", "tcp://me:***@host"},
        {"https://user@host/path", "https://user@host/path"},
        {"tcp://me:se@cr/et@host", "tcp://me:***@host"},
        {"unix:///run/user@1000/docker.sock", "unix:///run/user@1000/docker.sock"},
        {"SSL://a:b@one:1,SSL://two:2,SSL://c:d@three:3",
         "SSL://a:***@one:1,SSL://two:2,SSL://c:***@three:3"},
        {"tcp://", "tcp://"},
        {"see http://a and b@c", "see http://a and b@c"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *shown = userinfo_hide(cases[i].text);
        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
