#include "order.h"

int64_t order_until(struct order *o, int64_t now_ns, int64_t *newest_ns)
{
    if (now_ns - o->turned_ns >= o->wait_ns || now_ns < o->turned_ns) {
        o->turned_ns = now_ns;
        o->shown_ns = *newest_ns;
        *newest_ns = 0;
    }
    int64_t old_ns = now_ns - o->wait_ns;
    return old_ns > o->shown_ns ? old_ns : o->shown_ns;
}
