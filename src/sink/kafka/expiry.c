#include "expiry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"

#define EVERY_S 3600

/* What is left of it in Kafka is dropped with the next transaction. */
static void forget(void *arg, const char *feed)
{
    struct kafka_expiry *x = arg;
    if (kafka_marks_forget(x->marks, feed) < 0) {
        return; /* the next process will */
    }
    log_debug("forgetting a position", KV("feed", feed));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka_expiry *x = arg;
    checkpoint_expire(x->checkpoint, (clock_now() - x->retention) / NS_PER_S, forget, x);
    loop_arm_timer(x->timer, EVERY_S * NS_PER_S);
}

int kafka_expiry_init(struct kafka_expiry *x, struct event_base *base, struct checkpoint *checkpoint,
                      struct kafka_marks *marks, int64_t retention)
{
    *x = (struct kafka_expiry){.checkpoint = checkpoint, .marks = marks, .retention = retention};
    x->timer = evtimer_new(base, on_timer, x);
    return x->timer ? 0 : -1;
}

void kafka_expiry_free(struct kafka_expiry *x)
{
    loop_free_event(x->timer);
}

void kafka_expiry_start(struct kafka_expiry *x)
{
    loop_arm_timer(x->timer, CHECKPOINT_GRACE_S * NS_PER_S);
}
