#include "events.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"

#include "broker_clock.h"
#include "transaction.h"

#define TURN_NS (2 * NS_PER_MS) /* how long events may hold the loop up at once */

/* False: a delivery failed, and e->reason says why. */
static bool on_delivery(struct kafka_events *e, rd_kafka_event_t *event)
{
    struct kafka_out *out = e->calls.out;
    const rd_kafka_message_t *m;
    bool well = true;
    while ((m = rd_kafka_event_message_next(event))) {
        if (e->calls.doubt) {
            kafka_doubt_note(e->calls.doubt, m);
        }
        if (m->err) {
            if (!kafka_doubt_is_ending(m)) { /* that says nothing of lines and positions */
                kafka_refused(out, m);
            }
            if (m->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE) { /* that follows from another's failure */
                kafka_delivery_fault(&e->reason, m);
            }
            well = false;
        } else if (!well) {
            continue; /* all that counts now is where messages went */
        } else if (m->_private == e->calls.marks) {
            kafka_marks_head_delivered(e->calls.marks, m->offset);
            out->ahead_ms = kafka_clock_ahead(m, out->ahead_ms);
        } else if (m->_private && !kafka_doubt_is_ending(m)) {
            kafka_delivered(m->_private);
        }
    }
    /* Exactly once, what was delivered counts when it is committed. */
    if (well && out->settings->delivery == KAFKA_AT_LEAST_ONCE && !e->given_up) {
        kafka_trouble_over(e->calls.trouble);
    }
    return well;
}

static bool on_error(struct kafka_events *e, rd_kafka_event_t *event)
{
    const char *text = rd_kafka_event_error_string(event);
    if (rd_kafka_event_error_is_fatal(event) || rd_kafka_fatal_error(e->calls.out->rk, NULL, 0)) {
        error_set(&e->reason, "%s%s", text, kafka_right_advice(text));
        return false;
    }
    bool all_down = rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    kafka_trouble_broker(e->calls.trouble, all_down, text);
    return true;
}

static void on_log(struct kafka_events *e, rd_kafka_event_t *event)
{
    const char *facility, *text;
    int level;
    if (rd_kafka_event_log(event, &facility, &text, &level) == 0) {
        kafka_take_reason(&e->reason, facility, text);
        log_debug("librdkafka says", KV("facility", facility), KV("text", text));
    }
}

static bool on_event(struct kafka_events *e, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        return on_delivery(e, event);
    case RD_KAFKA_EVENT_ERROR:
        return on_error(e, event);
    case RD_KAFKA_EVENT_LOG:
        on_log(e, event);
        return true;
    default:
        return true;
    }
}

/* False: one of them told of a failure. */
static bool take_events(struct kafka_events *e)
{
    int64_t until_ns = clock_monotonic() + TURN_NS;
    bool well = true;
    rd_kafka_event_t *event;
    while (e->queue && (event = rd_kafka_queue_poll(e->queue, 0))) {
        well = on_event(e, event) && well;
        rd_kafka_event_destroy(event);
        if (clock_monotonic() > until_ns) { /* librdkafka writes to the fd only when its queue was empty */
            loop_again(e->event);
            break;
        }
    }
    return well;
}

static void on_queue(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct kafka_events *e = arg;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        log_error("cannot read an eventfd", KV("error", strerror(errno)));
    }
    bool well = take_events(e); /* all first: after a failure the producer they belong to is gone */
    int throttled_ms = atomic_exchange(&e->calls.out->settings->throttled_ms, 0);
    if (throttled_ms > 0) {
        kafka_trouble_throttled(e->calls.trouble, throttled_ms);
    }
    e->calls.heard(e->calls.arg, well ? NULL : e->reason.text);
}

void kafka_events_watch(struct kafka_events *e)
{
    static const uint64_t one = 1;
    e->given_up = false;
    e->reason.text[0] = '\0';
    e->queue = rd_kafka_queue_get_main(e->calls.out->rk);
    rd_kafka_queue_io_event_enable(e->queue, e->fd, &one, sizeof(one));
    event_active(e->event, EV_READ, 0); /* for what came before */
}

static void unwatch(struct kafka_events *e)
{
    if (e->queue) {
        rd_kafka_queue_io_event_enable(e->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(e->queue);
        e->queue = NULL;
    }
}

void kafka_events_hear_out(struct kafka_events *e)
{
    e->given_up = true;
    take_events(e);
    unwatch(e);
}

int kafka_events_init(struct kafka_events *e, struct event_base *base, const struct kafka_events_calls *calls)
{
    *e = (struct kafka_events){.calls = *calls, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (e->fd < 0) {
        return -1;
    }
    e->event = event_new(base, e->fd, EV_READ | EV_PERSIST, on_queue, e);
    if (!e->event) {
        close(e->fd);
        return -1;
    }
    return event_add(e->event, NULL);
}

void kafka_events_free(struct kafka_events *e)
{
    if (e->event) { /* else it was not set up, and has no fd */
        unwatch(e);
        event_free(e->event);
        close(e->fd);
    }
}
