/* The time before a line, in a column of its own width for each kind. */
#ifndef SIDETAIL_ENCODE_PRETTY_TIME_H
#define SIDETAIL_ENCODE_PRETTY_TIME_H

#include <stddef.h>
#include <stdint.h>

enum pretty_times {
    PRETTY_TIMES_NONE,
    PRETTY_TIMES_LOCAL,    /* `11-24 06:00:39.668`, in the zone of TZ */
    PRETTY_TIMES_RELATIVE, /* ` 12s ago`, `     now` */
    PRETTY_TIMES_UTC,      /* `2026-11-24T05:00:39.668Z` */
};

#define PRETTY_TIME_MAX 48 /* bytes that may be written, NUL included */

/* What is kept from line to line: taking a time of day apart once a second is enough. Zero-initialised. */
struct pretty_clock {
    int64_t second;
    char text[PRETTY_TIME_MAX];
};

/* Writes the time `ns` (since 1970) as it is at `now`. The length without the NUL;
 * 0 for PRETTY_TIMES_NONE. */
size_t pretty_time(struct pretty_clock *clock, enum pretty_times kind, int64_t ns, int64_t now,
                   char out[PRETTY_TIME_MAX]);

/* "local", "relative", "utc"; -1 for others. */
int pretty_times_find(const char *name);

#endif
