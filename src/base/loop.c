#include "base/loop.h"

#include "base/clock.h"

struct event_base *loop_new(void)
{
    const struct timeval turn = {0, LOOP_TURN_NS / NS_PER_US};
    struct event_config *cfg = event_config_new();
    struct event_base *base = NULL;
    if (cfg && event_config_set_max_dispatch_interval(cfg, &turn, -1, 0) == 0) {
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
