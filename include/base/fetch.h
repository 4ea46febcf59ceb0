/* Having memory fetched that will be needed in a while. Of many logs that get a line now and then, what belongs to each has
 * gone from the core's cache by its next line; to fetch all of that at once costs no more than a part of it. */
#ifndef SIDETAIL_BASE_FETCH_H
#define SIDETAIL_BASE_FETCH_H

#include <stddef.h>

#define FETCH_LINE 64 /* bytes of a cache line */

/* `p` may be NULL, or lead anywhere. */
static inline void fetch_soon(const void *p, size_t size)
{
    for (size_t at = 0; p && at < size; at += FETCH_LINE) {
        __builtin_prefetch((const char *)p + at);
    }
}

#endif
