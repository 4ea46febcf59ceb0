#include "unpacking.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/memory.h"

#define PIECE_NS (2 * LOOP_TURN_NS) /* the files are listed anew for each */

void unpacking_free(struct unpacking *u)
{
    while (u->count > 0) {
        segment_close(u->segs[--u->count]);
    }
    free(u->segs);
    *u = (struct unpacking){0};
}

/* Puts what was unpacked of them into the listing. What has gone from there is closed. */
static void put_back(struct unpacking *u, struct listing *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct generation *at = &l->files[i].at;
        for (unsigned k = 0; k < u->count && !l->files[i].seg; k++) {
            if (at->name.packed && same_inode(&u->segs[k]->id, at->dev, at->ino)) {
                l->files[i].seg = u->segs[k];
                u->segs[k] = u->segs[--u->count];
            }
        }
    }
    while (u->count > 0) {
        segment_close(u->segs[--u->count]);
    }
}

static void take_out(struct unpacking *u, struct listing *l)
{
    if (!u->segs && !(u->segs = calloc(UNPACKING_MOST, sizeof(struct segment *)))) {
        die_out_of_memory();
    }
    for (size_t i = 0; i < l->count && u->count < UNPACKING_MOST; i++) {
        if (l->files[i].seg && l->files[i].at.name.packed) {
            u->segs[u->count++] = l->files[i].seg;
            l->files[i].seg = NULL;
        }
    }
}

/* The archive at `i`, where it begins so. It is left open then. */
static struct segment *open_alike(struct listing *l, size_t i, const struct file_pos *pos)
{
    struct listed *file = &l->files[i];
    struct segment *seg = file->at.name.packed ? listing_open(l, i) : NULL;
    if (seg && !segment_matches(seg, &pos->file, 0)) {
        segment_close(seg);
        seg = file->seg = NULL;
    }
    return seg;
}

/* The archives that begin so, in `found`. 0 as well where there are too many, or as many may not be open at a time. */
static unsigned find(struct listing *l, const struct file_pos *pos, struct segment *found[UNPACKING_MOST])
{
    unsigned opened = 0, left = 0;
    for (size_t i = 0; i < l->count; i++) {
        opened += open_alike(l, i, pos) != NULL;
    }
    for (size_t i = 0; i < l->count && left < UNPACKING_MOST; i++) {
        if (l->files[i].at.name.packed && l->files[i].seg) {
            found[left++] = l->files[i].seg;
        }
    }
    return left == opened ? left : 0;
}

bool unpacking_go_on(struct unpacking *u, struct listing *l, const struct file_pos *pos)
{
    struct segment *found[UNPACKING_MOST];
    put_back(u, l);
    /* Of one that stands amid it so much of the beginning is known. */
    unsigned count =
        pos->file.head_len == FILE_ID_HEAD && pos->offset > SEGMENT_LITTLE ? find(l, pos, found) : 0;
    int64_t until = u->due ? clock_monotonic() + PIECE_NS : 0;
    bool more = false;
    for (unsigned k = 0; k < count && !more; k++) {
        more = segment_unpack(found[k], pos->offset, until);
    }
    u->due = more;
    if (more) {
        take_out(u, l);
    }
    return more;
}
