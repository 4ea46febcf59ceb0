/* What the log writes, byte for byte; the clock stands still unless a test moves it. */
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/log.h"

static time_t now = 1795496439; /* 2026-11-24T05:00:39Z */

/* Takes the place of libc's: the library under test gets its time here. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    (void)id;
    ts->tv_sec = now;
    ts->tv_nsec = 7 * 1000 * 1000;
    return 0;
}

static int real_stderr, capture;

static int setup(void **state)
{
    (void)state;
    char path[] = "/tmp/sidetail-test-log.XXXXXX";
    real_stderr = dup(STDERR_FILENO);
    capture = mkstemp(path);
    unlink(path);
    now += 3600; /* a new window for every message */
    log_setup(LEVEL_INFO, LOG_LOGFMT);
    return capture < 0 || real_stderr < 0 || dup2(capture, STDERR_FILENO) < 0;
}

static int teardown(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    return close(capture);
}

/* What was written since the last call. */
static const char *written(void)
{
    static char text[1 << 16];
    ssize_t n = pread(capture, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_int_equal(ftruncate(capture, 0), 0);
    lseek(capture, 0, SEEK_SET);
    return text;
}

/* The same, behind the time and the level. */
static const char *written_message(void)
{
    const char *msg = strstr(written(), "msg=");
    assert_non_null(msg);
    return msg;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text++) {
        n++;
    }
    return n;
}

static void test_logfmt(void **state)
{
    (void)state;
    now = 1795496439 + 10 * 86400;
    log_info("following", KV("container", "web_1"), KN("files", -3));
    assert_string_equal(written(),
                        "time=2026-12-04T05:00:39.007Z level=info msg=following container=web_1 files=-3\n");
    log_warn("no fields at all");
    assert_string_equal(written_message(), "msg=\"no fields at all\"\n");
}

static void test_logfmt_quotes(void **state)
{
    (void)state;
    log_info("m", KV("a", ""), KV("b", "x=y"), KV("c", "say \"hi\"\\"), KV("d", "1\n2\t3\r"));
    assert_string_equal(written_message(),
                        "msg=m a=\"\" b=\"x=y\" c=\"say \\\"hi\\\"\\\\\" d=\"1\\n2\\t3\\u000d\"\n");
}

static void test_hostile_values(void **state)
{
    (void)state;
    /* A line cannot be forged, a terminal not steered, and the output is valid UTF-8. */
    log_info("m", KV("a", "\x1b[31m\x7f"), KV("b", "caf\xc3\xa9 \xc2\x9b"), KV("c", "\xff\xc3"),
             KV("d", "\xed\xa0\x80"));
    assert_string_equal(
        written_message(),
        "msg=m a=\"\\u001b[31m\\u007f\" b=\"caf\xc3\xa9 \\u009b\" c=\"\xef\xbf\xbd\xef\xbf\xbd\" "
        "d=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"\n");
}

static void test_json(void **state)
{
    (void)state;
    log_setup(LEVEL_INFO, LOG_JSON);
    log_error("it \"broke\"", KV("path", "/a b\x01\n\xff"), KN("errno", 5));
    json_t *line = json_loads(written(), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "error");
    assert_string_equal(json_string_value(json_object_get(line, "msg")), "it \"broke\"");
    assert_string_equal(json_string_value(json_object_get(line, "path")), "/a b\x01\n\xef\xbf\xbd");
    assert_int_equal(json_integer_value(json_object_get(line, "errno")), 5);
    assert_int_equal(json_object_size(line), 5);
    json_decref(line);
}

/* Nobody reads the pipe: nothing waits for that, and the next line that can be written says how many could
 * not. */
static void test_nobody_reads(void **state)
{
    (void)state;
    int ends[2], to = dup(STDERR_FILENO);
    char text[1 << 17] = "";
    assert_int_equal(pipe(ends), 0);
    assert_true(to >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    alarm(20); /* or else this would not come back */
    for (int i = 0; i < 5000; i++) {
        now += 1000;
        log_error("a message that nobody reads",
                  KV("detail", "some hundred bytes of it, so that it is soon full"));
    }
    alarm(0);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 4096);
    assert_null(strstr(text, "unwritten"));
    log_error("read again");
    memset(text, 0, sizeof(text));
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    const char *counted = strstr(text, " unwritten=");
    assert_non_null(counted);
    assert_true(atoi(counted + strlen(" unwritten=")) > 1000);
    assert_int_equal(strchr(text, '\n') - text + 1, strlen(text));
    dup2(to, STDERR_FILENO);
    close(to);
    close(ends[0]);
    close(ends[1]);
}

static void test_levels(void **state)
{
    (void)state;
    log_debug("hidden");
    assert_string_equal(written(), "");
    log_setup(LEVEL_ERROR, LOG_LOGFMT);
    log_warn("hidden too");
    assert_string_equal(written(), "");
    log_error("seen");
    assert_non_null(strstr(written(), "level=error msg=seen\n"));
}

static void test_long_values(void **state)
{
    (void)state;
    log_setup(LEVEL_INFO, LOG_JSON);
    char *big = malloc(100001);
    memset(big, 1, 100000);
    big[100000] = '\0';
    log_info("long", KV("a", big), KV("b", big), KV("c", "never reached"));
    json_t *line = json_loads(written(), 0, NULL);
    assert_non_null(line); /* whole and valid, though cut */
    assert_int_equal(json_string_length(json_object_get(line, "a")), 1024 + strlen("…"));
    assert_null(json_object_get(line, "b"));
    assert_string_equal(json_string_value(json_object_get(line, "cut")), "true");
    json_decref(line);
    free(big);
}

static void test_rate_limit(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        log_warn("sink is down", KN("try", i));
    }
    log_warn("another fact");
    const char *text = written();
    assert_int_equal(count(text, "sink is down"), LOG_BURST);
    assert_int_equal(count(text, "another fact"), 1);
    assert_null(strstr(text, "suppressed"));

    now += LOG_WINDOW_S - 1;
    log_warn("sink is down");
    assert_string_equal(written(), "");
    now += 1;
    log_warn("sink is down");
    assert_string_equal(written_message(), "msg=\"sink is down\" suppressed=96\n");
    log_warn("sink is down");
    assert_string_equal(written_message(), "msg=\"sink is down\"\n");
}

static void test_many_messages(void **state)
{
    (void)state;
    /* More distinct messages than are counted: the newest are still limited, none is lost. */
    char message[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(message, sizeof(message), "message-%d-", i);
        log_info(message);
    }
    assert_int_equal(count(written(), "msg=message-"), 1000);
    for (int i = 0; i < 20; i++) {
        log_info("message-999-");
    }
    assert_int_equal(count(written(), "msg="), LOG_BURST - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_logfmt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_logfmt_quotes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_messages, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
