/* The HTTP server, asked by sidetail's own client from a thread and by hand-written requests. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "monitor/client.h"
#include "monitor/server.h"

static struct event_base *base;
static struct monitor *monitor;
static char where[32];

static int setup(void **state)
{
    (void)state;
    struct error err;
    base = event_base_new();
    monitor = monitor_open(base, "127.0.0.1:0", &err);
    if (!monitor) {
        return -1;
    }
    snprintf(where, sizeof(where), "127.0.0.1:%u", monitor_port(monitor));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    monitor_close(monitor);
    event_base_free(base);
    return 0;
}

/* Something to do in a thread while the loop turns here; it ends the loop when it is done. */
struct job {
    void (*work)(struct job *job);
    const char *text; /* path, or whole request */
    int result;
    struct error err;
    char reply[65536];
    _Atomic bool done;
};

static void *run_job(void *arg)
{
    struct job *job = arg;
    job->work(job);
    job->done = true;
    return NULL;
}

static void do_job(struct job *job)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_job, job), 0);
    while (!job->done) {
        struct timeval tick = {0, 2000};
        event_base_loopexit(base, &tick);
        event_base_dispatch(base);
    }
    pthread_join(thread, NULL);
}

static void work_ask(struct job *job)
{
    job->result = monitor_get(where, job->text, &job->err);
}

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)monitor_port(monitor)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ? -1 : fd;
}

/* Sends the request as it is and reads until the server closes. */
static void work_send(struct job *job)
{
    int fd = dial();
    size_t len = strlen(job->text), got = 0;
    job->result = send(fd, job->text, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
    ssize_t n;
    while ((n = read(fd, job->reply + got, sizeof(job->reply) - 1 - got)) > 0) {
        got += (size_t)n;
    }
    job->reply[got] = '\0';
    close(fd);
}

static struct job ask(const char *path)
{
    struct job job = {.work = work_ask, .text = path};
    do_job(&job);
    return job;
}

static int http_status(const char *request)
{
    static struct job job;
    job = (struct job){.work = work_send, .text = request};
    do_job(&job);
    int code = 0;
    sscanf(job.reply, "HTTP/%*d.%*d %d", &code);
    return code;
}

static void test_health(void **state)
{
    (void)state;
    assert_int_equal(ask("/healthz").result, 0);
}

static void test_ready(void **state)
{
    (void)state;
    struct job job = ask("/readyz");
    assert_int_equal(job.result, -1);
    assert_non_null(strstr(job.err.text, "503: not ready: starting"));
    monitor_set_ready(monitor, true, NULL);
    assert_int_equal(ask("/readyz").result, 0);
    monitor_set_ready(monitor, false, "the broker is away");
    job = ask("/readyz");
    assert_int_equal(job.result, -1);
    assert_non_null(strstr(job.err.text, "the broker is away"));
    assert_int_equal(ask("/healthz").result, 0);
    monitor_set_ready(NULL, true, NULL);

    monitor_set_ready(monitor, true, NULL);
    standing.sink_since_ns = clock_monotonic() - 5 * NS_PER_S;
    assert_int_equal(ask("/readyz").result, 0);
    standing.sink_since_ns -= 7 * NS_PER_S;
    job = ask("/readyz");
    assert_non_null(strstr(job.err.text, "acknowledged nothing for 12 s"));
    standing.sink_since_ns = 0;
    status.checkpoint.failing = true;
    job = ask("/readyz");
    assert_non_null(strstr(job.err.text, "checkpoint"));
    status.checkpoint.failing = false;
    standing.logs_wait_since_ns = clock_monotonic();
    assert_int_equal(ask("/readyz").result, 0);
    standing.logs_wait_since_ns -= 7 * NS_PER_S;
    metrics.waiting_logs = 3;
    job = ask("/readyz");
    assert_non_null(strstr(job.err.text, "3 logs wait"));
    standing.logs_wait_since_ns = 0;
    metrics.waiting_logs = 0;
    assert_int_equal(ask("/readyz").result, 0);
}

static void test_metrics(void **state)
{
    (void)state;
    static struct job job;
    metrics.rotations = 77;
    job = (struct job){.work = work_send, .text = "GET /metrics?x=1 HTTP/1.0\r\n\r\n"};
    do_job(&job);
    assert_non_null(strstr(job.reply, "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(job.reply, "\nsidetail_rotations_total 77\n"));
}

static void test_statuses(void **state)
{
    (void)state;
    assert_int_equal(http_status("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 200);
    assert_int_equal(http_status("HEAD /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 200);
    assert_int_equal(http_status("GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 404);
    assert_int_equal(http_status("GET /metrics/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 404);
    assert_int_equal(http_status("POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"),
                     405);
    assert_int_equal(http_status("DELETE /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 405);
    assert_int_equal(
        http_status("POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000\r\n\r\n"), 413);
    assert_int_equal(http_status("nonsense\r\n\r\n"), 400);
    assert_int_equal(ask("/healthz").result, 0);
}

/* The headers are those of a GET, without what would follow them (RFC 9110, 9.3.2). */
static void test_head_has_no_body(void **state)
{
    (void)state;
    static const char *const paths[] = {"/metrics", "/healthz", "/readyz", "/nothing", "/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        static struct job got, head;
        char get_request[64], head_request[64];
        snprintf(get_request, sizeof(get_request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", paths[i]);
        snprintf(head_request, sizeof(head_request), "HEAD %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", paths[i]);
        got = (struct job){.work = work_send, .text = get_request};
        head = (struct job){.work = work_send, .text = head_request};
        do_job(&got);
        do_job(&head);
        const char *end = strstr(head.reply, "\r\n\r\n"), *length = strstr(head.reply, "Content-Length: ");
        assert_non_null(end);
        assert_string_equal(end + 4, "");
        assert_non_null(length);
        assert_memory_equal(head.reply, got.reply, strcspn(got.reply, "\r"));
        if (i > 0) { /* the page of metrics differs from one to the next */
            assert_int_equal(atoi(length + 16), strlen(strstr(got.reply, "\r\n\r\n") + 4));
        }
    }
}

/* What a web page of others can send is not answered: it is sent under a name of theirs. */
static void test_hosts(void **state)
{
    (void)state;
    static const char *const own[] = {"127.0.0.1", "127.0.0.1:9464", "10.1.2.3:80",   "[::1]:9464",
                                      "[fe80::1]", "localhost",      "LocalHost:9464"};
    static const char *const others[] = {"evil.example",
                                         "evil.example:9464",
                                         "127.0.0.1.evil.example",
                                         "localhost.evil.example:9464",
                                         "sidetail",
                                         "127.0.0.1@evil.example",
                                         "[::1].evil.example",
                                         "",
                                         "127.0.0.1:evil.example",
                                         "[evil.example]:80",
                                         "localhost:9464:9464",
                                         "*"};
    static const char *const paths[] = {"/", "/status", "/metrics", "/healthz", "/readyz"};
    char request[256];
    monitor_set_ready(monitor, true, NULL);
    for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++) {
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
            snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", paths[p], own[i]);
            assert_int_equal(http_status(request), 200);
        }
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
            snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", paths[p], others[i]);
            assert_int_equal(http_status(request), 421);
        }
        snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", paths[p]);
        assert_int_equal(http_status(request), 200);
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: node.example\r\nSec-Sidetail: 1\r\n\r\n",
                 paths[p]);
        assert_int_equal(http_status(request),
                         200); /* our own client, which no script of a browser can pass for */
    }
    char name[3000];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    static char longer[4000];
    snprintf(longer, sizeof(longer), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
    assert_int_equal(http_status(longer), 421);
}

/* Where others are let in, Prometheus asks by names that nobody told us; people are told of by address alone. */
static void test_hosts_on_a_network(void **state)
{
    (void)state;
    struct error err;
    struct monitor *own = monitor;
    monitor = monitor_open(base, "*:0", &err);
    assert_non_null(monitor);
    monitor_set_ready(monitor, true, NULL);
    assert_int_equal(http_status("GET /metrics HTTP/1.1\r\nHost: tasks.sidetail:9464\r\n\r\n"), 200);
    assert_int_equal(http_status("GET /readyz HTTP/1.1\r\nHost: node.example:9464\r\n\r\n"), 200);
    assert_int_equal(http_status("GET /status HTTP/1.1\r\nHost: node.example:9464\r\n\r\n"), 421);
    assert_int_equal(http_status("GET / HTTP/1.1\r\nHost: node.example:9464\r\n\r\n"), 421);
    assert_int_equal(http_status("GET / HTTP/1.1\r\nHost: 10.0.0.7:9464\r\n\r\n"), 200);
    monitor_close(monitor);
    monitor = own;
}

static void test_page(void **state)
{
    (void)state;
    static const char *const headers[] = {"Content-Type: text/html; charset=utf-8\r\n",
                                          "Content-Security-Policy: default-src 'none'; script-src 'sha256-",
                                          "X-Content-Type-Options: nosniff\r\n",
                                          "X-Frame-Options: DENY\r\n",
                                          "Referrer-Policy: no-referrer\r\n",
                                          "Cross-Origin-Resource-Policy: same-origin\r\n"};
    static struct job job;
    job = (struct job){.work = work_send, .text = "GET /?x HTTP/1.1\r\nHost: localhost\r\n\r\n"};
    do_job(&job);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_non_null(strstr(job.reply, headers[i]));
    }
    assert_null(strstr(job.reply, "unsafe"));
    const char *page = strstr(job.reply, "\r\n\r\n") + 4;
    assert_memory_equal(page, "<!doctype html>", 15);
    assert_string_equal(page + strlen(page) - 8, "</html>\n");
    assert_true(strlen(page) <= 40 * 1024);
}

/* `*` is every address, to listen at as to ask. */
static void test_every_address(void **state)
{
    (void)state;
    static const char *const forms[] = {"*:%u", ":%u", "0.0.0.0:%u"};
    struct monitor *own = monitor;
    char own_where[sizeof(where)];
    memcpy(own_where, where, sizeof(where));
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct error err;
        snprintf(where, sizeof(where), forms[i], 0U);
        monitor = monitor_open(base, where, &err);
        assert_non_null(monitor);
        snprintf(where, sizeof(where), forms[i], monitor_port(monitor));
        assert_int_equal(ask("/healthz").result, 0);
        monitor_close(monitor);
    }
    monitor = own;
    memcpy(where, own_where, sizeof(where));
}

static void test_huge_header(void **state)
{
    (void)state;
    static char request[40000];
    int len = snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nX: ");
    memset(request + len, 'x', sizeof(request) - (size_t)len - 1);
    assert_int_not_equal(http_status(request), 200);
    assert_int_equal(ask("/healthz").result, 0);
}

/* Says nothing; the server is to close within its patience, and to serve others meanwhile. */
static void work_silent(struct job *job)
{
    int fd = dial();
    int64_t began = clock_monotonic();
    (void)!write(fd, "GET /metr", 9);
    job->result = monitor_get(where, "/healthz", &job->err);
    char byte;
    struct timeval limit = {15, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    while (read(fd, &byte, 1) > 0) {
    }
    snprintf(job->reply, sizeof(job->reply), "%d", (int)((clock_monotonic() - began) / NS_PER_S));
    close(fd);
}

static void test_slow_client(void **state)
{
    (void)state;
    static struct job job;
    job = (struct job){.work = work_silent};
    do_job(&job);
    assert_int_equal(job.result, 0);
    int seconds = atoi(job.reply);
    assert_true(seconds >= 4 && seconds <= 8);
}

static void test_port_in_use(void **state)
{
    (void)state;
    struct error err;
    assert_null(monitor_open(base, where, &err));
    assert_non_null(strstr(err.text, where));
    assert_non_null(strstr(err.text, "in use"));
    assert_null(monitor_open(base, "localhost", &err));
    assert_non_null(strstr(err.text, "HOST:PORT"));
}

static void test_ipv6(void **state)
{
    (void)state;
    struct error err;
    struct monitor *m = monitor_open(base, "[::1]:0", &err);
    if (!m) {
        skip(); /* a machine without IPv6 */
    }
    assert_true(monitor_port(m) > 0);
    monitor_close(m);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct error err;
    int64_t began = clock_monotonic();
    char text[32];
    struct monitor *m = monitor_open(base, "127.0.0.1:0", &err);
    snprintf(text, sizeof(text), "127.0.0.1:%u", monitor_port(m));
    monitor_close(m);
    assert_int_equal(monitor_get(text, "/healthz", &err), -1);
    assert_non_null(strstr(err.text, "is sidetail running"));
    assert_true(clock_monotonic() - began < NS_PER_S);
}

/* The server's socket is open but its loop does not turn: the kernel accepts, nobody answers. */
static void test_stuck_loop(void **state)
{
    (void)state;
    struct error err;
    int64_t began = clock_monotonic();
    assert_int_equal(monitor_get(where, "/healthz", &err), -1);
    assert_non_null(strstr(err.text, "within 2 s"));
    int64_t took = clock_monotonic() - began;
    assert_true(took >= 1900 * NS_PER_MS && took < 3000 * NS_PER_MS);
}

/* Another program on the port must not pass for a healthy collector. */
static void *run_impostor(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);
    char request[1024];
    (void)!read(fd, request, sizeof(request));
    (void)!write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 40);
    close(fd);
    return NULL;
}

static void test_impostor(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_impostor, &fd), 0);
    char text[32];
    struct error err;
    snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(monitor_get(text, "/healthz", &err), -1);
    assert_non_null(strstr(err.text, "no sidetail"));
    pthread_join(thread, NULL);
    close(fd);
}

static void test_addresses(void **state)
{
    (void)state;
    struct address at;
    assert_int_equal(address_parse("[fe80::1]:80", &at, NULL), 0);
    assert_string_equal(at.host, "fe80::1");
    assert_string_equal(at.port, "80");
    assert_int_equal(address_parse(":65535", &at, NULL), 0);
    assert_string_equal(at.host, "");
    static const char *const wrong[] = {"",        "host",    "host:",  "host:65536",
                                        "host:-1", "host: 1", "::1:80", "host:8o"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error err = {0};
        assert_int_equal(address_parse(wrong[i], &at, &err), -1);
        assert_true(err.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_health, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_has_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts_on_a_network, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_huge_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ipv6, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stuck_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impostor, setup, teardown),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
