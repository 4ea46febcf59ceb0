#include "cut.h"

/* Behind the last zero of the file; 0: it has none, or cannot be read. */
static uint64_t behind_zeros(struct segment *seg)
{
    char block[16384];
    for (uint64_t end = seg->size; end > 0;) {
        uint64_t begin = end > sizeof(block) ? end - sizeof(block) : 0;
        segment_seek(seg, begin);
        ssize_t n = segment_read(seg, block, (size_t)(end - begin));
        const char *zero = n > 0 ? memrchr(block, '\0', (size_t)n) : NULL;
        if (n <= 0 || zero) {
            return zero ? begin + (uint64_t)(zero - block) + 1 : 0;
        }
        end = begin;
    }
    return 0;
}

bool cut_find(struct segment *seg, const struct file_pos *pos, uint64_t *end)
{
    if (seg->archive || !same_inode(&pos->file, seg->id.dev, seg->id.ino) ||
        !segment_matches(seg, &pos->file, 0)) {
        return false;
    }
    uint64_t offset = seg->offset;
    *end = seg->size < pos->offset ? seg->size : behind_zeros(seg);
    segment_seek(seg, offset);
    return *end > 0;
}
