#include "resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/plain_file.h"
#include "newer.h"
#include "shelf.h"

void resume_fault(struct follow *f, const char *what)
{
    metrics.read_errors++;
    if (!f->failing) {
        log_error(what, KV("path", f->path), KV("error", strerror(errno)));
    }
    f->failing = true;
}

void resume_note_initial(struct follow *f, const struct file_pos *pos)
{
    if (pos->file.head_len == 0) {
        return;
    }
    if (!f->begin.initial && !(f->begin.initial = malloc(sizeof(*pos)))) {
        die_out_of_memory();
    }
    *f->begin.initial = *pos;
}

static void try_to_begin(struct follow *f)
{
    struct begun begun;
    struct position at;
    const struct position *known = pipeline_position(f->env->pipeline, feed_key(f->progress.feed));
    if (known) {
        at = *known; /* others are asked for meanwhile */
        known = &at;
    }
    bool amid = !known && (f->begin.from_end || f->begin.initial);
    int64_t newest = known && known->kind == POSITION_FILE ? known->newest_ns : 0;
    begin_try(&f->begin, &f->intake, known, &begun);
    if (begun.gone) { /* while the position is still in it */
        f->env->others.left(f->env->others.arg, &at.at.file, feed_key(f->progress.feed));
    }
    struct segment *head = f->chain.head;
    if (f->begin.done) {
        f->unread = false;
        progress_begin(&f->progress, &begun.replay, begun.mid_line, newest);
        progress_begin_torn(&f->progress, &begun.tears);
        bool own = f->mark_at_open && !known && head && head->id.head_len > 0;
        /* What begins amid a log: the next start goes on here, though nothing should be written till then. */
        if (head && (begun.cut || amid || own)) {
            progress_mark(&f->progress);
        }
    }
    f->unread |= f->begin.unpacks; /* where it is deleted meanwhile */
    if (head || f->begin.unpacks) {
        follow_ready(f);
    }
}

void resume_unpack(struct follow *f)
{
    try_to_begin(f);
}

void resume_begin(struct follow *f)
{
    f->deferred = !f->env->room(f->env->arg);
    if (!f->deferred) {
        try_to_begin(f);
        return;
    }
    struct file_pos end;
    if (f->begin.from_end &&
        begin_note_end(f->path, &f->ownership, f->begin.decoder, f->begin.saved_ns, &end)) {
        resume_note_initial(f, &end);
    }
    f->begin.from_end = false;
    follow_ready(f);
}

/* Is there an archive, or a copy, that the closed file was read in? */
static bool is_packed(struct follow *f)
{
    struct listing l;
    struct file_pos at = segment_note(f->chain.head);
    bool packed = intake_list(&f->intake, &l) == 0 && listing_find_content(&l, 0, &at) >= 0;
    listing_free(&l);
    return packed;
}

/* Its closed file is gone, or packed. To be read from its position, if that is in an archive: with the beginning of an
 * unfinished line. Else that is all there is of the line. */
static void begin_anew(struct follow *f, bool packed)
{
    if (packed) {
        progress_drop(&f->progress);
    } else if (progress_holds(&f->progress)) {
        progress_flush(&f->progress);
        progress_mark(&f->progress);
    }
    f->begin.done = false;
    f->begin.complete = !f->unread;
    chain_close(&f->chain);
    try_to_begin(f);
}

/* All of its closed file was read, as far as is known, and it is gone: goes on with what is newer. */
static void go_on_behind(struct follow *f)
{
    struct file_pos end = segment_note(f->chain.head);
    if (newer_take(&f->intake) == 0) {
        return; /* not yet */
    }
    chain_remember_end(&f->chain, &end);
    chain_drop_head(&f->chain);
    progress_start_file(&f->progress);
    follow_ready(f);
}

static void pass_over_gone(struct follow *f)
{
    const struct segment *seg = f->chain.head;
    bool packed = is_packed(f);
    f->unread = f->stirred || seg->size > seg->offset;
    if (f->unread || packed) {
        begin_anew(f, packed);
    } else {
        go_on_behind(f);
    }
}

bool resume_open(struct follow *f)
{
    if (!f->env->room(f->env->arg)) {
        return false;
    }
    if (f->deferred) {
        f->deferred = false;
        try_to_begin(f);
        return true;
    }
    enum shelf_result result = shelf_take(&f->chain, &f->intake);
    if (result == SHELF_LATER) {
        resume_fault(f, "cannot open a log file again");
        return true;
    }
    if (result == SHELF_REFUSED) {
        return true; /* the source says why */
    }
    if (result == SHELF_GONE) {
        pass_over_gone(f);
    } else {
        newer_look(&f->truncation, &f->intake);
    }
    f->stirred = f->sought = false;
    return true;
}

bool follow_shelve(struct follow *f)
{
    bool unfinished = f->last_line.ended && f->last_line.since_ns > 0;
    bool busy = f->truncation.undecided || f->gone || f->failing || f->intake.behind || f->grace_since_ns > 0;
    if (!f->begin.done || !f->chain.head || busy || unfinished || progress_pending(&f->progress)) {
        return false;
    }
    progress_keep(&f->progress);
    return shelf_put(&f->chain, f->path);
}

bool follow_has_open(const struct follow *f)
{
    return f->chain.head && !shelf_holds(&f->chain);
}

/* Its file is closed for now. */
static void look_at_shelved(struct follow *f)
{
    struct segment *seg = f->chain.head;
    struct stat st;
    if (!plain_file_stat(f->path, &st)) {
        if (!f->sought) { /* it was renamed, mostly, and is made anew in a moment */
            shelf_seek(&f->chain, &f->intake);
            f->sought = true;
        }
        return;
    }
    f->sought = false;
    bool resized = (uint64_t)st.st_size != seg->size;
    bool named = same_inode(&seg->id, st.st_dev, st.st_ino) && (!resized || segment_is_named(seg, f->path));
    bool stirred = named && segment_look(seg, &st);
    f->stirred |= stirred;
    if (!named || stirred || last_line_owed_closed(&f->last_line, &f->lines)) {
        follow_ready(f);
    }
}

void resume_look(struct follow *f)
{
    if (shelf_holds(&f->chain)) {
        look_at_shelved(f);
    } else if (f->deferred || f->begin.unpacks) { /* which must not wait for descriptors that it holds */
        follow_ready(f);
    } else {
        resume_begin(f);
    }
}
