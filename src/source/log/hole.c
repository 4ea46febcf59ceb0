#include "hole.h"

#include <errno.h>
#include <unistd.h>

static size_t count_nuls(const char *p, const char *end)
{
    const char *begin = p;
    while (p < end && *p == '\0') {
        p++;
    }
    return (size_t)(p - begin);
}

/* Where the file's next bytes are that were written, from `at` on: there, where its file system does not tell. -1:
 * there are none. */
static off_t next_data(const struct segment *seg, uint64_t at)
{
    off_t data = seg->archive ? (off_t)at : lseek(seg->fd, (off_t)at, SEEK_DATA);
    return data >= 0 || errno == ENXIO ? data : (off_t)at;
}

struct hole hole_find(const struct segment *seg, const char *p, size_t len, bool full)
{
    const char *end = p + len, *first = p;
    if (seg->offset > 0 || count_nuls(p, end) < HOLE_LEAST_FIRST) {
        first = hole_run(p, end);
    }
    struct hole hole = {.at = (size_t)(first - p), .len = count_nuls(first, end)};
    if (hole.len == 0 || hole.at + hole.len < len) {
        return hole;
    }
    off_t data = full ? next_data(seg, seg->offset + len) : -1;
    hole.open = data < 0;
    hole.len = hole.open || hole.len < HOLE_LEAST ? 0 : (uint64_t)data - seg->offset - hole.at - HOLE_LEAST;
    return hole;
}
