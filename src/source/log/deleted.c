#include "deleted.h"

bool deleted_all(const struct chain *c, uint64_t *size)
{
    *size = 0;
    for (const struct segment *seg = c->head; seg; seg = seg->next) {
        struct stat st;
        if (segment_shelved(seg)) {
            if (segment_is_named(seg, seg->met_at)) {
                return false;
            }
            continue;
        }
        if (fstat(seg->fd, &st) < 0 || st.st_nlink > 0) {
            return false;
        }
        *size += (uint64_t)st.st_size;
    }
    return true;
}

uint64_t deleted_undelivered(const struct chain *c, const struct file_pos *delivered)
{
    uint64_t lost = 0;
    for (const struct segment *seg = c->head; seg; seg = seg->next) {
        struct stat st;
        if (segment_shelved(seg) || fstat(seg->fd, &st) < 0) {
            continue;
        }
        bool here = delivered && same_inode(&delivered->file, st.st_dev, st.st_ino);
        uint64_t from = here ? delivered->offset : 0;
        uint64_t size = seg->archive ? seg->size : (uint64_t)st.st_size;
        if (here) {
            lost = 0; /* all before it is delivered */
        }
        if (st.st_nlink == 0 && size > from) {
            lost += size - from;
        }
    }
    return lost;
}
