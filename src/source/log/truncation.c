#include "truncation.h"

#include "base/log.h"
#include "base/metrics.h"

void truncation_note(struct truncation *t, const struct segment *live)
{
    if (!t->undecided) {
        t->unread = live->size > live->offset ? live->size - live->offset : 0;
        t->mtime_ns = live->mtime_ns;
    }
}

void truncation_none(struct truncation *t)
{
    t->undecided = false;
}

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
static bool may_be_in_the_making(const struct chain *c, const struct generation *at, struct segment *seg)
{
    return at->name.packed && (!seg || chain_knows_head(c, seg));
}

/* Is it open, or was it read before? What is open may hold nothing yet, by which it could be known. NULL: it cannot be
 * opened. */
static bool is_known(const struct chain *c, struct segment *seg)
{
    return seg && (chain_knows(c, seg) || (!seg->archive && chain_holds(c, seg->id.dev, seg->id.ino)));
}

/* copytruncate leaves a copy behind in which reading can go on, and more of them where it was done more than
 * once since the last look. How many of the newest files are to be read, the truncated one among them; 0:
 * there is no copy. *copy: the one in which reading goes on; -1: none does. */
static size_t count_copies(const struct chain *c, struct listing *l, size_t own, const struct file_pos *was,
                           ssize_t *copy)
{
    *copy = listing_find_content(l, own + 1, was);
    if (*copy >= 0 && was->offset == 0 && is_known(c, listing_open(l, (size_t)*copy))) {
        *copy = -1; /* it begins alike only */
    }
    size_t n = *copy >= 0 ? (size_t)*copy + 1 : own + 1;
    bool more = *copy < 0 || was->offset == 0; /* made before anything was seen of what follows */
    for (; more && n < l->count && l->files[n].at.mtime_ns > was->mtime_ns; n++) {
        struct segment *seg = listing_open(l, n);
        if (is_known(c, seg) || may_be_in_the_making(c, &l->files[n].at, seg)) {
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

static enum intake_result take_copies_once(struct intake *in, struct listing *l,
                                           const struct segment *truncated, const struct file_pos *was,
                                           bool *goes_on)
{
    if (intake_list(in, l) < 0) {
        return INTAKE_LATER;
    }
    ssize_t copy = -1, own = find_own(l, truncated);
    size_t count = own >= 0 ? count_copies(in->chain, l, (size_t)own, was, &copy) : 0;
    if (own >= 0 && copy < 0 && intake_add_copy(in, l, was)) {
        return INTAKE_AGAIN;
    }
    enum intake_result result = intake_prepare(in, l, count);
    if (result == INTAKE_DONE && !seek_copy(l, copy, was->offset)) {
        intake_give_up(in, &l->files[copy]);
        count = copy > own + 1 ? (size_t)copy : 0; /* what is newer, if anything */
        copy = -1;
        result = intake_prepare(in, l, count);
    }
    *goes_on = copy >= 0 && l->files[copy].seg;
    if (result == INTAKE_DONE && count > 0) {
        intake_take(in, l, count);
    }
    return result;
}

/* Takes up the copies of the newest file of the chain, and that behind them; its own segment is closed then.
 * *taken: there were any. *goes_on: nothing is missing in between. Otherwise, and where it cannot be told
 * yet, the chain stays as it was. */
static enum intake_result take_copies(struct truncation *t, struct intake *in, const struct file_pos *was,
                                      bool *taken, bool *goes_on)
{
    struct segment *live = chain_detach(in->chain);
    const struct segment *before = in->chain->tail;
    enum intake_result result = INTAKE_AGAIN;
    for (int i = 0; i < INTAKE_TRIES && result == INTAKE_AGAIN; i++) {
        struct listing l;
        *goes_on = false;
        result = take_copies_once(in, &l, live, was, goes_on);
        listing_free(&l);
    }
    intake_drop_strays(in);
    *taken = in->chain->tail != before;
    *goes_on &= *taken;
    t->undecided = result != INTAKE_DONE;
    if (*taken) {
        segment_close(live);
    } else {
        chain_reattach(in->chain, live);
    }
    return result;
}

/* Of a file of which nothing was read: a copy of what it held then was written to later. */
static int64_t known_since(const struct segment *seg)
{
    return seg->empty_ns > 0 ? seg->empty_ns : seg->head_ns;
}

static void count_lost(const struct intake *in, uint64_t bytes)
{
    metrics.lost_bytes += bytes;
    log_error("a log was truncated before all of it was read", KV("path", in->path), KN("lost_bytes", bytes));
}

enum intake_result truncation_follow(struct truncation *t, struct intake *in)
{
    const struct segment *live = in->chain->head;
    struct file_pos was = {.file = live->id,
                           .offset = live->offset,
                           .mtime_ns = live->offset == 0 ? known_since(live) : t->mtime_ns};
    if (live->tail_at == live->offset) {
        was.tail = live->tail;
    }
    bool goes_on, taken;
    enum intake_result result = take_copies(t, in, &was, &taken, &goes_on);
    if (result != INTAKE_DONE) {
        return result;
    }
    intake_stop_waiting(in);
    metrics.truncations++;
    if (!goes_on && t->unread > 0) {
        count_lost(in, t->unread);
    }
    was.offset += t->unread;
    was.tail.len = t->unread > 0 ? 0 : was.tail.len;
    chain_remember_end(in->chain, &was);
    if (!taken) {
        chain_restart(in->chain); /* its name may be another by now */
    }
    return result;
}

enum intake_result truncation_of_unread(struct truncation *t, struct intake *in)
{
    struct segment *live = in->chain->tail;
    bool anew = segment_is_anew(live);
    struct file_pos was = {.mtime_ns = known_since(live)};
    if (anew) {
        was.file = live->id;
    }
    bool goes_on, taken;
    enum intake_result result = take_copies(t, in, &was, &taken, &goes_on);
    if (result != INTAKE_DONE) {
        return result;
    }
    intake_stop_waiting(in);
    metrics.truncations += taken;
    if (anew && !goes_on) {
        count_lost(in, was.file.head_len); /* as far as it is known */
    }
    if (!taken && anew) {
        segment_restart(live);
    } else if (!taken) {
        segment_reset_empty(live);
    }
    return result;
}
