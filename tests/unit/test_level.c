#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "record/severity.h"

static const struct {
    const char *line, *level;
} lines[] = {
    /* a word in capitals near the beginning */
    {"2026-11-24 05:00:39,123 ERROR [main] c.e.Foo - it broke", "error"},
    {"2026-11-24T05:00:39Z INFO starting", "info"},
    {"INFO:root:hello", "info"},
    {"WARNING: disk is nearly full", "warn"},
    {"05:00:39.123 [main] DEBUG com.example.App -- x", "debug"},
    {"2026-11-24 05:00:39.123  WARN 1 --- [main] o.s.boot", "warn"},
    {"CRITICAL  out of stock", "fatal"},
    {"time=x ERROR=3", NULL},
    {"<NOTICE> something", "info"},
    {"1:M 24 Nov 2026 05:00:39.123 # FATAL CONFIG FILE ERROR", "fatal"},
    {"2026-11-24 05:00:39 UTC [1] FATAL:  password authentication failed", "fatal"},
    /* in brackets, before a colon */
    {"[error] 7#7: *1 open() failed", "error"},
    {"2026/11/24 05:00:39 [warn] 1#1: x", "warn"},
    {"[Mon Nov 24 05:00:39 2026] [core:notice] x", NULL},
    {"error: no such thing", "error"},
    {"2026-11-24T05:00:39Z warning: careful", "warn"},
    {"panic: runtime error: index out of range", "fatal"},
    {"\x1b[32minfo\x1b[39m: listening", "info"},
    {"\x1b[1;31mERROR\x1b[0m broke", "error"},
    {"[\x1b[33mWARN\x1b[0m] x", "warn"},
    /* fields */
    {"{\"level\":\"error\",\"msg\":\"an info in the text\"}", "error"},
    {"{\"msg\":\"x\",\"level\": \"Warning\"}", "warn"},
    {"{\"severity\":\"CRITICAL\"}", "fatal"},
    {"{\"level\":30,\"time\":1,\"msg\":\"pino\"}", "info"},
    {"{\"level\":60}", "fatal"},
    {"{\"level\":300}", NULL},
    {"{\"log.level\":\"debug\"}", "debug"},
    {"{\"@timestamp\":\"2026-11-24T05:00:39Z\",\"log\":{\"level\":\"trace\"}}", "trace"},
    {"{\"msg\":\"ERROR\"}", NULL},
    {"{\"sealevel\":\"error\"}", NULL},
    {"time=\"2026-11-24T05:00:39Z\" level=warning msg=\"x\"", "warn"},
    {"ts=1 lvl=eror msg=x", NULL},
    {"a=b=c level=\"error\"", "error"},
    {"level=information", "info"},
    {"level=", NULL},
    /* klog */
    {"E1124 05:00:39.123456       1 main.go:7] x", "error"},
    {"I1124 05:00:39.123456       1 main.go:7] x", "info"},
    {"X1124 05:00:39.123456       1 main.go:7] x", NULL},
    /* none */
    {"", NULL},
    {"   ", NULL},
    {"hello world", NULL},
    {"there was no error in this sentence", NULL},
    {"GET /api/error/INFO.html HTTP/1.1 200", NULL},
    {"information: about it", "info"},
    {"the ERRORS were many", NULL},
    {"MYERROR x", NULL},
    {"debugger attached", NULL},
    {"{", NULL},
    {"{\"level\"", NULL},
    {"{\"level\":", NULL},
    {"\x1b[", NULL},
    {"\x1b", NULL},
    {"=", NULL},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        /* A copy of exactly this length, so that a sanitizer sees a read beyond it. */
        size_t len = strlen(lines[i].line);
        char *copy = malloc(len ? len : 1);
        memcpy(copy, lines[i].line, len);
        const char *found = severity_name(severity_detect(slice_of(copy, len)));
        if (strcmp(found, lines[i].level ? lines[i].level : "") != 0) {
            fail_msg("'%s' is taken for '%s'", lines[i].line, found);
        }
        free(copy);
    }
}

static void test_far_away(void **state)
{
    (void)state;
    char line[4000];
    memset(line, 'x', sizeof(line));
    memcpy(line + 3000, " ERROR ", 7);
    assert_int_equal(severity_detect(slice_of(line, sizeof(line))), SEVERITY_NONE);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = SEVERITY_TRACE; i <= SEVERITY_FATAL; i++) {
        assert_int_equal(severity_find(severity_name((enum severity)i)), i);
    }
    assert_int_equal(severity_find("Warning"), SEVERITY_WARN);
    assert_int_equal(severity_find("nothing"), SEVERITY_NONE);
    assert_string_equal(severity_name(SEVERITY_NONE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_far_away),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
