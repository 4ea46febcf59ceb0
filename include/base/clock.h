/* Time: nanoseconds since 1970 in UTC, and RFC 3339 with up to nine fraction digits as Docker writes it. */
#ifndef SIDETAIL_BASE_CLOCK_H
#define SIDETAIL_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/slice.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

#define CLOCK_TEXT_MAX 36 /* bytes that clock_format may write, NUL included */

static inline int64_t clock_of_timespec(struct timespec t)
{
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_now(void);       /* wall clock */
int64_t clock_monotonic(void); /* for measuring spans */
/* How long this thread has computed, ns. A system call. */
int64_t clock_thread(void);

/* Writes `2026-11-24T05:00:39.668510088Z` (fraction without its trailing zeros, as Go's RFC3339Nano does).
 * Returns the length without the NUL. */
size_t clock_format(int64_t ns, char out[CLOCK_TEXT_MAX]);

/* Reads RFC 3339: any number of fraction digits up to nine, `Z` or an offset. 0, or -1 when it is none. */
int clock_parse(struct slice text, int64_t *ns);

#define CLOCK_TO_SECONDS 19 /* bytes of such a text */

/* The second of the text that was parsed last. Zeroed: none. */
struct clock_second {
    bool known;
    char text[CLOCK_TO_SECONDS];
    int64_t ns; /* where it begins */
};
/* The same, quicker for a text of the same second in UTC: lines in a row mostly are. */
int clock_parse_next(struct clock_second *last, struct slice text, int64_t *ns);

/* Lines of two streams may be out of order by as much; by more, the clock was set back. */
#define CLOCK_SET_BACK (5 * NS_PER_S)

/* Was it set back, when `ns` comes behind `newest`? */
static inline bool clock_fell_back(int64_t newest, int64_t ns)
{
    return ns < newest && (uint64_t)newest - (uint64_t)ns > CLOCK_SET_BACK;
}

/* The newest time of a sequence, of which `newest` was the newest before `ns` came: what was before the
 * clock was last set back does not count. */
static inline int64_t clock_newest(int64_t newest, int64_t ns)
{
    return ns > newest || clock_fell_back(newest, ns) ? ns : newest;
}

#endif
