#include "tears.h"

#include <string.h>

static bool is_open(const struct file_tears *t, unsigned from_last)
{
    return t->count > from_last && t->at[t->count - 1 - from_last].time_ns == 0;
}

bool tears_open(const struct file_tears *t)
{
    return is_open(t, 0);
}

void tears_begin(struct file_tears *t, uint64_t offset, struct file_tail before)
{
    if (offset == 0) {
        return; /* nothing stands before it */
    }
    bool amid = is_open(t, 0) && is_open(t, 1); /* the first of them tells where they begin */
    if (!amid && t->count == FILE_TEARS_MAX && is_open(t, 1)) {
        t->at[t->count - 2] = t->at[t->count - 1]; /* behind which something was read */
    }
    t->count -= amid || t->count == FILE_TEARS_MAX;
    t->at[t->count++] = (struct file_tear){.offset = offset, .before = before};
}

void tears_note(struct file_tears *t, uint64_t offset, struct file_tail before)
{
    if (is_open(t, 0) && t->at[t->count - 1].offset == offset) {
        t->at[t->count - 1].before = before;
    }
}

/* Those before one that was written to the disk: a loss of power leaves that. */
static void drop_old(struct file_tears *t, int64_t time_ns)
{
    unsigned first = 0;
    for (unsigned i = 1; i < t->count; i++) {
        if (t->at[i].time_ns != 0 && t->at[i].time_ns < time_ns - UNWRITTEN) {
            first = i;
        }
    }
    t->count -= first;
    memmove(t->at, t->at + first, t->count * sizeof(*t->at));
}

void tears_end(struct file_tears *t, uint64_t offset, struct file_tail before, int64_t time_ns)
{
    t->at[t->count - 1] = (struct file_tear){offset, time_ns, before};
    drop_old(t, time_ns);
}

void tears_drop(struct file_tears *t, uint64_t offset)
{
    while (t->count > 0 && t->at[t->count - 1].offset > offset) {
        t->count--;
    }
}
