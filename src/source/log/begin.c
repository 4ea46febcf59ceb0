/* Where reading of a log begins: where the checkpoint says, at the end, or at the beginning. */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "follow_internal.h"

/* What a position means in terms of a listing. */
struct start {
    size_t count;               /* so many of the newest files are to be read */
    ssize_t at;                 /* the file that the position was taken in; -1: it is gone */
    ssize_t held[STREAM_COUNT]; /* the files in which unfinished lines began; -1: none, or gone */
};

/* -- finding files again ----------------------------------------------------------------------- */

/* The file of the same inode, where it is the same; -1: there is none. */
static ssize_t find_inode(struct listing *l, const struct file_pos *pos)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct generation *at = &l->files[i].at;
        if (!at->name.gz && same_inode(&pos->file, at->dev, at->ino)) {
            struct segment *seg = listing_open(l, i);
            return seg && segment_match_at(seg, pos) == SEGMENT_SAME ? (ssize_t)i : -1;
        }
    }
    return -1;
}

/* Of several the oldest that was written to since: those before it were complete by then. A damaged one only
 * where there is no other. One that was last written to before the position was taken is another file that
 * begins alike: a copy is newer, and gzip keeps the time, some of it whole seconds. */
ssize_t chain_find_content(struct listing *l, size_t from, const struct file_pos *pos)
{
    ssize_t best = -1, damaged = -1;
    for (size_t i = from; i < l->count; i++) {
        bool older = l->files[i].at.mtime_ns <= pos->mtime_ns - NS_PER_S;
        struct segment *seg = older ? NULL : listing_open(l, i);
        enum segment_match match = seg ? segment_match_at(seg, pos) : SEGMENT_OTHER;
        if (match == SEGMENT_SAME && (best < 0 || l->files[i].at.mtime_ns > pos->mtime_ns)) {
            best = (ssize_t)i;
        }
        if (match == SEGMENT_DAMAGED && damaged < 0) {
            damaged = (ssize_t)i;
        }
    }
    return best >= 0 ? best : damaged;
}

/* The file in which an unfinished line began: that of the position, or one before it, the nearest. */
static ssize_t find_held(struct listing *l, const struct position *pos, ssize_t at,
                         const struct file_pos *held)
{
    ssize_t best = -1;
    for (size_t i = (size_t)at; i < l->count; i++) {
        struct segment *seg = listing_open(l, i);
        if (seg && seg->gz) {
            segment_seek(seg, 0);
        }
        if (!seg || !segment_matches(seg, &held->file, held->offset)) {
            continue;
        }
        bool here = (ssize_t)i == at && same_inode(&held->file, pos->at.file.file.dev, pos->at.file.file.ino);
        bool inode = !seg->gz && same_inode(&held->file, seg->id.dev, seg->id.ino);
        if (here || inode) {
            return (ssize_t)i;
        }
        if ((ssize_t)i != at && best < 0) {
            best = (ssize_t)i;
        }
    }
    return best;
}

/* Finds the position in the listing. A file that cannot be opened may be the one: then it is waited for. */
static enum taking locate(struct follow *f, struct listing *l, const struct position *pos,
                          struct start *start)
{
    const struct file_pos *at = &pos->at.file;
    start->at = find_inode(l, at);
    start->at = start->at >= 0 ? start->at : chain_find_content(l, 0, at);
    if (start->at < 0) {
        size_t newer = listing_newer(l, at->mtime_ns);
        start->count = newer > 0 ? newer : l->count > 0;
        return chain_tried(f, l, 0, l->count);
    }
    start->count = (size_t)start->at + 1;
    bool missing = false;
    for (int s = 0; s < STREAM_COUNT; s++) {
        start->held[s] = pos->held_set[s] ? find_held(l, pos, start->at, &pos->held[s].file) : -1;
        missing |= pos->held_set[s] && start->held[s] < 0;
        if (start->held[s] >= (ssize_t)start->count) {
            start->count = (size_t)start->held[s] + 1;
        }
    }
    return missing ? chain_tried(f, l, (size_t)start->at, l->count) : TAKE_NOW;
}

/* -- beginning there --------------------------------------------------------------------------- */

static void say_lost(struct follow *f, const struct listing *l, const struct position *pos)
{
    const struct generation *live = &l->files[0].at;
    bool in_place = same_inode(&pos->at.file.file, live->dev, live->ino);
    if (in_place) {
        metrics.truncations++;
    } else {
        metrics.gaps++;
    }
    log_warn(in_place ? "a log was truncated or replaced while nobody read it: going on with what is there"
                      : "the file that was being read is gone: going on with the newer ones",
             KV("path", f->path), KN("offset", pos->at.file.offset));
}

/* What an unfinished line consists of was read up to the position, and kept nowhere but in its file. */
static void say_held_lost(struct follow *f, const struct position *pos, const struct start *start)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (pos->held_set[s] && start->held[s] < 0) {
            metrics.gaps++;
            log_error("the file in which an unfinished line began is gone: so is the line's beginning",
                      KV("path", f->path), KN("offset", pos->held[s].file.offset));
        }
    }
}

/* Where a place in a file of the listing will be in the chain: files that cannot be read are not in it. */
static struct spot spot_of(const struct follow *f, const struct listing *l, const struct start *start,
                           ssize_t file, uint64_t offset)
{
    uint64_t order = f->next_order;
    for (size_t i = start->count - 1; (ssize_t)i > file; i--) {
        order += l->files[i].fault == 0 && !l->files[i].copying;
    }
    return (struct spot){order, offset};
}

static struct spot spot_min(struct spot a, struct spot b)
{
    return a.order < b.order || (a.order == b.order && a.offset < b.offset) ? a : b;
}

/* Sets what is delivered already; where to read from. */
static struct spot set_replay(struct follow *f, const struct listing *l, const struct position *pos,
                              const struct start *start)
{
    struct replay *r = &f->replay;
    r->until = spot_of(f, l, start, start->at, pos->at.file.offset);
    struct spot from = r->until;
    for (int s = 0; s < STREAM_COUNT; s++) {
        r->from_set[s] = start->held[s] >= 0;
        if (r->from_set[s]) {
            r->from[s] = spot_of(f, l, start, start->held[s], pos->held[s].file.offset);
            from = spot_min(from, r->from[s]);
        }
    }
    r->active = from.order != r->until.order || from.offset != r->until.offset;
    return from;
}

static void begin_at(struct follow *f, struct listing *l, const struct position *pos,
                     const struct start *start)
{
    struct spot from = set_replay(f, l, pos, start);
    for (size_t i = 0; i + 1 < start->count; i++) {
        if (l->files[i].seg) {
            segment_seek(l->files[i].seg, 0); /* it may have been unpacked for comparison */
        }
    }
    chain_take(f, l, start->count);
    if (segment_seek(f->head, from.offset) < 0) {
        metrics.gaps++;
        log_error("cannot go on inside a gzipped log, it is damaged", KV("path", f->path));
        chain_drop_head(f, true);
        return;
    }
    segment_note(f->head);
    f->mid_line = !f->replay.active && pos->mid_line;
}

static enum taking begin_once(struct follow *f, struct listing *l, const struct position *pos)
{
    struct start start = {.count = l->count, .at = -1, .held = {-1, -1}};
    enum taking taking = pos ? locate(f, l, pos, &start) : TAKE_NOW;
    if (taking == TAKE_NOW) {
        taking = chain_prepare(f, l, start.count);
    }
    if (taking != TAKE_NOW) {
        return taking;
    }
    if (start.at >= 0) {
        if (!l->files[start.count - 1].seg) {
            return TAKE_AGAIN; /* it could be opened just now */
        }
        say_held_lost(f, pos, &start);
        begin_at(f, l, pos, &start);
        return TAKE_NOW;
    }
    if (pos) {
        say_lost(f, l, pos);
    }
    chain_take(f, l, start.count);
    return TAKE_NOW;
}

/* -- from the end ------------------------------------------------------------------------------ */

/* Behind the last newline of a plain file. */
static uint64_t end_of_lines(struct segment *seg)
{
    char buf[4096];
    uint64_t end = seg->size;
    while (end > 0) {
        uint64_t begin = end > sizeof(buf) ? end - sizeof(buf) : 0;
        segment_seek(seg, begin);
        ssize_t n = segment_read(seg, buf, (size_t)(end - begin));
        const char *newline = n > 0 ? memrchr(buf, '\n', (size_t)n) : NULL;
        if (newline) {
            return begin + (uint64_t)(newline - buf) + 1;
        }
        end = begin;
    }
    return 0;
}

/* All files count as read, but for what comes behind the end of the newest. */
static enum taking begin_at_end(struct follow *f, struct listing *l)
{
    for (size_t i = l->count - 1; i > 0; i--) {
        if (i <= FOLLOW_DONE_IDS && listing_open(l, i)) {
            chain_remember(f, l->files[i].seg);
        }
    }
    enum taking taking = chain_prepare(f, l, 1);
    if (taking != TAKE_NOW) {
        return taking;
    }
    struct segment *newest = l->files[0].seg;
    if (newest && newest->gz) {
        chain_remember(f, newest);
    } else if (newest) {
        segment_seek(newest, end_of_lines(newest));
        chain_take(f, l, 1);
    }
    return TAKE_NOW;
}

/* -- the whole --------------------------------------------------------------------------------- */

static enum taking try_to_begin(struct follow *f, const struct position *pos)
{
    struct listing l;
    enum taking taking = TAKE_LATER;
    if (chain_list(f, &l) == 0) {
        if (l.count == 0) {
            f->from_end = false; /* what appears from now on is new */
        } else if (f->from_end && !pos) {
            taking = begin_at_end(f, &l);
        } else {
            taking = begin_once(f, &l, pos);
        }
    }
    listing_free(&l);
    return taking;
}

void chain_begin(struct follow *f)
{
    const struct position *known = pipeline_position(f->tailer->pl, feed_key(f->feed));
    const struct position *pos = known && known->kind == POSITION_FILE ? known : NULL;
    if (!known && f->initial.kind == POSITION_FILE) {
        pos = &f->initial;
    }
    enum taking taking = TAKE_AGAIN;
    for (int i = 0; i < TAKE_TRIES && taking == TAKE_AGAIN; i++) {
        taking = try_to_begin(f, pos);
    }
    f->begun = taking == TAKE_NOW;
    if (f->begun && known && !pos) {
        log_warn("the checkpoint knows this log from another source: it says nothing of where to go on",
                 KV("path", f->path));
    }
    if (f->head) {
        tailer_queue(f);
    }
}
