#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"

#define PATIENCE (3 * NS_PER_S) /* with a rotated file that cannot be read */

bool intake_add_stray(struct intake *in, char *path)
{
    if (!in->strays && !(in->strays = calloc(1, sizeof(*in->strays)))) {
        die_out_of_memory();
    }
    if (in->strays->count == STRAYS) {
        free(path);
        return false;
    }
    in->strays->path[in->strays->count++] = path;
    return true;
}

bool intake_add_copy(struct intake *in, const struct listing *l, const struct file_pos *pos)
{
    char *path = ownership_find_copy(in->ownership, pos);
    for (size_t i = 0; path && i < l->count; i++) {
        if (strcmp(l->files[i].at.path, path) == 0) {
            free(path);
            path = NULL;
        }
    }
    return path && intake_add_stray(in, path);
}

bool intake_has_seen(const struct intake *in, const struct generation *at)
{
    for (size_t i = 0; i < in->seen_count; i++) {
        if (in->seen[i].ino == at->ino && in->seen[i].dev == at->dev) {
            return true;
        }
    }
    return false;
}

static void see(struct intake *in, const struct listing *l)
{
    struct inode *grown = realloc(in->seen, (l->count > 0 ? l->count : 1) * sizeof(*grown));
    if (!grown) {
        die_out_of_memory();
    }
    in->seen = grown;
    in->seen_count = (uint32_t)l->count;
    for (size_t i = 0; i < l->count; i++) {
        grown[i] = (struct inode){l->files[i].at.dev, l->files[i].at.ino};
    }
}

void intake_free(struct intake *in)
{
    intake_drop_strays(in);
    free(in->seen);
}

void intake_drop_strays(struct intake *in)
{
    while (in->strays && in->strays->count > 0) {
        free(in->strays->path[--in->strays->count]);
    }
    free(in->strays);
    in->strays = NULL;
}

/* The rotated ones that are allowed, and the newest; as far as there are descriptors, but one behind the head there
 * always is. */
void intake_measure(struct intake *in)
{
    uint64_t allowed = in->chain->open->most, taken = metrics.open_files;
    in->most = (uint32_t)in->cfg->hold_files + 1;
    if (allowed > 0) {
        uint64_t left = allowed > taken ? allowed - taken : 0, most = in->chain->count + left;
        most = most > 2 ? most : 2;
        in->most = most < in->most ? (uint32_t)most : in->most;
    }
}

size_t intake_room(const struct intake *in)
{
    return in->chain->count < in->most ? in->most - in->chain->count : 0;
}

int intake_list(struct intake *in, struct listing *l)
{
    intake_measure(in);
    size_t most = intake_room(in);
    struct listing_filter filter = {ownership_wanted, (void *)in->ownership};
    int result = listing_read(l, in->path, in->alias, most > 0 ? most : 1, filter, in->strays);
    in->foreign = l->foreign;
    if (result < 0) {
        metrics.read_errors++;
    }
    if (result < 0 && !in->unlisted) {
        log_error("cannot look for a log's rotated files, trying again", KV("path", in->path),
                  KV("error", strerror(errno)));
    }
    in->unlisted = result < 0;
    return result;
}

size_t intake_arrange(struct intake *in, struct listing *l, size_t at, const struct file_pos *pos)
{
    size_t moved = listing_arrange(l, at, pos);
    if (moved > 0 && !in->unsure) {
        log_warn(
            "the times of a log's rotated files do not tell whether the higher numbers are the newer ones: "
            "what was made since the last start is read, lines of it may come twice; let whatever packs "
            "them keep their times, or rotate with dates",
            KV("path", in->path), KN("files", moved));
        in->unsure = true;
    }
    return at + moved;
}

static bool is_live_file(const struct listing *l, size_t i)
{
    return l->live && i == 0;
}

/* Is there nothing to hope for from a file that could not be opened? Of the log itself there always is, and
 * what we lack ourselves says nothing about the file. */
static bool hopeless(const struct intake *in, const struct listing *l, size_t i)
{
    int fault = l->files[i].fault;
    bool growing = fault == EINPROGRESS; /* an archive, until it is not any more */
    if (is_live_file(l, i) || growing || fault == ENOENT || fault == EMFILE || fault == ENFILE ||
        fault == ENOMEM) {
        return false;
    }
    return fault == EBADMSG || (in->waiting_since > 0 && clock_monotonic() - in->waiting_since > PATIENCE);
}

/* Logs once that it waits for a file. */
static void wait_for(struct intake *in, const struct listed *file)
{
    metrics.read_errors++;
    if (in->waiting_since == 0) {
        in->waiting_since = clock_monotonic();
        log_error("cannot follow a log file, trying again", KV("path", file->at.path),
                  KV("error", file->fault == EINPROGRESS ? "its end is missing, it is being packed, perhaps"
                                                         : strerror(file->fault)));
    }
}

void intake_stop_waiting(struct intake *in)
{
    in->waiting_since = 0;
}

enum intake_result intake_check(struct intake *in, const struct listing *l, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (l->files[i].fault && !hopeless(in, l, i)) {
            if (l->files[i].fault == ENOENT) {
                return INTAKE_AGAIN;
            }
            wait_for(in, &l->files[i]);
            return INTAKE_LATER;
        }
    }
    return INTAKE_DONE;
}

/* Is an archive of the log's own name being made of the live file? */
static bool is_packing(const struct listing *l)
{
    const struct generation *at = &l->files[1].at;
    const struct segment *live = l->files[0].seg;
    return at->name.packed && at->name.parts == 0 && at->birth_ns > fd_birth(live->fd) &&
           segment_matches(l->files[1].seg, &live->id, 0);
}

/* Between the copying and the truncating of copytruncate both files hold the same. Only a
 * single copy is found: truncation.c counts them. */
static void find_copying(struct listing *l)
{
    if (l->live && l->count > 1 && l->files[0].seg && l->files[1].seg) {
        l->files[1].copying = segment_copies(l->files[1].seg, l->files[0].seg) || is_packing(l);
    }
}

/* Was the log truncated since it was opened? Its content may be in the copies now. */
static bool is_stale(const struct listing *l)
{
    struct segment *live = l->live && l->count > 0 ? l->files[0].seg : NULL;
    return live && live->id.head_len > 0 && segment_intact(live) != 1;
}

enum intake_result intake_prepare(struct intake *in, struct listing *l, size_t count)
{
    size_t left = intake_room(in);
    size_t last = count;
    listing_close(l, count);
    while (last > 0 && left > 0) {
        last--;
        left -= listing_open(l, last) ? 1 : 0;
    }
    find_copying(l);
    /* The log itself, where it cannot be opened yet, does not hold up what is older. */
    size_t from = last == 0 && count > 1 && l->live && l->files[0].fault != ENOENT ? 1 : last;
    enum intake_result result = intake_check(in, l, from, count);
    return result == INTAKE_DONE && (is_stale(l) || !listing_holds(l, in->path, in->alias)) ? INTAKE_AGAIN
                                                                                            : result;
}

void intake_give_up(const struct intake *in, const struct listed *file)
{
    metrics.gaps++;
    log_error("a rotated file cannot be read: what it holds is lost", KV("path", file->at.path),
              KV("log", in->path), KV("error", strerror(file->fault)));
}

/* The files from `i` on to the newest wait on the disk: they are taken up as those before them are read. */
static void leave_behind(struct intake *in, struct listing *l, size_t i)
{
    struct segment *next = listing_open(l, i);
    if (!in->behind && intake_room(in) == 0) {
        log_warn("more rotated files are unread than hold_files allows: the newer ones wait on the disk",
                 KV("path", in->path));
    }
    in->behind = true;
    in->next_up = next ? next->id : (struct file_id){0};
}

/* Nothing that was read of it as another log's is read again. */
static void append(struct intake *in, struct segment *seg)
{
    struct file_pos to;
    if (seg->offset == 0 && ownership_read_before(in->ownership, seg, &to)) {
        segment_seek(seg, to.offset);
    }
    chain_append(in->chain, seg);
}

size_t intake_take(struct intake *in, struct listing *l, size_t count)
{
    size_t taken = 0;
    see(in, l);
    in->behind = in->behind && count > 0;
    for (size_t i = count; i-- > 0;) {
        struct listed *file = &l->files[i];
        if (intake_room(in) == 0 || (is_live_file(l, i) && file->fault)) {
            leave_behind(in, l, i);
            if (intake_room(in) > 0) {
                wait_for(in, file);
            }
            return taken;
        }
        if (file->copying) {
            continue;
        }
        if (file->seg) {
            append(in, file->seg);
            file->seg = NULL;
            taken++;
        } else {
            intake_give_up(in, file);
        }
    }
    in->behind = false;
    in->next_up = (struct file_id){0};
    intake_stop_waiting(in);
    return taken;
}
