#include "base/loop.h"

#include "base/clock.h"
#include "base/metrics.h"

/* Monotonic: when this turn is to be over; -1: nothing was done again in it; 0: nobody counts turns. */
static int64_t until_ns;

struct event_base *loop_new(void)
{
    const struct timeval turn = {0, LOOP_TURN_NS / NS_PER_US};
    struct event_config *cfg = event_config_new();
    struct event_base *base = NULL;
    if (cfg && event_config_set_max_dispatch_interval(cfg, &turn, -1, 0) == 0 &&
        event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER) == 0) {
        base = event_base_new_with_config(cfg);
    }
    if (cfg) {
        event_config_free(cfg);
    }
    return base;
}

void loop_arm_timer(struct event *timer, int64_t ns)
{
    ns = ns < 0 ? 0 : ns;
    const struct timeval tv = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US};
    evtimer_add(timer, &tv);
}

void loop_free_event(struct event *event)
{
    if (event) {
        event_free(event);
    }
}

/* The time that this thread computed says what a turn took: of waiting there is one per turn, in libevent, which does not
 * tell how long it was. */
int loop_turn(struct event_base *base)
{
    static int64_t before_ns = -1; /* what came before the first turn is none */
    before_ns = before_ns < 0 ? clock_thread() : before_ns;
    until_ns = -1; /* it waits first, nobody knows for how long */
    int result = event_base_loop(base, EVLOOP_ONCE);
    int64_t now_ns = clock_thread();
    metrics_turn(now_ns - before_ns);
    before_ns = now_ns;
    return result;
}

void loop_again(struct event *event)
{
    event_active(event, EV_TIMEOUT, 0);
    int64_t now_ns = until_ns ? clock_monotonic() : 0;
    if (until_ns < 0) {
        until_ns = now_ns + LOOP_TURN_NS;
    } else if (now_ns > until_ns) {
        event_base_loopbreak(event_get_base(event));
    }
}
