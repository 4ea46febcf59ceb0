/* Trying again while delivery fails: waits of 0.1 s that double up to 5 s; one message when delivery begins
 * to fail, one when the reason changes, one when it succeeds again. */
#ifndef SIDETAIL_SINK_RETRY_H
#define SIDETAIL_SINK_RETRY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS   5000

struct retry {
    struct event *timer;
    void (*again)(void *arg);
    void *arg;
    int delay_ms;     /* of the next wait */
    int64_t since_ns; /* monotonic; when delivery began to fail; 0: it does not fail */
    int why;          /* the errno of the last message */
};

/* `again` is what tries once more; it is called from the loop, or from inside retry_now. 0 or -1 (memory). */
int retry_init(struct retry *r, struct event_base *base, void (*again)(void *arg), void *arg);
/* Also of one that is zeroed, or whose retry_init failed. */
void retry_free(struct retry *r);

/* A try failed: counts it, logs it when it is the first one or has another reason than the last one, and
 * calls `again` after the wait. `where` names what is written to. `why` is an errno, and `detail` adds to it
 * or is NULL; or `why` is 0, and `detail` says all. */
void retry_failed(struct retry *r, const char *where, int why, const char *detail);

/* A try succeeded: ends the waiting, and says so in the log when earlier tries failed. */
void retry_succeeded(struct retry *r, const char *where);

/* Is a wait running? Then whoever wants to deliver leaves it to `again`. */
bool retry_waiting(const struct retry *r);

/* Ends the wait, where one is running, and calls `again` at once. */
void retry_now(struct retry *r);

#endif
