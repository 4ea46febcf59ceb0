#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"

static struct buf page;

static const char *render(void)
{
    page.len = 0;
    assert_int_equal(metrics_render(&page), 0);
    assert_int_equal(buf_add(&page, "", 1), 0);
    return page.data;
}

/* The value of the one line that begins with `series` and a space. */
static double value_of(const char *text, const char *series)
{
    char needle[256];
    snprintf(needle, sizeof(needle), "\n%s ", series);
    const char *at = strstr(text, needle);
    if (!at) {
        fail_msg("%s is not there", series);
    }
    assert_null(strstr(at + 1, needle));
    return atof(at + strlen(needle));
}

static void test_counters(void **state)
{
    (void)state;
    metrics.malformed_lines = 3;
    metrics.feeds = UINT64_MAX;
    metrics.dropped_rate = 7;
    const char *text = render();
    assert_int_equal(value_of(text, "sidetail_malformed_lines_total"), 3);
    assert_non_null(strstr(text, "\nsidetail_feeds 18446744073709551615\n"));
    assert_non_null(strstr(text, "\n# TYPE sidetail_feeds gauge\n"));
    assert_non_null(strstr(text, "\n# TYPE sidetail_malformed_lines_total counter\n"));
    assert_int_equal(value_of(text, "sidetail_dropped_lines_total{reason=\"rate_limit\"}"), 7);
    assert_int_equal(value_of(text, "sidetail_dropped_lines_total{reason=\"rule\"}"), 0);
    assert_int_equal(value_of(text, "sidetail_build_info{version=\"" VERSION "\"}"), 1);
}

static void test_turns_of_the_loop(void **state)
{
    (void)state;
    metrics_turn(NS_PER_MS);
    metrics_turn(NS_PER_MS + 1);
    metrics_turn(2 * NS_PER_S);
    const char *text = render();
    assert_non_null(strstr(text, "\n# TYPE sidetail_loop_turn_seconds histogram\n"));
    assert_int_equal(value_of(text, "sidetail_loop_turn_seconds_bucket{le=\"0.001\"}"), 1);
    assert_int_equal(value_of(text, "sidetail_loop_turn_seconds_bucket{le=\"0.002\"}"), 2);
    assert_int_equal(value_of(text, "sidetail_loop_turn_seconds_bucket{le=\"1\"}"), 2);
    assert_int_equal(value_of(text, "sidetail_loop_turn_seconds_bucket{le=\"+Inf\"}"), 3);
    assert_int_equal(value_of(text, "sidetail_loop_turn_seconds_count"), 3);
    assert_true(value_of(text, "sidetail_loop_turn_seconds_sum") > 2.001);
}

static void test_services(void **state)
{
    (void)state;
    struct stats *web = metrics_service("web");
    assert_ptr_equal(web, metrics_service("web"));
    assert_ptr_not_equal(web, metrics_service("we"));
    web->lines_in[STREAM_STDERR] = 5;
    web->bytes_out[STREAM_STDOUT] = 1000;
    const char *text = render();
    assert_int_equal(value_of(text, "sidetail_lines_in_total{service=\"web\",stream=\"stderr\"}"), 5);
    assert_int_equal(value_of(text, "sidetail_lines_in_total{service=\"web\",stream=\"stdout\"}"), 0);
    assert_int_equal(value_of(text, "sidetail_bytes_out_total{service=\"web\",stream=\"stdout\"}"), 1000);
}

static void test_behind(void **state)
{
    (void)state;
    struct stats *s = metrics_service("slow");
    s->newest_ns = clock_now() - 90 * NS_PER_S;
    assert_true(value_of(render(), "sidetail_behind_seconds{service=\"slow\"}") == 0);
    s->lag_bytes = 10;
    double behind = value_of(render(), "sidetail_behind_seconds{service=\"slow\"}");
    assert_true(behind >= 90 && behind < 100);
    assert_int_equal(value_of(page.data, "sidetail_service_lag_bytes{service=\"slow\"}"), 10);
    s->newest_ns = clock_now() + 90 * NS_PER_S; /* a container with a clock that is fast */
    assert_true(value_of(render(), "sidetail_behind_seconds{service=\"slow\"}") == 0);
}

static void test_label_escapes(void **state)
{
    (void)state;
    metrics_service("a\"b\\c\nd\xff\xc3\xa9")->lag_bytes = 4;
    assert_int_equal(
        value_of(render(), "sidetail_service_lag_bytes{service=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa9\"}"), 4);
}

static void test_long_names(void **state)
{
    (void)state;
    char a[400], b[400];
    memset(a, 'x', sizeof(a));
    a[sizeof(a) - 1] = '\0';
    memcpy(b, a, sizeof(b));
    b[300] = 'y';
    assert_ptr_equal(metrics_service(a), metrics_service(b));
    memcpy(b + 254, "\xc3\xa9", 2); /* the cut would go through a character */
    metrics_service(b);
    assert_null(strstr(render(), "\xef\xbf\xbd\","));
    assert_null(strstr(page.data, "x\xc3\""));
}

static void test_process(void **state)
{
    (void)state;
    int fd = dup(0);
    double before = value_of(render(), "process_open_fds");
    int more = dup(0);
    assert_true(value_of(render(), "process_open_fds") == before + 1);
    close(fd);
    close(more);
    double rss = value_of(page.data, "process_resident_memory_bytes");
    assert_true(rss > 100 * 1024 && rss < 1e9);
    double age = (double)clock_now() / NS_PER_S - value_of(page.data, "process_start_time_seconds");
    assert_true(age > -1 && age < 600);
    assert_true(value_of(page.data, "process_max_fds") > 0);
    assert_true(value_of(page.data, "process_cpu_seconds_total") >= 0);
}

static unsigned times(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++) {
        n++;
    }
    return n;
}

/* Prometheus refuses a page on which a series stands twice. */
static void test_series_are_distinct(void **state)
{
    (void)state;
    metrics_service("bytes \xff")->lines_in[STREAM_STDOUT] = 1;
    metrics_service("bytes \xfe")->lines_in[STREAM_STDOUT] += 2;
    const char *text = render();
    assert_int_equal(times(text, "sidetail_service_lag_bytes{service=\"bytes \xef\xbf\xbd\"}"), 1);
    assert_true(value_of(text, "sidetail_lines_in_total{service=\"bytes \xef\xbf\xbd\",stream=\"stdout\"}") ==
                3);
}

/* Last: it fills the table for good. */
static void test_bound(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < 3 * METRICS_SERVICES_MAX; i++) {
        snprintf(name, sizeof(name), "service-%d", i);
        metrics_service(name)->lines_in[STREAM_STDOUT]++;
    }
    struct stats *other = metrics_service("one too many");
    assert_ptr_equal(other, metrics_service("_other"));
    assert_ptr_equal(other, metrics_service("another"));
    assert_ptr_not_equal(other, metrics_service("web"));
    const char *text = render();
    double kept = 0;
    for (const char *p = text; (p = strstr(p, "\nsidetail_lines_in_total{service=\"service-")); p++) {
        kept += atof(strchr(p, '}') + 1);
    }
    assert_true(kept > 0.9 * METRICS_SERVICES_MAX && kept <= METRICS_SERVICES_MAX);
    double rest = value_of(text, "sidetail_lines_in_total{service=\"_other\",stream=\"stdout\"}");
    assert_true(kept + rest == 3 * METRICS_SERVICES_MAX);
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&page);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters),      cmocka_unit_test(test_turns_of_the_loop),
        cmocka_unit_test(test_services),      cmocka_unit_test(test_behind),
        cmocka_unit_test(test_process),       cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_label_escapes), cmocka_unit_test(test_series_are_distinct),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
