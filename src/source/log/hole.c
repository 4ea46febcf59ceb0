#include "hole.h"

#include <errno.h>
#include <unistd.h>

/* Where the file's next bytes are that were written, from `at` on: there, where its file system does not tell. -1: there
 * are none. */
static off_t next_data(const struct segment *seg, uint64_t at)
{
    off_t data = seg->archive ? (off_t)at : lseek(seg->fd, (off_t)at, SEEK_DATA);
    return data >= 0 || errno == ENXIO ? data : (off_t)at;
}

uint64_t hole_length(const struct segment *seg, const char *p, size_t len, bool full)
{
    size_t nuls = 0, least = seg->offset == 0 ? HOLE_LEAST_FIRST : HOLE_LEAST;
    while (nuls < len && p[nuls] == '\0') {
        nuls++;
    }
    if (nuls < least) {
        return 0;
    }
    if (nuls < len) {
        return nuls;
    }
    off_t data = full ? next_data(seg, seg->offset + len) : -1;
    return data < 0 ? HOLE_OPEN : (uint64_t)data - seg->offset;
}
