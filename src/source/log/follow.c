#include "follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/plain_file.h"
#include "deleted.h"
#include "describe.h"
#include "leave.h"
#include "newer.h"
#include "read_on.h"
#include "resume.h"
#include "shelf.h"

/* All that tells of a live file is looked at so often while it is read. In between, what stands before the offset proves
 * that it is the same, and not truncated. Times in positions may be so much older than what was read. */
#define WHOLE_LOOK NS_PER_S

/* -- the live file ----------------------------------------------------------------------------- */

/* Is the one file of the chain being read, which may still be truncated in place? */
static bool is_live(const struct follow *f)
{
    return f->chain.head == f->chain.tail && !f->chain.head->archive;
}

/* What was read of a truncated file is complete: reading goes on at the beginning of a line. */
static bool went_on(struct follow *f, enum intake_result result)
{
    if (result == INTAKE_DONE) {
        progress_start_file(&f->progress);
    }
    return result == INTAKE_DONE;
}

/* Looks at the live file before it is read. False: at another time. */
static bool look_at_live(struct follow *f)
{
    struct segment *live = f->chain.head;
    f->looked_ns = clock_monotonic();
    if (!f->failing) {
        truncation_note(&f->truncation, live);
    }
    if (segment_refresh(live) < 0) {
        resume_fault(f, "cannot look at a log file");
        return false;
    }
    return !segment_was_empty(live) || went_on(f, truncation_of_unread(&f->truncation, &f->intake));
}

/* Asked after the read: what stands before our offset is still what we have read, so what was read came
 * behind it. `looked`: its size was looked at before. 1 or 0; -1 (errno) when that cannot be read. */
static int was_truncated(struct segment *seg, bool looked)
{
    bool shorter = looked && seg->size < seg->offset;
    int intact = shorter ? 0 : seg->id.head_len > 0 ? segment_intact(seg) : 1;
    return intact < 0 ? -1 : !intact;
}

/* -- at the end of a file ---------------------------------------------------------------------- */

static enum follow_state finish(struct follow *f)
{
    if (f->intake.behind || f->unread) {
        metrics.gaps++;
        log_error("a log was deleted before all of its files could be read", KV("path", f->path));
    }
    progress_forget(&f->progress);
    f->finished(f->finished_arg);
    return FOLLOW_DONE;
}

/* Nobody will go on with what stands there unfinished: it is a line as it is. */
static void put_last_line(struct follow *f, struct slice rest)
{
    lines_put_rest(&f->lines, rest);
    progress_flush(&f->progress);
    progress_mark(&f->progress);
    f->last_line = (struct last_line){.ended = f->last_line.ended};
}

/* The head is read to its end as of now, where `rest` stands without a newline. `leave`: the next file was seen to be
 * written to before. `ended`: and nothing more will come of this one. */
static enum follow_state at_end(struct follow *f, struct slice rest, bool leave, bool ended)
{
    bool last = !f->chain.head->next;
    if (last && f->intake.behind) {
        newer_take(&f->intake);
        if (f->chain.head->next) {
            return FOLLOW_MORE;
        }
    }
    if (last && f->last_line.due) {
        put_last_line(f, rest);
        rest.len = 0;
    } else if (rest.len > 0 || progress_holds(&f->progress)) {
        last_line_look(&f->last_line, &f->lines); /* from now on it waits */
    }
    if (last ? !f->gone : !leave) {
        return FOLLOW_IDLE;
    }
    lines_put_rest(&f->lines, slice_of(rest.ptr, ended ? rest.len : 0));
    if (f->progress.moved) {
        progress_mark(&f->progress);
    }
    leave_head(f, ended);
    return last ? finish(f) : FOLLOW_MORE;
}

/* -- reading ----------------------------------------------------------------------------------- */

/* Reads the next chunk of the head into the buffer. The bytes read; -1: there is nothing to be used, and
 * *state tells how to go on. */
static ssize_t read_chunk(struct follow *f, enum follow_state *state)
{
    struct segment *head = f->chain.head;
    ssize_t got = segment_read(head, f->env->buffer->data, f->env->buffer->cap);
    bool live = is_live(f), may_be = live || leave_is_back(f);
    int truncated = got >= 0 && may_be ? was_truncated(head, live) : 0;
    *state = FOLLOW_IDLE; /* tried again at the next look */
    if (got < 0 || truncated < 0) {
        resume_fault(f, "cannot read a log file");
        return -1;
    }
    if (truncated && !live) {
        *state = FOLLOW_MORE;
        if (newer_look(&f->truncation, &f->intake)) {
            return -1;
        }
        got = 0; /* it comes again behind what is newer, as another one */
    } else if (truncated) {
        if (went_on(f, truncation_follow(&f->truncation, &f->intake))) {
            newer_look(&f->truncation, &f->intake); /* it may have been renamed since */
            *state = FOLLOW_MORE;
        }
        return -1;
    }
    truncation_none(&f->truncation);
    f->failing = false;
    f->env->buffer->window = (struct segment_window){f->env->buffer->data, head->offset, (size_t)got};
    return got;
}

/* Is nothing else to be done than to read what is new in the live file? */
static bool may_read_on(const struct follow *f)
{
    bool special = f->gone || f->failing || f->truncation.undecided || f->intake.behind || f->last_line.due;
    return !special && is_live(f) && f->chain.head->id.head_len == FILE_ID_HEAD;
}

/* As read_on. `whole`: it was looked at just now, and its beginning is to be, too. */
static ssize_t read_live_on(struct follow *f, bool whole)
{
    struct segment *live = f->chain.head;
    bool alike = f->progress.newest_ns == 0, gone = !is_live(f) || (whole && live->size < live->offset);
    return gone ? -1 : read_on(live, f->env->buffer, alike || whole);
}

/* Puts the lines of the `got` bytes in the buffer; as lines_put. */
static bool put_lines(struct follow *f, size_t got, bool last, struct slice *rest)
{
    struct segment *head = f->chain.head;
    head->window = &f->env->buffer->window;
    bool more = lines_put(&f->lines, f->env->buffer, got, last, rest);
    head->window = NULL;
    return more;
}

enum follow_state follow_read(struct follow *f)
{
    enum follow_state state;
    if ((f->deferred || shelf_holds(&f->chain)) && !resume_open(f)) {
        return FOLLOW_WAITS;
    }
    if (f->begin.unpacks && !f->gone) {
        resume_unpack(f);
        return FOLLOW_MORE;
    }
    if (!f->chain.head || shelf_holds(&f->chain)) {
        return f->gone ? finish(f) : FOLLOW_IDLE;
    }
    bool leave = false, simple = may_read_on(f);
    bool whole = !simple || clock_monotonic() - f->looked_ns >= WHOLE_LOOK;
    if (whole && is_live(f) && !look_at_live(f)) {
        return FOLLOW_IDLE;
    }
    ssize_t got = simple ? read_live_on(f, whole) : -1;
    if (got < 0) {
        if (!whole && !look_at_live(f)) {
            return FOLLOW_IDLE;
        }
        leave = leave_may(f);
        got = read_chunk(f, &state);
    }
    if (got < 0) {
        return state;
    }
    struct slice rest;
    bool ended = f->gone || (leave && !leave_is_back(f));
    bool more = put_lines(f, (size_t)got, ended, &rest);
    return more ? FOLLOW_MORE : at_end(f, rest, leave, ended);
}

/* -- opening and closing ----------------------------------------------------------------------- */

void follow_move(struct follow *f, const char *path, const char *alias)
{
    f->path = f->lines.path = f->ownership.path = f->intake.path = path;
    f->intake.alias = alias;
}

static void set_up(struct follow *f, const struct follow_env *env, const struct follow_options *options)
{
    f->env = env;
    f->turn.follow = f;
    f->grace_ns = options->grace_ns;
    f->chain.open = env->open;
    f->chain.follow = f;
    progress_open(&f->progress, env->pipeline, options->key, options->tags, &f->chain);
    feed_describe_by(f->progress.feed, follow_describe, f);
    f->lines = (struct lines){.decoder = options->decoder,
                              .cfg = env->cfg,
                              .progress = &f->progress,
                              .damage_end.offset = UINT64_MAX};
    f->ownership =
        (struct ownership){NULL, feed_key(f->progress.feed), &f->chain, env->pipeline, &env->others};
    f->intake = (struct intake){.cfg = env->cfg, .ownership = &f->ownership, .chain = &f->chain};
    follow_move(f, options->path, options->alias);
    f->begin.from_end = options->from_end;
    f->begin.saved_ns = checkpoint_saved_before(env->checkpoint);
    f->begin.decoder = options->decoder;
    if (options->from) {
        resume_note_initial(f, options->from);
    }
}

struct follow *follow_open(const struct follow_env *env, const struct follow_options *options)
{
    struct follow *f = calloc(1, sizeof(*f));
    if (!f) {
        return NULL;
    }
    set_up(f, env, options);
    f->mark_at_open = options->mark_at_open;
    f->tell = options->tell;
    f->tell_arg = options->arg;
    resume_begin(f);
    return f;
}

void follow_close(struct follow *f)
{
    chain_free(&f->chain);
    intake_free(&f->intake);
    begin_free(&f->begin);
    progress_close(&f->progress);
    free(f);
}

void follow_report_lost(const struct follow *f)
{
    const struct position *pos = checkpoint_get(f->env->checkpoint, feed_key(f->progress.feed));
    uint64_t lost = deleted_undelivered(&f->chain, pos && pos->kind == POSITION_FILE ? &pos->at.file : NULL);
    if (lost > 0) {
        metrics.lost_bytes += lost;
        log_error("a log was deleted before all of it was delivered, and sidetail ends: the rest is lost",
                  KV("path", f->path), KN("lost_bytes", lost));
    }
}

/* -- what the source tells and asks ------------------------------------------------------------ */

void follow_wake(struct follow *f)
{
    f->stirred |= !f->turn.open && shelf_holds(&f->chain) && segment_is_named(f->chain.head, f->path);
    follow_ready(f);
}

void follow_look(struct follow *f)
{
    if (!f->begin.done || shelf_holds(&f->chain)) {
        resume_look(f);
    } else if (newer_look(&f->truncation, &f->intake)) {
        follow_ready(f);
    }
    uint64_t lag = chain_unread(&f->chain);
    feed_set_lag(f->progress.feed, lag);
    bool due = last_line_look(&f->last_line, &f->lines);
    if (due || lag > 0 || f->chain.count > 1 || f->truncation.undecided || f->gone ||
        (f->chain.head && segment_was_empty(f->chain.head))) {
        follow_ready(f);
    }
}

bool follow_is_told(const struct follow *f, const struct watch *watch)
{
    const struct segment *live = f->chain.head;
    return live && is_live(f) && f->intake.alone && !segment_shelved(live) && watch_tells_of(watch, live->fd);
}

bool follow_rests(struct follow *f)
{
    const struct segment *live = f->chain.head;
    bool pending = f->turn.queued || f->turn.waiting || f->gone || f->failing || f->deferred ||
                   f->truncation.undecided || f->intake.behind || progress_holds(&f->progress);
    bool rests = !pending && f->begin.done && live && is_live(f) && live->size == live->offset &&
                 !segment_shelved(live);
    if (rests) {
        feed_set_lag(f->progress.feed, 0);
        f->last_line = (struct last_line){.ended = f->last_line.ended}; /* there is none */
    }
    return rests;
}

void follow_ended(struct follow *f, bool ended, int64_t run_end_ns)
{
    f->last_line.ended = ended;
    f->progress.run_end_ns = run_end_ns;
}

/* Its file is closed for now, and is nowhere any more: what the pipeline holds of its last line is all there is. */
static bool put_held(struct follow *f)
{
    uint64_t size;
    bool due = shelf_holds(&f->chain) && progress_holds(&f->progress) && follow_deleted(f, &size);
    if (due) {
        progress_flush(&f->progress);
        progress_mark(&f->progress);
    }
    return due;
}

/* Will nobody go on with the unfinished line of the file that is open? That file may be deleted, or its container ended, since it
 * was rotated and packed, which nobody has looked at yet: the line goes on in the next file then. */
static bool is_last_owed(struct follow *f)
{
    if (!last_line_owed(&f->last_line, &f->lines)) {
        return false;
    }
    newer_look(&f->truncation, &f->intake);
    return !f->intake.behind && last_line_owed(&f->last_line, &f->lines);
}

void follow_put_last_line(struct follow *f)
{
    bool closed = shelf_holds(&f->chain);
    bool owed = closed ? last_line_owed_closed(&f->last_line, &f->lines) : is_last_owed(f);
    if (!put_held(f) && (f->gone || owed)) {
        f->last_line.due = true;
        while (pipeline_room(f->env->pipeline) && follow_read(f) == FOLLOW_MORE) {
        }
    }
}

void follow_finish(struct follow *f, void (*done)(void *arg), void *arg)
{
    f->gone = true;
    f->finished = done;
    f->finished_arg = arg;
    follow_ready(f);
}

void follow_keep(struct follow *f)
{
    f->gone = false;
}

enum owner follow_owner(const struct follow *f, const char *path, struct file_pos *from)
{
    return ownership_of(&f->ownership, path, from);
}

bool follow_awaits(const struct follow *f, dev_t dev, ino_t ino)
{
    return f->intake.foreign.ino == ino && f->intake.foreign.dev == dev;
}

bool follow_begins_so(const struct follow *f, struct segment *seg, struct file_pos *read)
{
    return chain_begins_so(&f->chain, seg, read);
}

bool follow_has_had(const struct follow *f, const struct segment *seg)
{
    return chain_has_had(&f->chain, seg);
}

bool follow_has_left(const struct follow *f, struct segment *seg, struct file_pos *end)
{
    return chain_has_left(&f->chain, seg, end);
}

bool follow_holds(const struct follow *f, dev_t dev, ino_t ino)
{
    return chain_holds(&f->chain, dev, ino);
}

void follow_retag(struct follow *f, struct tags *tags)
{
    feed_retag(f->progress.feed, tags);
}

bool follow_deleted(const struct follow *f, uint64_t *size)
{
    struct stat path;
    *size = 0;
    if (f->intake.behind || plain_file_stat(f->path, &path) || errno != ENOENT) {
        return false; /* it is there, but could not be opened yet */
    }
    return deleted_all(&f->chain, size);
}

void follow_fetch_soon(const struct follow *f)
{
    fetch_soon(f, sizeof(*f));
}

void follow_fetch_now(const struct follow *f)
{
    feed_fetch_soon(f->progress.feed);
    fetch_soon(f->chain.head, sizeof(*f->chain.head));
}

struct turn *follow_turn(struct follow *f)
{
    return &f->turn;
}

struct chain_offset follow_place(const struct follow *f)
{
    const struct segment *head = f->chain.head;
    return head ? (struct chain_offset){head->order, head->offset} : (struct chain_offset){0};
}

bool follow_tell(struct follow *f, enum told told)
{
    return f->tell && f->tell(f->tell_arg, told, f->chain.head ? f->chain.head->fd : -1);
}

const char *follow_key(const struct follow *f)
{
    return feed_key(f->progress.feed);
}

const char *follow_path(const struct follow *f)
{
    return f->path;
}

bool follow_in_grace(const struct follow *f)
{
    return f->grace_since_ns > 0;
}
