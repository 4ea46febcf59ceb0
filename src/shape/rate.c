/* A token bucket for each container, which runs by the time that lines bear: what a collector that was away
 * finds on its return was not written any faster for that. */
#include "rate.h"

#include <stdio.h>

#include "base/clock.h"

#define NOTICE_AFTER (5 * NS_PER_S)

bool rate_pass(const struct rate *r, struct bucket *b, int64_t time_ns, uint32_t lines)
{
    double most = (double)r->burst;
    if (b->last_ns == 0) {
        b->tokens = most;
    } else if (time_ns > b->last_ns) {
        b->tokens += (double)(time_ns - b->last_ns) * (double)r->limit / NS_PER_S;
        b->tokens = b->tokens < most ? b->tokens : most;
    }
    b->last_ns = time_ns;
    if (b->tokens < 1) {
        return false;
    }
    b->tokens -= lines; /* a group may take on debt */
    return true;
}

void rate_dropped(struct bucket *b, int64_t time_ns, uint32_t lines, enum stream stream)
{
    if (b->dropped == 0) {
        b->first_ns = time_ns;
        b->due_ns = clock_monotonic() + NOTICE_AFTER;
    }
    b->dropped += lines;
    b->latest_ns = time_ns;
    b->stream = stream;
}

bool rate_notice_due(const struct bucket *b)
{
    return b->dropped > 0 && b->last_ns - b->first_ns >= NOTICE_AFTER;
}

size_t rate_notice(struct bucket *b, char text[RATE_NOTICE_MAX])
{
    int64_t seconds = (b->latest_ns - b->first_ns + NS_PER_S - 1) / NS_PER_S;
    int len = snprintf(text, RATE_NOTICE_MAX, "sidetail: %llu line%s dropped by rate_limit in %lld s",
                       (unsigned long long)b->dropped, b->dropped == 1 ? "" : "s",
                       (long long)(seconds > 1 ? seconds : 1));
    b->dropped = 0;
    return (size_t)len;
}
