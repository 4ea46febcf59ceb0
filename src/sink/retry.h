/* Trying again while delivery fails: waits of 0.1 s that double up to 5 s; one message when it begins, one
 * when it ends. */
#ifndef SIDETAIL_SINK_RETRY_H
#define SIDETAIL_SINK_RETRY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS   5000

struct retry {
    struct event *timer;
    void (*again)(void *arg);
    void *arg;
    int delay_ms;     /* of the next wait */
    int64_t since_ns; /* when it began to fail; 0: it does not */
    int why;          /* errno last said */
};

int retry_init(struct retry *r, struct event_base *base, void (*again)(void *arg),
               void *arg); /* 0 or -1 (memory) */
void retry_free(struct retry *r);

/* A try failed: counts it, says it (the first time, and when the reason changes), and calls `again` after the
 * wait. `where` is what is written to; `why` an errno, or 0: then `detail` says all, which else may be NULL.
 */
void retry_failed(struct retry *r, const char *where, int why, const char *detail);
/* A try succeeded: says so when it failed before. */
void retry_succeeded(struct retry *r, const char *where);
/* Is it waiting to try again? Then leave it alone. */
bool retry_waiting(const struct retry *r);
/* Do not wait any longer: tries at once when it was waiting. */
void retry_now(struct retry *r);

#endif
