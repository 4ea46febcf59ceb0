/* Points in time as people write them on a command line. */
#ifndef SIDETAIL_TAIL_TIME_H
#define SIDETAIL_TAIL_TIME_H

#include <stdint.h>

#include "base/error.h"

/* How they may be written, for messages. */
#define TAIL_TIME_FORMS "10m, 1h30m, 2d, 14:30, 2026-11-24, 2026-11-24T14:30:05Z or seconds since 1970"

/* Nanoseconds since 1970 of `text`, read at `now`: a span before now (d, h, m, s, ms, joined), a time of
 * today or a date with or without a time in the zone of TZ, RFC 3339, or seconds since 1970 with an optional
 * fraction. 0, or -1 and err, which names `what`. */
int tail_time(const char *text, int64_t now, const char *what, int64_t *ns, struct error *err);

#endif
