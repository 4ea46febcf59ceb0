/* The chain of a log's files, oldest unread first, and how rotations add to it. begin.c sets it up. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "follow_internal.h"

#define PATIENCE (3 * NS_PER_S) /* with a rotated file that cannot be read */

/* -- the chain itself -------------------------------------------------------------------------- */

static void append(struct follow *f, struct segment *seg)
{
    seg->order = f->next_order++;
    seg->next = NULL;
    if (f->tail) {
        f->tail->next = seg;
    } else {
        f->head = seg;
    }
    f->tail = seg;
    f->segments++;
}

void chain_remember_end(struct follow *f, const struct file_pos *end)
{
    f->done[f->done_next++ % FOLLOW_DONE_IDS] = *end;
}

void chain_remember(struct follow *f, struct segment *seg)
{
    struct file_pos end = segment_note(seg);
    if (seg->size > seg->offset) { /* not read to there, so what stands there is not known */
        end.offset = seg->size;
        end.tail.len = 0;
    }
    chain_remember_end(f, &end);
}

void chain_drop_head(struct follow *f, bool read)
{
    struct segment *seg = f->head;
    if (read) {
        chain_remember(f, seg);
    }
    f->head = seg->next;
    if (!f->head) {
        f->tail = NULL;
    }
    f->segments--;
    f->mid_line = false;
    segment_close(seg);
}

void chain_close(struct follow *f)
{
    while (f->head) {
        chain_drop_head(f, false);
    }
}

/* -- taking up what a listing shows ------------------------------------------------------------ */

/* How many files may be held open: the rotated ones that are allowed, and the newest. */
static size_t room(const struct follow *f)
{
    size_t most = (size_t)f->tailer->cfg->hold_files + 1;
    return f->segments < most ? most - f->segments : 0;
}

int chain_list(struct follow *f, struct listing *l)
{
    size_t most = room(f);
    int result = listing_read(l, f->path, most > 0 ? most : 1, (struct listing_filter){claim_wanted, f});
    if (result < 0) {
        metrics.read_errors++;
    }
    if (result < 0 && !f->unlisted) {
        log_error("cannot look for a log's rotated files, trying again", KV("path", f->path),
                  KV("error", strerror(errno)));
    }
    f->unlisted = result < 0;
    return result;
}

static bool is_live(const struct listing *l, size_t i)
{
    return l->live && i == 0;
}

/* Is there nothing to be hoped for from a file that could not be opened? Of the log itself there always is,
 * and what we lack ourselves does not tell of the file. */
static bool hopeless(const struct follow *f, const struct listing *l, size_t i)
{
    int fault = l->files[i].fault;
    if (is_live(l, i) || fault == ENOENT || fault == EMFILE || fault == ENFILE || fault == ENOMEM) {
        return false;
    }
    return fault == EBADMSG || (f->waiting_since > 0 && clock_monotonic() - f->waiting_since > PATIENCE);
}

/* Says once that it waits for a file. */
static void wait_for(struct follow *f, const struct listed *file)
{
    metrics.read_errors++;
    if (f->waiting_since == 0) {
        f->waiting_since = clock_monotonic();
        log_error("cannot follow a log file, trying again", KV("path", file->at.path),
                  KV("error", strerror(file->fault)));
    }
}

enum taking chain_tried(struct follow *f, const struct listing *l, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (l->files[i].fault && !hopeless(f, l, i)) {
            if (l->files[i].fault == ENOENT) {
                return TAKE_AGAIN;
            }
            wait_for(f, &l->files[i]);
            return TAKE_LATER;
        }
    }
    return TAKE_NOW;
}

/* Between the copying and the truncating of copytruncate both files hold the same. The copy is found when it
 * is the only one, see chain_truncated. */
static void find_copying(struct listing *l)
{
    if (l->live && l->count > 1 && l->files[0].seg && l->files[1].seg) {
        l->files[1].copying = segment_copies(l->files[1].seg, l->files[0].seg);
    }
}

/* Was the log truncated since it was opened? Its content may be in the copies now. */
static bool is_stale(const struct listing *l)
{
    struct segment *live = l->live && l->count > 0 ? l->files[0].seg : NULL;
    return live && live->id.head_len > 0 && segment_intact(live) != 1;
}

enum taking chain_prepare(struct follow *f, struct listing *l, size_t count)
{
    size_t left = room(f);
    size_t last = count;
    listing_close(l, count);
    while (last > 0 && left > 0) {
        last--;
        left -= listing_open(l, last) ? 1 : 0;
    }
    find_copying(l);
    /* The log itself, where it cannot be opened yet, does not hold up what is older. */
    size_t from = last == 0 && count > 1 && l->live && l->files[0].fault != ENOENT ? 1 : last;
    enum taking taking = chain_tried(f, l, from, count);
    return taking == TAKE_NOW && (is_stale(l) || !listing_holds(l, f->path)) ? TAKE_AGAIN : taking;
}

void chain_give_up(struct follow *f, const struct listed *file)
{
    metrics.gaps++;
    log_error("a rotated file cannot be read: what it holds is lost", KV("path", file->at.path),
              KV("log", f->path), KV("error", strerror(file->fault)));
}

/* The rest of the files is left for later: they are taken up as those before them are read. */
static void leave_behind(struct follow *f, struct listing *l, size_t i)
{
    struct segment *next = listing_open(l, i);
    if (!f->behind && room(f) == 0) {
        log_warn("more rotated files are unread than hold_files allows: the newer ones wait on the disk",
                 KV("path", f->path));
    }
    f->behind = true;
    f->next_up = next ? next->id : (struct file_id){0};
}

size_t chain_take(struct follow *f, struct listing *l, size_t count)
{
    size_t taken = 0;
    f->behind = f->behind && count > 0;
    for (size_t i = count; i-- > 0;) {
        struct listed *file = &l->files[i];
        if (room(f) == 0 || (is_live(l, i) && file->fault)) {
            leave_behind(f, l, i);
            if (room(f) > 0) {
                wait_for(f, file);
            }
            return taken;
        }
        if (file->copying) {
            continue;
        }
        if (file->seg) {
            append(f, file->seg);
            file->seg = NULL;
            taken++;
        } else {
            chain_give_up(f, file);
        }
    }
    f->behind = false;
    f->next_up = (struct file_id){0};
    f->waiting_since = 0;
    return taken;
}

/* -- rotation while running -------------------------------------------------------------------- */

/* Is this the file `was`, by its inode? */
static bool is_still(struct segment *seg, const struct file_id *was)
{
    return same_inode(was, seg->id.dev, seg->id.ino) && segment_matches(seg, was, 0);
}

/* Is this the file that was read to `end`, or was it packed from that? Files may begin alike, and inodes are
 * used again. */
static bool is_done(struct segment *seg, const struct file_pos *end)
{
    if (end->file.head_len == 0 || (!same_inode(&end->file, seg->id.dev, seg->id.ino) &&
                                    !(seg->gz && segment_holds(seg, end->offset)))) {
        return false;
    }
    return segment_match_at(seg, end) == SEGMENT_SAME;
}

/* Was this packed from the plain file that is held open? */
static bool is_packed(struct segment *seg, const struct segment *plain)
{
    return !plain->gz && seg->gz && segment_holds(seg, plain->size) && segment_matches(seg, &plain->id, 0) &&
           segment_same_content(seg, plain);
}

bool chain_knows(struct follow *f, struct segment *seg)
{
    const struct segment *tail = f->tail;
    if (tail && (is_still(seg, &tail->id) || is_packed(seg, tail))) {
        return true;
    }
    for (int i = 0; i < FOLLOW_DONE_IDS; i++) {
        if (is_done(seg, &f->done[i])) {
            return true;
        }
    }
    return false;
}

/* How many of the files are newer than what the chain ends with, and what was read before. `reached`: that
 * was met among them. */
static size_t count_newer(struct follow *f, struct listing *l, bool *reached)
{
    const struct segment *tail = f->tail;
    *reached = false;
    for (size_t i = l->live; i < l->count; i++) {
        const struct generation *at = &l->files[i].at;
        *reached = tail && !at->name.gz && same_inode(&tail->id, at->dev, at->ino);
        if (!*reached) {
            struct segment *seg = listing_open(l, i);
            *reached = seg && chain_knows(f, seg);
        }
        if (*reached) {
            return i;
        }
    }
    return l->count;
}

static bool unlinked(const struct segment *seg)
{
    struct stat st;
    return fstat(seg->fd, &st) == 0 && st.st_nlink == 0;
}

/* The file that the chain ends with is gone. Is the oldest of the newer ones that which came next? */
static bool follows_on(struct follow *f, struct listing *l, size_t count)
{
    if (!f->behind) {
        return count <= 1; /* deleted, and made anew */
    }
    struct segment *oldest = count > 0 ? listing_open(l, count - 1) : NULL;
    return oldest &&
           (is_still(oldest, &f->next_up) || (oldest->gz && segment_matches(oldest, &f->next_up, 0)));
}

static enum taking take_newer_once(struct follow *f, struct listing *l)
{
    bool reached;
    if (chain_list(f, l) < 0 || (!l->live && !f->behind)) {
        return TAKE_LATER; /* in the middle of a rotation: its last step, or the next look, comes here again
                            */
    }
    size_t count = count_newer(f, l, &reached);
    bool gap = false;
    if (!reached && f->tail) {
        size_t newer = listing_newer(l, f->tail->mtime_ns);
        count = newer > 0 || count == 0 ? newer : 1;
        gap = unlinked(f->tail) && !follows_on(f, l, count);
    }
    enum taking taking = chain_prepare(f, l, count);
    if (taking != TAKE_NOW) {
        return taking;
    }
    if (gap) {
        metrics.gaps++;
        log_error("files were rotated away before they could be read", KV("path", f->path));
    }
    size_t taken = chain_take(f, l, count);
    metrics.rotations += taken;
    if (taken > 0) {
        tailer_queue(f);
    }
    return TAKE_NOW;
}

void chain_take_newer(struct follow *f)
{
    enum taking taking = TAKE_AGAIN;
    if (f->tail) {
        segment_refresh(f->tail);
    }
    if (room(f) == 0 && f->behind) {
        return;
    }
    for (int i = 0; i < TAKE_TRIES && taking == TAKE_AGAIN; i++) {
        struct listing l;
        taking = take_newer_once(f, &l);
        listing_free(&l);
    }
}

/* The path names the newest file of the chain. */
static void look_at_tail(struct follow *f, const struct stat *st)
{
    bool emptied = st->st_size == 0 && clock_of_timespec(st->st_mtim) != f->tail->mtime_ns;
    if ((uint64_t)st->st_size != f->tail->size || emptied) {
        tailer_queue(f);
    }
    struct segment *tail = f->tail;
    if ((uint64_t)st->st_size > tail->size && (tail->id.head_len == 0 || segment_intact(tail) == 1)) {
        tail->size = (uint64_t)st->st_size; /* of one that was truncated it would count as unread */
    }
}

void chain_look(struct follow *f)
{
    struct stat st;
    if (!f->begun) {
        chain_begin(f);
        return;
    }
    bool there = stat(f->path, &st) == 0;
    if (there && f->tail && same_inode(&f->tail->id, st.st_dev, st.st_ino)) {
        look_at_tail(f, &st);
    } else if (there || f->behind) {
        chain_take_newer(f);
    } else if (f->tail) {
        segment_refresh(f->tail); /* deleted, which does not keep it from being written to */
    }
}
