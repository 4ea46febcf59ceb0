#include "trouble.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/status.h"

#define THROTTLE_NS (60 * NS_PER_S) /* without being throttled: then it is over */

static void tell_well(const struct kafka_trouble *t)
{
    if (!t->said && !t->topic_said) {
        status_works(&status.sink);
    }
}

void kafka_trouble_say(struct kafka_trouble *t, const char *reason)
{
    if (!t->said) {
        log_warn("Kafka takes nothing now; lines wait where they are", KV("reason", reason));
    }
    t->said = true;
    status_fails(&status.sink, "Kafka takes nothing now: %s", reason);
}

void kafka_trouble_over(struct kafka_trouble *t)
{
    if (t->said) {
        log_info("Kafka takes lines again");
    }
    t->said = false;
    tell_well(t);
    t->broker.text[0] = '\0';
}

void kafka_trouble_broker(struct kafka_trouble *t, bool all_down, const char *text)
{
    if (!all_down) {
        error_set(&t->broker, "%s", text);
    }
    if (all_down && t->under_way) {
        kafka_trouble_say(t, *t->broker.text ? t->broker.text : text);
    } else {
        log_debug("librdkafka tells of an error", KV("error", text));
    }
}

/* A broker that hangs gives no error, and one that went while nothing was under way gave it too early. */
static void on_stall(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka_trouble *t = arg;
    int64_t throttled_ns = t->throttled_until_ns - clock_monotonic();
    if (throttled_ns > 0) {
        loop_arm_timer(t->stall_timer, throttled_ns + t->patience_ns);
    } else if (!t->topic_said) {
        kafka_trouble_say(t, *t->broker.text ? t->broker.text : "the brokers do not answer");
    }
}

static void await(struct kafka_trouble *t)
{
    loop_arm_timer(t->stall_timer, t->patience_ns);
}

void kafka_trouble_submitted(struct kafka_trouble *t)
{
    t->under_way = true;
    if (!evtimer_pending(t->stall_timer, NULL)) {
        await(t);
    }
}

void kafka_trouble_acked(struct kafka_trouble *t, bool more)
{
    t->under_way = more;
    if (more) {
        await(t);
    } else {
        evtimer_del(t->stall_timer);
    }
}

static void on_throttle_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka_trouble *t = arg;
    t->throttled = false;
    log_info("Kafka throttles this collector no more");
}

void kafka_trouble_throttled(struct kafka_trouble *t, int ms)
{
    if (!t->throttled) {
        log_warn(
            "Kafka throttles this collector, which is over a quota there; lines come as fast as it allows",
            KN("wait_ms", ms));
    }
    t->throttled = true;
    int64_t until_ns = clock_monotonic() + ms * NS_PER_MS;
    t->throttled_until_ns = until_ns > t->throttled_until_ns ? until_ns : t->throttled_until_ns;
    loop_arm_timer(t->throttle_timer, ms * NS_PER_MS + THROTTLE_NS);
}

void kafka_trouble_topic(struct kafka_trouble *t, const char *topic, const char *reason)
{
    if (!t->topic_said) {
        log_error("a topic is not ready; lines wait where they are", KV("topic", topic),
                  KV("reason", reason));
    }
    t->topic_said = true;
    status_fails(&status.sink, "topic %s is not ready: %s", topic, reason);
    metrics.sink_errors++;
}

void kafka_trouble_topic_over(struct kafka_trouble *t)
{
    t->topic_said = false;
    tell_well(t);
}

void kafka_trouble_note(void *arg, int kind, const char *text)
{
    switch ((enum kafka_note)kind) {
    case KAFKA_NOTE_INFO:
        log_info(text);
        break;
    case KAFKA_NOTE_WARN:
        log_warn(text);
        break;
    case KAFKA_NOTE_TROUBLE:
        kafka_trouble_say(arg, text);
        break;
    }
}

int kafka_trouble_init(struct kafka_trouble *t, struct event_base *base, int64_t patience_ns)
{
    *t = (struct kafka_trouble){.patience_ns = patience_ns};
    t->stall_timer = evtimer_new(base, on_stall, t);
    t->throttle_timer = evtimer_new(base, on_throttle_over, t);
    return t->stall_timer && t->throttle_timer ? 0 : -1;
}

void kafka_trouble_free(struct kafka_trouble *t)
{
    loop_free_event(t->stall_timer);
    loop_free_event(t->throttle_timer);
}
