/* The helper thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/worker.h"

struct count {
    struct job job;
    struct worker *worker;
    int number;
    pthread_t ran_on;
};

static int order[8], ran;
static char noted[64];
static struct event_base *base;

static void run_count(struct job *job)
{
    struct count *c = (struct count *)job;
    c->ran_on = pthread_self();
    worker_note(c->worker, 1, c->number == 0 ? "first" : "more");
}

static void done_count(struct job *job)
{
    struct count *c = (struct count *)job;
    assert_false(pthread_equal(c->ran_on, pthread_self()));
    order[ran++] = c->number;
    if (ran == 3) {
        event_base_loopbreak(base);
    }
}

static void on_note(void *arg, int kind, const char *text)
{
    assert_int_equal(kind, 1);
    strcat(arg, text);
}

static void jobs_come_back_in_order(void **state)
{
    (void)state;
    base = event_base_new();
    struct worker *w = worker_new(base);
    worker_on_note(w, on_note, noted);
    struct count jobs[3];
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct count){.job = {.run = run_count, .done = done_count}, .worker = w, .number = i};
        worker_post(w, &jobs[i].job);
    }
    event_base_dispatch(base);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(order[i], i);
    }
    assert_string_equal(noted, "firstmoremore");
    worker_free(w);
    event_base_free(base);
}

static int64_t waited_ns;

static void run_wait(struct job *job)
{
    struct count *c = (struct count *)job;
    int64_t began = clock_monotonic();
    while (worker_wait(c->worker, 10000)) {
    }
    waited_ns = clock_monotonic() - began;
    worker_note(c->worker, 1, "never told");
}

static void done_never(struct job *job)
{
    (void)job;
    fail();
}

static void a_waiting_job_gives_up_at_the_end(void **state)
{
    (void)state;
    base = event_base_new();
    struct worker *w = worker_new(base);
    struct count wait = {.job = {.run = run_wait, .done = done_never}, .worker = w};
    struct count never = {.job = {.run = run_wait, .done = done_never}, .worker = w};
    worker_post(w, &wait.job);
    worker_post(w, &never.job);
    assert_false(worker_ending(w));
    worker_free(w);
    assert_in_range(waited_ns, 0, 5 * NS_PER_S);
    event_base_free(base);
}

static int waits;

static void run_short_wait(struct job *job)
{
    struct count *c = (struct count *)job;
    int64_t began = clock_monotonic();
    waits += worker_wait(c->worker, 30);
    waited_ns = clock_monotonic() - began;
}

static void done_short_wait(struct job *job)
{
    (void)job;
    event_base_loopbreak(base);
}

static void waiting_lasts_as_long_as_asked(void **state)
{
    (void)state;
    base = event_base_new();
    struct worker *w = worker_new(base);
    struct count wait = {.job = {.run = run_short_wait, .done = done_short_wait}, .worker = w};
    worker_post(w, &wait.job);
    event_base_dispatch(base);
    assert_int_equal(waits, 1);
    assert_in_range(waited_ns, 30 * NS_PER_MS, 5 * NS_PER_S);
    worker_free(w);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_back_in_order),
        cmocka_unit_test(a_waiting_job_gives_up_at_the_end),
        cmocka_unit_test(waiting_lasts_as_long_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
