#include "order.h"

#define LEARN_NS (5 * NS_PER_S) /* what was seen in the last 5 to 10 s counts */

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void order_see(struct order_seen *seen, int64_t time_ns, int64_t now_ns)
{
    int64_t late_ns = now_ns > time_ns ? now_ns - time_ns : 0;
    seen->newest_ns = most(seen->newest_ns, time_ns);
    seen->late_ns = late_ns > ORDER_WAIT_MAX ? seen->late_ns : most(seen->late_ns, late_ns);
}

/* Half as long again as lines were late. Where none came, it stays as it is. */
static void learn(struct order *o, int64_t now_ns)
{
    int64_t late_ns = most(o->late_ns, o->before_ns);
    if (o->wait_ns == 0 || late_ns > o->wait_ns) {
        o->wait_ns = most(late_ns + late_ns / 2, ORDER_WAIT_FIRST);
    }
    if (now_ns - o->learned_ns >= LEARN_NS || now_ns < o->learned_ns) {
        o->learned_ns = now_ns;
        o->wait_ns = late_ns > 0 ? late_ns + late_ns / 2 : o->wait_ns;
        o->before_ns = o->late_ns;
        o->late_ns = 0;
    }
    o->wait_ns = most(o->wait_ns, o->least_ns);
    o->wait_ns = o->wait_ns > ORDER_WAIT_MAX ? ORDER_WAIT_MAX : o->wait_ns;
}

int64_t order_until(struct order *o, int64_t now_ns, struct order_seen *seen)
{
    o->newest_ns = most(o->newest_ns, seen->newest_ns);
    o->late_ns = most(o->late_ns, seen->late_ns);
    *seen = (struct order_seen){0};
    learn(o, now_ns);
    if (now_ns - o->turned_ns >= o->wait_ns || now_ns < o->turned_ns) {
        o->turned_ns = now_ns;
        o->shown_ns = o->last_ns;
        o->last_ns = o->newest_ns;
        o->newest_ns = 0;
    }
    return most(now_ns - o->wait_ns, o->shown_ns);
}
