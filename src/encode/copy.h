/* The pieces of a line are copied one behind the other, into room that was reserved for all of them. Each of
 * these returns where the next piece goes. */
#ifndef SIDETAIL_ENCODE_COPY_H
#define SIDETAIL_ENCODE_COPY_H

#include <string.h>

#include "base/slice.h"
#include "record/tags.h"

static inline char *copy(char *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

/* Copies up to TAGS_PAD - 1 bytes more than asked for: cheaper than a call for a short piece. */
static inline char *copy_blocks(char *to, const char *from, size_t len)
{
    size_t done = 0;
    do {
        memcpy(to + done, from + done, TAGS_PAD);
        done += TAGS_PAD;
    } while (done < len);
    return to + len;
}

static inline char *copy_time(char *to, struct slice time)
{
    if (time.len >= 16 && time.len <= 32) {
        memcpy(to, time.ptr, 16);
        memcpy(to + time.len - 16, time.ptr + time.len - 16, 16);
        return to + time.len;
    }
    return copy(to, time.ptr, time.len);
}

#endif
