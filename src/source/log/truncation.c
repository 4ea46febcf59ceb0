/* Truncation in place, and the copies that copytruncate leaves behind. */
#include "base/log.h"
#include "base/metrics.h"
#include "follow_internal.h"

/* Where the file is that was truncated, under whichever name; -1: it has none any more. */
static ssize_t find_own(const struct listing *l, const struct segment *seg)
{
    for (size_t i = 0; i < l->count; i++) {
        if (same_inode(&seg->id, l->files[i].at.dev, l->files[i].at.ino)) {
            return (ssize_t)i;
        }
    }
    return -1;
}

/* May the archive be one in the making, of a file that was read? Some (Logback) pack the old file straight
 * into its last name. */
static bool is_being_packed(const struct follow *f, struct segment *gz)
{
    for (int i = 0; i < FOLLOW_DONE_IDS; i++) {
        if (segment_matches(gz, &f->done[i].file, 0)) {
            return true;
        }
    }
    return false;
}

/* copytruncate leaves a copy behind in which reading can go on, and more of them where it was done more than
 * once since the last look. How many of the newest files are to be read, the truncated one among them; 0:
 * there is no copy. *copy: the one in which reading goes on; -1: none does. */
static size_t count_copies(struct follow *f, struct listing *l, size_t own, const struct file_pos *was,
                           ssize_t *copy)
{
    *copy = chain_find_content(l, own + 1, was);
    size_t n = *copy >= 0 ? (size_t)*copy + 1 : own + 1;
    bool more = *copy < 0 || was->offset == 0; /* made before anything was seen of what follows */
    for (; more && n < l->count && l->files[n].at.mtime_ns > was->mtime_ns; n++) {
        struct segment *seg = listing_open(l, n);
        if ((seg && chain_knows(f, seg)) || (l->files[n].at.name.gz && (!seg || is_being_packed(f, seg)))) {
            break;
        }
    }
    return n > own + 1 ? n : 0;
}

/* Goes to where reading goes on in the copy. False: it is damaged before that. */
static bool seek_copy(struct listing *l, ssize_t copy, uint64_t offset)
{
    struct segment *seg = copy >= 0 && offset > 0 ? l->files[copy].seg : NULL;
    return !seg || segment_seek(seg, offset) == 0;
}

static enum taking take_copies_once(struct follow *f, struct listing *l, const struct segment *truncated,
                                    const struct file_pos *was, bool *goes_on)
{
    if (chain_list(f, l) < 0) {
        return TAKE_LATER;
    }
    ssize_t copy = -1, own = find_own(l, truncated);
    size_t count = own >= 0 ? count_copies(f, l, (size_t)own, was, &copy) : 0;
    enum taking taking = chain_prepare(f, l, count);
    if (taking == TAKE_NOW && !seek_copy(l, copy, was->offset)) {
        chain_give_up(f, &l->files[copy]);
        count = copy > own + 1 ? (size_t)copy : 0; /* what is newer, if anything */
        copy = -1;
        taking = chain_prepare(f, l, count);
    }
    *goes_on = copy >= 0 && l->files[copy].seg;
    if (taking == TAKE_NOW && count > 0) {
        chain_take(f, l, count);
    }
    return taking;
}

/* The file, which is all there is, out of the chain, and back into it as it was. */
static struct segment *unchain(struct follow *f)
{
    struct segment *seg = f->head;
    f->head = f->tail = NULL;
    f->segments = 0;
    return seg;
}

static void rechain(struct follow *f, struct segment *seg)
{
    f->head = f->tail = seg;
    f->segments = 1;
}

/* Takes up the copies of the one file of the chain, and that behind them; its own segment is closed then.
 * *taken: there were any. *goes_on: nothing is missing in between. Otherwise, and where it cannot be told
 * yet, the chain stays as it was; the next look comes here again. */
static enum taking take_copies(struct follow *f, const struct file_pos *was, bool *taken, bool *goes_on)
{
    struct segment *live = unchain(f);
    enum taking taking = TAKE_AGAIN;
    for (int i = 0; i < TAKE_TRIES && taking == TAKE_AGAIN; i++) {
        struct listing l;
        *goes_on = false;
        taking = take_copies_once(f, &l, live, was, goes_on);
        listing_free(&l);
    }
    *taken = f->head != NULL;
    *goes_on &= *taken;
    f->unsettled = taking != TAKE_NOW;
    if (*taken) {
        f->mid_line = false;
        segment_close(live);
    } else {
        rechain(f, live);
    }
    return taking;
}

enum taking chain_truncated(struct follow *f, const struct file_seen *before)
{
    struct segment *live = f->head;
    struct file_pos was = {.file = live->id,
                           .offset = live->offset,
                           .mtime_ns =
                               live->offset == 0 && live->empty_ns > 0 ? live->empty_ns : before->mtime_ns};
    if (live->tail_at == live->offset) {
        was.tail = live->tail;
    }
    bool goes_on, taken;
    enum taking taking = take_copies(f, &was, &taken, &goes_on);
    if (taking != TAKE_NOW) {
        return taking;
    }
    f->waiting_since = 0;
    metrics.truncations++;
    if (!goes_on && before->unread > 0) {
        metrics.lost_bytes += before->unread;
        log_error("a log was truncated before all of it was read", KV("path", f->path),
                  KN("lost_bytes", before->unread));
    }
    was.offset += before->unread;
    was.tail.len = before->unread > 0 ? 0 : was.tail.len;
    chain_remember_end(f, &was);
    if (!taken) {
        f->mid_line = false;
        segment_restart(live); /* its name may be another by now */
        live->order = f->next_order++;
    }
    return taking;
}

enum taking chain_was_empty(struct follow *f)
{
    struct file_pos was = {.mtime_ns = f->head->empty_ns};
    bool goes_on, taken;
    enum taking taking = take_copies(f, &was, &taken, &goes_on);
    if (taking != TAKE_NOW) {
        return taking;
    }
    f->waiting_since = 0;
    metrics.truncations += taken;
    if (!taken) {
        f->head->empty_ns = f->head->size > 0 ? 0 : f->head->mtime_ns;
    }
    return taking;
}
