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
