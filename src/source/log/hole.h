/* NUL bytes that nobody wrote: where a log is truncated in place, and its writer goes on at the offset that it had, a
 * hole is left before what it writes. No line consists of them. */
#ifndef SIDETAIL_SOURCE_LOG_HOLE_H
#define SIDETAIL_SOURCE_LOG_HOLE_H

#include <string.h>

#include "source/log/segment.h"

#define HOLE_LEAST                                                                                           \
    64 /* so many NUL bytes at the beginning of a line are none of it; of a file, HOLE_LEAST_FIRST */
#define HOLE_LEAST_FIRST 4

/* Does a line begin with so many at p? */
static inline bool hole_begins(const char *p, const char *end)
{
    static const char nuls[HOLE_LEAST];
    return *p == '\0' && end - p >= HOLE_LEAST && memcmp(p, nuls, HOLE_LEAST) == 0;
}

/* How many NUL bytes of a hole stand at the segment's offset, of which the `len` bytes at p were read; `full`: more may
 * follow. 0: it is none. */
uint64_t hole_length(const struct segment *seg, const char *p, size_t len, bool full);
#define HOLE_OPEN UINT64_MAX /* to the file's end, as of now: something may be written into it */

#endif
