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
        {"https://token@host/path", "https://***@host/path"},
        {"tcp://me:se cr\"et\n@host", "tcp://me:***@host"},
        {"tcp://me:se://cret@host", "tcp://me:***@host"},
        {"tcp://me:se,cret@host,x", "tcp://me:***@host,x"},
        {"tcp://me:se@cr/et@host", "tcp://me:***@host"},
        {"unix:///run/user@1000/docker.sock", "unix:///run/user@1000/docker.sock"},
        {"SSL://a:b@one:1,SSL://two:2,SSL://c:d@three:3",
         "SSL://a:***@one:1,SSL://two:2,SSL://c:***@three:3"},
        {"tcp://", "tcp://"},
        {"SSL://a:b://c@one:1, SSL://c:d@two:2", "SSL://a:***@one:1, SSL://c:***@two:2"},
        {"see http://a and b@c", "see http://***@c"}, /* it may be a password with blanks */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *shown = userinfo_hide(cases[i].text);
        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
}

/* However mistyped it is. */
static void test_hide_address(void **state)
{
    (void)state;
    static const struct {
        const char *address, *shown;
    } cases[] = {
        {"", ""},
        {"@", "***@"},
        {"host", "host"},
        {"host:2375", "host:2375"},
        {"tcp:host:2375", "tcp:host:2375"},
        {"tcp://host:2375", "tcp://host:2375"},
        {"unix:///run/user@1000/docker?.sock", "unix:///run/user@1000/docker?.sock"},
        {"tcp://me:secret@host:2375/x", "tcp://***@host:2375/x"},
        {"tcp://secret@host", "tcp://***@host"},
        {"TCP:me:secret@host", "TCP:***@host"},
        {"tcp:/me:secret@host", "tcp:/***@host"},
        {"tcp:///me:secret@host", "tcp:///***@host"},
        {"tcp:// me:secret@host", "tcp://***@host"},
        {" tcp://me:secret@host", "***@host"},
        {"me:secret@host:2375", "***@host:2375"},
        {"me:secret:x@host", "***@host"},
        {"secret@host", "***@host"},
        {"me://secret@host", "me://***@host"},
        {"unix://me:secret@host", "unix://***@host"},
        {"tcp://me:se cr\"et@/?@://@host", "tcp://***@host"},
        {"tcp://host?x=secret", "tcp://host?***"},
        {"tcp://me:secret@host/#secret", "tcp://***@host/#***"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *shown = userinfo_hide_address(cases[i].address);
        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hide), cmocka_unit_test(test_hide_address)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
