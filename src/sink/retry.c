#include "retry.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/status.h"

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct retry *r = arg;
    metrics.sink_retries++;
    r->again(r->arg);
}

int retry_init(struct retry *r, struct event_base *base, void (*again)(void *arg), void *arg)
{
    *r = (struct retry){.again = again, .arg = arg, .delay_ms = RETRY_FIRST_MS};
    r->timer = evtimer_new(base, on_timer, r);
    return r->timer ? 0 : -1;
}

void retry_free(struct retry *r)
{
    loop_free_event(r->timer);
    r->timer = NULL;
}

static void log_failure(const char *where, int why, const char *detail)
{
    const struct field fields[] = {
        KV("to", where),
        KV("error", why ? strerror(why) : detail),
        why && detail ? KV("detail", detail) : (struct field){0},
        {0},
    };
    log_write(LEVEL_ERROR, "cannot deliver; nothing is lost: reading waits, and delivery is tried again",
              fields);
}

void retry_failed(struct retry *r, const char *where, int why, const char *detail)
{
    metrics.sink_errors++;
    if (!r->since_ns || r->why != why) {
        log_failure(where, why, detail);
    }
    status_fails(&status.sink, "%s: %s%s%s", where, why ? strerror(why) : detail, why && detail ? ": " : "",
                 why && detail ? detail : "");
    if (!r->since_ns) {
        r->since_ns = clock_monotonic();
    }
    r->why = why;
    struct timeval wait = {r->delay_ms / 1000, r->delay_ms % 1000 * 1000};
    evtimer_add(r->timer, &wait);
    r->delay_ms = r->delay_ms * 2 < RETRY_MAX_MS ? r->delay_ms * 2 : RETRY_MAX_MS;
}

void retry_succeeded(struct retry *r, const char *where)
{
    if (!r->since_ns) {
        return;
    }
    log_info("delivering again", KV("to", where),
             KN("after_ms", (clock_monotonic() - r->since_ns) / NS_PER_MS));
    status_works(&status.sink);
    evtimer_del(r->timer);
    r->since_ns = 0;
    r->why = 0;
    r->delay_ms = RETRY_FIRST_MS;
}

bool retry_waiting(const struct retry *r)
{
    return evtimer_pending(r->timer, NULL);
}

void retry_now(struct retry *r)
{
    if (retry_waiting(r)) {
        evtimer_del(r->timer);
        on_timer(-1, EV_TIMEOUT, r);
    }
}
