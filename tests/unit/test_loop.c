/* The loop stays one, whatever its callbacks do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/metrics.h"

static struct event *busy;
static uint64_t turns;

/* Work that is done piece by piece, and never comes to its end. */
static void on_busy(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    turns++;
    event_active(busy, EV_TIMEOUT, 0);
}

static void on_other(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    event_base_loopbreak(arg);
}

static void test_others_have_their_turn(void **state)
{
    (void)state;
    struct event_base *base = loop_new();
    busy = event_new(base, -1, 0, on_busy, NULL);
    struct event *timer = evtimer_new(base, on_other, base),
                 *term = evsignal_new(base, SIGUSR1, on_other, base);
    event_add(timer, &(struct timeval){0, 5000});
    event_active(busy, EV_TIMEOUT, 0);
    alarm(20); /* or else this would not come back */
    event_base_dispatch(base);
    evsignal_add(term, NULL);
    kill(getpid(), SIGUSR1);
    event_base_dispatch(base);
    alarm(0);
    assert_true(turns > 1);
    event_free(busy);
    event_free(timer);
    event_free(term);
    event_base_free(base);
}

static uint64_t pieces;
static const uint64_t pieces_max = 5000;

/* Work of many pieces, of which each takes as long as it takes to ask for the time some hundred times. */
static void on_piece(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    for (int i = 0; i < 500; i++) {
        clock_monotonic();
    }
    if (++pieces < pieces_max) {
        loop_again(*(struct event **)arg);
    }
}

static void test_turns_are_short_and_counted(void **state)
{
    (void)state;
    struct event_base *base = loop_new();
    struct event *work = event_new(base, -1, 0, on_piece, &work);
    int64_t begin_ns = clock_thread();
    loop_again(work); /* before the first turn */
    uint64_t rounds = 0;
    alarm(20);
    for (; pieces < pieces_max; rounds++) {
        assert_int_equal(loop_turn(base), 0);
    }
    alarm(0);
    int64_t took_ns = clock_thread() - begin_ns;
    assert_in_range(rounds, 2, pieces_max - 1);
    assert_int_equal(loop_turns.all, rounds);
    assert_in_range(loop_turns.sum_ns, took_ns / 2, took_ns);
    assert_int_equal(loop_turn(base), 1); /* nothing is left */
    event_free(work);
    event_base_free(base);
}

static int64_t fired_ns;

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    fired_ns = clock_monotonic();
}

/* Till the kernel's clock that only ticks, each 4 ms on many machines, has just ticked. */
static void await_tick(void)
{
    struct timespec before, now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
    do {
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    } while (now.tv_nsec == before.tv_nsec);
}

/* A timer of less than a tick of that clock waits for no second one: most did. */
static void test_timers_are_precise(void **state)
{
    (void)state;
    struct event_base *base = loop_new();
    struct event *timer = evtimer_new(base, on_timer, NULL);
    int late = 0;
    for (int i = 0; i < 21; i++) {
        await_tick();
        int64_t begin_ns = clock_monotonic();
        loop_arm_timer(timer, 2500000);
        for (fired_ns = 0; fired_ns == 0;) {
            assert_int_equal(loop_turn(base), 0);
        }
        assert_true(fired_ns - begin_ns >= 2500000);
        late += fired_ns - begin_ns > 4000000;
    }
    assert_in_range(late, 0, 10);
    event_free(timer);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_others_have_their_turn),
                                       cmocka_unit_test(test_turns_are_short_and_counted),
                                       cmocka_unit_test(test_timers_are_precise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
