#include "newer.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/plain_file.h"

/* How many of the files are newer than what the chain holds, and what was read before. `reached`: that
 * was met among them. The log itself may be what the chain holds, where its renaming was undone, or what was read before,
 * and goes on. */
static size_t count_newer(const struct chain *c, struct listing *l, bool *reached)
{
    *reached = false;
    for (size_t i = 0; i < l->count; i++) {
        const struct generation *at = &l->files[i].at;
        bool open =
            c->tail && !segment_shelved(c->tail); /* else it is gone, and its inode may be used again */
        *reached = open && !at->name.packed && chain_holds(c, at->dev, at->ino);
        if (!*reached && i >= l->live) {
            struct segment *seg = listing_open(l, i);
            *reached = seg && chain_knows(c, seg);
        }
        if (*reached) {
            return i;
        }
    }
    return l->count;
}

/* How many are newer than the one that the chain ends with, which is not listed: by their times, and where these
 * are the same, or the clock was set back meanwhile, those that were not there before. */
static size_t count_unmet(const struct intake *in, const struct listing *l, int64_t mtime_ns)
{
    bool back = l->live && l->files[0].at.mtime_ns < mtime_ns;
    size_t n = 0;
    for (; n < l->count; n++) {
        const struct generation *at = &l->files[n].at;
        bool is_new = !at->name.packed && !intake_has_seen(in, at);
        if (at->mtime_ns <= mtime_ns && !(is_new && (back || at->mtime_ns == mtime_ns))) {
            break;
        }
    }
    return n;
}

/* The file that the chain ends with is gone. Is the oldest of the newer ones the one that came next? */
static bool follows_on(const struct intake *in, struct listing *l, size_t count)
{
    if (!in->behind) {
        return count <= 1; /* deleted, and made anew */
    }
    struct segment *oldest = count > 0 ? listing_open(l, count - 1) : NULL;
    return oldest && (segment_is(oldest, &in->next_up) ||
                      (oldest->archive && segment_matches(oldest, &in->next_up, 0)));
}

static enum intake_result take_once(struct intake *in, struct listing *l, size_t *taken)
{
    const struct segment *tail = in->chain->tail;
    bool reached;
    if (intake_list(in, l) < 0) {
        return INTAKE_LATER;
    }
    if (!l->live && !in->behind) {
        return INTAKE_LATER; /* in the middle of a rotation: its last step, or the next look, comes back */
    }
    size_t count = count_newer(in->chain, l, &reached);
    bool gap =
        in->behind && l->live && reached && count == 0; /* what waited on the disk is not newer any more */
    if (!reached && tail) {
        size_t newer = count_unmet(in, l, tail->mtime_ns);
        count = newer > 0 || count == 0 ? newer : 1;
        gap = segment_unlinked(tail) && !follows_on(in, l, count);
    }
    enum intake_result result = intake_prepare(in, l, count);
    if (result != INTAKE_DONE) {
        return result;
    }
    if (gap) {
        metrics.gaps++;
        log_error("files were rotated away before they could be read", KV("path", in->path));
    }
    *taken = intake_take(in, l, count);
    metrics.rotations += *taken;
    return INTAKE_DONE;
}

static bool holds_nothing(struct segment *seg)
{
    while (seg && !seg->archive && segment_refresh(seg) == 0 && seg->size == 0) {
        seg = seg->next;
    }
    return !seg;
}

/* The chain is full, and what is newer in it holds nothing. Does any of those that wait on the disk? None may be left there,
 * where a renaming was undone. */
static void look_at_waiting(struct intake *in)
{
    struct listing l;
    struct stat st;
    bool reached;
    if (intake_list(in, &l) == 0) {
        size_t count = count_newer(in->chain, &l, &reached);
        in->filled = !reached;
        for (size_t i = 0; i < count && !in->filled; i++) {
            in->filled = !plain_file_stat(l.files[i].at.path, &st) || st.st_size > 0;
        }
        in->behind = in->filled || count > 0;
    }
    listing_free(&l);
}

static size_t take_all(struct intake *in)
{
    size_t taken = 0;
    enum intake_result result = INTAKE_AGAIN;
    for (int i = 0; i < INTAKE_TRIES && result == INTAKE_AGAIN; i++) {
        struct listing l;
        result = take_once(in, &l, &taken);
        listing_free(&l);
    }
    return taken;
}

size_t newer_take(struct intake *in)
{
    size_t taken = 0;
    for (struct segment *seg = in->chain->head; seg; seg = seg->next) {
        if (!segment_shelved(seg)) {
            segment_refresh(seg); /* any of them may be packed by now, by which it is known */
        }
    }
    intake_measure(in);
    if (intake_room(in) > 0 || !in->behind) {
        in->filled = false;
        taken = take_all(in);
    }
    if (in->behind && !in->filled && intake_room(in) == 0 && holds_nothing(in->chain->head->next)) {
        look_at_waiting(in);
    }
    return taken;
}

/* Was the one file that the chain is read from truncated before it was renamed? As long as it is the only one, that can
 * be dealt with. What is noted of its size stays, for that tells what was lost. */
static bool was_truncated(const struct chain *c)
{
    struct segment *head = c->head;
    struct stat st;
    if (!head || head->archive || segment_shelved(head) || fstat(head->fd, &st) < 0) {
        return false;
    }
    return (uint64_t)st.st_size < head->offset || (head->id.head_len > 0 && segment_intact(head) == 0);
}

/* The log is a file that the chain holds, for its renaming was undone. What came behind it stays where it is, for whoever has
 * that open may write to it: then the log comes once more. Only where the log is truncated, or was empty itself and may be
 * once it is filled, what is empty is in the way. */
static bool look_back(struct chain *c, const struct stat *st)
{
    const struct segment *head = c->head;
    bool back = head != c->tail && same_inode(&head->id, st->st_dev, st->st_ino);
    bool empty = back && head->offset == 0 && head->empty_ns > 0;
    bool due = back && (empty || was_truncated(c)) && holds_nothing(head->next);
    if (due) {
        chain_drop_newer(c);
    }
    return due;
}

/* Was the newest file of the chain, of which nothing was read, written to or truncated before it was renamed? Where it was
 * copied in between, takes up the copies; where there is no room for them, reading finds them once it comes there. */
static enum intake_result take_unread(struct truncation *t, struct intake *in, bool *found)
{
    struct segment *tail = in->chain->tail;
    intake_measure(in);
    *found = tail && intake_room(in) > 0 && !tail->archive && !segment_shelved(tail) &&
             segment_refresh(tail) == 0 && (segment_was_empty(tail) || segment_is_anew(tail));
    return *found ? truncation_of_unread(t, in) : INTAKE_DONE;
}

bool newer_look(struct truncation *t, struct intake *in)
{
    struct segment *tail = in->chain->tail;
    struct stat st;
    bool there = plain_file_stat(in->path, &st);
    bool same = there && tail && same_inode(&tail->id, st.st_dev, st.st_ino);
    in->alone = same && st.st_nlink == 1;
    if (same) {
        return segment_look(tail, &st);
    }
    if (there && !in->behind && chain_holds(in->chain, st.st_dev, st.st_ino)) {
        return look_back(in->chain, &st);
    }
    if (there || in->behind) {
        bool found;
        if (in->chain->head == tail && was_truncated(in->chain)) {
            return true; /* reading finds that, and looks again */
        }
        return take_unread(t, in, &found) == INTAKE_DONE && (newer_take(in) > 0 || found);
    }
    if (tail) {
        segment_refresh(tail); /* deleted, which does not keep it from being written to */
    }
    return false;
}

bool newer_crowded(const struct intake *in)
{
    return in->behind && in->filled && intake_room(in) == 0;
}
