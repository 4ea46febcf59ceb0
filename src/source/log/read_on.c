#include "read_on.h"

#include <errno.h>
#include <unistd.h>

#include "base/hash.h"

/* The kernel copies a few pages faster than anybody truncates a file and writes so much anew. Where it takes longer, the
 * proof is asked for again behind the bytes. */
#define BRIEF 16384

/* What was noted before the offset, and what stands behind it, into the buffer. The bytes of that; -1: not to be had. */
static ssize_t read_both(const struct segment *seg, struct read_buffer *b)
{
    size_t before = seg->tail.len;
    char *p = b->data - before;
    ssize_t n;
    while ((n = pread(seg->fd, p, before + b->cap, (off_t)(seg->offset - before))) < 0 && errno == EINTR) {
    }
    if (n < (ssize_t)before || hash64(p, before) != seg->tail.hash) {
        return -1;
    }
    b->window = (struct segment_window){p, seg->offset - before, (size_t)n};
    return n - (ssize_t)before;
}

ssize_t read_on(struct segment *seg, struct read_buffer *b, bool alike)
{
    if (seg->tail.len == 0 || seg->tail_at != seg->offset) {
        return -1;
    }
    ssize_t got = read_both(seg, b);
    bool brief = got <= BRIEF;
    if (got < 0 || (brief && alike && !segment_matches(seg, &seg->id, 0)) ||
        (!brief && segment_intact(seg) != 1)) {
        return -1;
    }
    if ((size_t)got == b->cap) { /* more of it may be there */
        return segment_refresh(seg) < 0 ? -1 : got;
    }
    seg->size = seg->offset + (uint64_t)got;
    return got;
}
