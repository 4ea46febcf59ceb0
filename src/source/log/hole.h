/* Holes: NUL bytes that nobody wrote. A log that is truncated in place has one before what its writer puts at the
 * offset that it had; a loss of power leaves one where blocks had not come to the disk.
 *
 * The rule: HOLE_LEAST NUL bytes on end are a hole, wherever they stand, and HOLE_LEAST_FIRST at a file's beginning.
 * Fewer are data. What stands before a hole without a newline is a line: its rest did not come. Formats with framing
 * have no holes: their records may hold any bytes, and what is none of them is damage (struct framing). */
#ifndef SIDETAIL_SOURCE_LOG_HOLE_H
#define SIDETAIL_SOURCE_LOG_HOLE_H

#include "source/log/segment.h"

#define HOLE_LEAST       64
#define HOLE_LEAST_FIRST 4

struct hole {
    size_t at; /* so many of the bytes that were looked at stand before it; all: there is none */
    /* So many bytes of it are to be passed over. Where its end was not seen, its last HOLE_LEAST bytes are not among
     * them: by those it is known again. */
    uint64_t len;
    bool open; /* it reaches to the file's end, as of now: something may be written into it. `len` is 0 */
};

/* The first hole of the `len` bytes at p, which stand at the segment's offset. `full`: more may follow. */
struct hole hole_find(const struct segment *seg, const char *p, size_t len, bool full);

/* Where HOLE_LEAST NUL bytes stand on end for the first time; `end`: nowhere. One byte in so many is looked at, since
 * none of the runs that count fits between two of those. */
static inline const char *hole_run(const char *p, const char *end)
{
    const char *begin = p;
    for (; end - p >= HOLE_LEAST; p += HOLE_LEAST) {
        const char *first = p + HOLE_LEAST - 1, *last = first;
        if (*first == '\0') {
            while (first > begin && first[-1] == '\0') {
                first--;
            }
            while (last < end && last - first < HOLE_LEAST && *last == '\0') {
                last++;
            }
            if (last - first == HOLE_LEAST) {
                return first;
            }
        }
    }
    return end;
}

#endif
