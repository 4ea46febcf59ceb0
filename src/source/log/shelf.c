#include "shelf.h"

#include <errno.h>
#include <stdlib.h>

#include "base/plain_file.h"

bool shelf_put(struct chain *c, const char *path)
{
    struct segment *seg = c->head;
    if (c->count != 1 || seg->archive || segment_shelved(seg) || !segment_is_named(seg, path)) {
        return false;
    }
    segment_shelve(seg);
    return true;
}

bool shelf_holds(const struct chain *c)
{
    return c->head && segment_shelved(c->head);
}

bool shelf_seek(struct chain *c, const struct intake *in)
{
    struct segment *seg = c->head;
    struct file_pos at = {.file = seg->id, .offset = seg->offset, .tail = seg->tail};
    if (segment_is_named(seg, seg->met_at) && ownership_allows(in->ownership, seg->met_at)) {
        return true;
    }
    char *path = ownership_find(in->ownership, &at);
    bool met = path && segment_met(seg, path);
    free(path);
    return met;
}

enum shelf_result shelf_take(struct chain *c, const struct intake *in)
{
    struct segment *seg = c->head;
    bool allowed = ownership_allows(in->ownership, in->path);
    if (!allowed && segment_is_named(seg, in->path)) {
        return SHELF_REFUSED;
    }
    int found = allowed ? segment_unshelve(seg, in->path) : 0;
    if (found == 0 && shelf_seek(c, in)) {
        char *met_at = seg->met_at;
        seg->met_at = NULL;
        found = segment_unshelve(seg, met_at);
        free(met_at);
    }
    return found == 1 ? SHELF_OPEN : found == 0 ? SHELF_GONE : SHELF_LATER;
}
