/* /status as the server writes it: read by jansson, while logs come and go, and by clients that leave. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
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
#include <jansson.h>

#include "base/clock.h"
#include "base/status.h"
#include "monitor/client.h"
#include "monitor/server.h"

#define COUNT 10000

static struct event_base *base;
static struct monitor *monitor;
static char where[32];
static struct status_entry entries[COUNT];

static int setup(void **state)
{
    (void)state;
    struct error err;
    base = event_base_new();
    monitor = monitor_open(base, "127.0.0.1:0", &err);
    status = (struct status){.source = {.name = "files"}, .sink = {.name = "stdout", .open = true}};
    snprintf(where, sizeof(where), "127.0.0.1:%u", monitor ? monitor_port(monitor) : 0);
    return monitor ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    monitor_close(monitor);
    event_base_loop(base, EVLOOP_NONBLOCK); /* connections are freed in it */
    event_base_free(base);
    return 0;
}

struct asked {
    struct buf body;
    struct error err;
    int result;
    _Atomic bool done;
};

static void *fetch(void *arg)
{
    struct asked *asked = arg;
    asked->result = monitor_fetch(where, "/status", &asked->body, &asked->err);
    asked->done = true;
    return NULL;
}

/* Asks while the loop turns here, and calls `meanwhile` in between. Returns the answer, to be freed. */
static json_t *ask(void (*meanwhile)(void))
{
    struct asked asked = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fetch, &asked), 0);
    while (!asked.done) {
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        if (meanwhile) {
            meanwhile();
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(asked.result, 0);
    json_error_t fault;
    json_t *json = json_loadb(asked.body.data, asked.body.len, 0, &fault);
    assert_non_null(json);
    buf_free(&asked.body);
    return json;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool describe_odd(void *owner, struct status_log *log)
{
    (void)owner;
    *log = (struct status_log){.service = "a\"b\\\x1b]0;x\a\xff",
                               .file = "/logs/\n",
                               .driver = "json-file",
                               .position = STATUS_OFFSET,
                               .offset = UINT64_C(1) << 40,
                               .unread = 2,
                               .lag_known = true,
                               .lag_bytes = 77,
                               .lag_ns = 1500 * NS_PER_MS,
                               .last_ns = NS_PER_S,
                               .lines = 12,
                               .rate = 3.25,
                               .problem = "its file cannot be read"};
    return true;
}

static void test_members(void **state)
{
    (void)state;
    struct status_entry entry = {.describe = describe_odd, .owner = &entry};
    struct status_note *note = NULL;
    status_enter(&entry);
    status_note(&note, &(struct status_left){.container = "x", .reason = "driver", .detail = "none"});
    status_fails(&status.sink, "no \"room\"");
    monitor_set_ready(monitor, true, NULL);

    json_t *all = ask(NULL);
    assert_int_equal(json_integer_value(json_object_get(all, "version")), 1);
    assert_string_equal(text_of(all, "sidetail"), VERSION);
    assert_true(json_is_true(json_object_get(all, "ready")));
    assert_null(json_object_get(all, "fault"));
    assert_string_equal(text_of(json_object_get(all, "source"), "state"), "starting");
    assert_string_equal(text_of(json_object_get(all, "source"), "name"), "files");
    assert_string_equal(text_of(json_object_get(all, "sink"), "state"), "failing");
    assert_string_equal(text_of(json_object_get(all, "sink"), "error"), "no \"room\"");
    assert_non_null(text_of(json_object_get(all, "sink"), "error_time"));
    json_t *logs = json_object_get(all, "logs"), *log = json_array_get(logs, 0);
    assert_int_equal(json_array_size(logs), 1);
    assert_string_equal(text_of(log, "service"), "a\"b\\\x1b]0;x\a\xef\xbf\xbd");
    assert_string_equal(text_of(log, "file"), "/logs/\n");
    assert_string_equal(text_of(log, "last_line"), "1970-01-01T00:00:01Z");
    assert_string_equal(text_of(log, "problem"), "its file cannot be read");
    assert_int_equal(json_integer_value(json_object_get(log, "offset")), INT64_C(1) << 40);
    assert_int_equal(json_integer_value(json_object_get(log, "unread_files")), 2);
    assert_int_equal(json_integer_value(json_object_get(log, "lag_bytes")), 77);
    assert_true(json_real_value(json_object_get(log, "lag_seconds")) == 1.5);
    assert_null(json_object_get(log, "container")); /* unknown */
    json_t *left = json_array_get(json_object_get(all, "left_out"), 0);
    assert_string_equal(text_of(left, "reason"), "driver");
    assert_string_equal(text_of(left, "detail"), "none");
    assert_string_equal(text_of(left, "container"), "x");
    assert_true(json_is_false(json_object_get(left, "problem")));
    json_decref(all);

    status_note(&note, NULL);
    status_leave(&entry);
    monitor_set_ready(monitor, false, "the broker is away");
    all = ask(NULL);
    assert_true(json_is_false(json_object_get(all, "ready")));
    assert_string_equal(text_of(all, "fault"), "the broker is away");
    assert_int_equal(json_array_size(json_object_get(all, "logs")), 0);
    assert_int_equal(json_array_size(json_object_get(all, "left_out")), 0);
    json_decref(all);
}

static unsigned described, most_at_once, at_once;

static bool describe_number(void *owner, struct status_log *log)
{
    static char name[16], padding[1001];
    memset(padding, 'x', sizeof(padding) - 1);
    snprintf(name, sizeof(name), "%u", (unsigned)((struct status_entry *)owner - entries));
    log->service = name;
    log->file = padding; /* so that all of them do not fit into a socket's buffers */
    described++;
    at_once++;
    most_at_once = at_once > most_at_once ? at_once : most_at_once;
    return true;
}

static void enter_many(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        entries[i] = (struct status_entry){.describe = describe_number, .owner = &entries[i]};
        status_enter(&entries[i]);
    }
    described = most_at_once = at_once = 0;
}

static void leave_many(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        status_leave(&entries[i]);
    }
}

/* A turn of the loop is over: the first log leaves, and comes in again as the last. */
static void stir(void)
{
    static size_t next;
    at_once = 0;
    status_leave(&entries[next]);
    status_enter(&entries[next]);
    next = (next + 1) % (COUNT / 2);
}

static void test_many_in_pieces(void **state)
{
    (void)state;
    enter_many();
    json_t *all = ask(stir), *logs = json_object_get(all, "logs");
    static bool seen[COUNT];
    for (size_t i = 0; i < json_array_size(logs); i++) {
        unsigned number = (unsigned)atoi(text_of(json_array_get(logs, i), "service"));
        assert_false(number >= COUNT / 2 && seen[number]);
        seen[number] = true;
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(seen[i]);
    }
    assert_true(most_at_once <= 500);
    json_decref(all);
    leave_many();
}

static int dial(const char *request)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)monitor_port(monitor)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    return fd;
}

static void turn_until(const unsigned *count, unsigned least)
{
    while (*count < least) {
        event_base_loop(base, EVLOOP_ONCE);
    }
}

/* Of a client that takes nothing no more is made than fits on the way to it, and it may go at any time. */
static void test_clients_that_leave(void **state)
{
    (void)state;
    static const char *const requests[] = {"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                           "GET /status HTTP/1.0\r\n\r\n"};
    enter_many();
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        described = 0;
        int fd = dial(requests[i]);
        turn_until(&described, 1);
        for (int turns = 0; turns < 1000; turns++) {
            event_base_loop(base, EVLOOP_NONBLOCK);
        }
        assert_true(described < COUNT);
        close(fd);
        for (int turns = 0; turns < 1000; turns++) {
            event_base_loop(base, EVLOOP_NONBLOCK);
        }
        json_decref(ask(NULL));
    }
    described = 0;
    int fd = dial(requests[0]); /* and is there when the server is closed, by teardown */
    turn_until(&described, 1);
    leave_many();
    monitor_close(monitor);
    close(fd);
    monitor = NULL;
}

/* Each client that takes nothing holds a piece of an answer: there are no more of them than so many. */
static void test_too_many_clients(void **state)
{
    (void)state;
    int fds[40], refused = 0;
    size_t count = sizeof(fds) / sizeof(fds[0]);
    enter_many();
    for (size_t i = 0; i < count; i++) {
        fds[i] = dial("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for (size_t i = 0; i < count; i++) {
        struct pollfd replied = {.fd = fds[i], .events = POLLIN};
        while (poll(&replied, 1, 0) == 0) {
            event_base_loop(base, EVLOOP_NONBLOCK);
        }
    }
    for (size_t i = 0; i < count; i++) {
        char reply[4096] = "";
        assert_true(recv(fds[i], reply, sizeof(reply) - 1, 0) > 0);
        refused += strncmp(reply, "HTTP/1.1 503", 12) == 0 && strstr(reply, "too many ask");
        close(fds[i]);
    }
    assert_int_equal(refused, count - 32);
    for (int turns = 0; turns < 1000; turns++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    json_decref(ask(NULL));
    leave_many();
}

static void test_head(void **state)
{
    (void)state;
    enter_many();
    int fd = dial("HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    char reply[4096];
    struct timeval limit = {5, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ssize_t got;
    while ((got = recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT)) < 0) {
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    reply[got] = '\0';
    assert_non_null(strstr(reply, "200 OK"));
    assert_non_null(strstr(reply, "application/json"));
    assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\n");
    assert_int_equal(described, 0);
    close(fd);
    leave_many();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clients_that_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
