#include "set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/plain_file.h"
#include "copy.h"
#include "file.h"

#define RESTING_TURNS 8               /* seconds: see file_set_look */
#define DELETED_FOR   (60 * NS_PER_S) /* a deleted file that is not written to for so long is let go */

/* -- whose it is ------------------------------------------------------------------------------- */

static void on_finished(void *arg)
{
    struct file *file = arg;
    HASH_DEL(file->set->by_path, file);
    file_free(file);
}

static struct file *find(const struct file_set *set, const char *path)
{
    struct file *file;
    HASH_FIND_STR(set->by_path, path, file);
    return file;
}

/* The log of which this is a rotated file, by its name. NULL: there is none, or it is not in the set. */
static struct file *log_of(const struct file_set *set, const char *path, bool *inside)
{
    struct file *log = NULL;
    char *name = rotation_log(path, inside);
    if (name) {
        HASH_FIND_STR(set->by_path, name, log);
    }
    free(name);
    return log;
}

/* Is it a rotated file of a log that is there or followed, or compressed? Those are read by the log's own
 * follow. */
static enum owner owner_among_logs(const struct file_set *set, const char *path, const char *real,
                                   struct file_pos *from)
{
    bool inside = false;
    *from = (struct file_pos){0};
    if (archive_suffix(path) > 0) {
        return OWNER_LOG;
    }
    const struct file *log = log_of(set, path, &inside);
    if (inside) {
        bool known = tailer_knows(set->tailer, path);
        return log && log->follow && !known ? follow_owner(log->follow, real, from) : OWNER_ITSELF;
    }
    char *live = log ? NULL : rotation_log(path, &inside);
    bool left = log || (live && access(live, F_OK) == 0);
    free(live);
    return left ? OWNER_LOG : OWNER_ITSELF;
}

/* Keeps a file that was to be let go, and is there again. */
static void keep_what_is_there(struct file *file)
{
    uint64_t size;
    if (file->finishing && !file_is_gone(file, &size)) {
        file->finishing = false;
        follow_keep(file->follow);
    }
}

/* Looks at a log again, unless a rotation gave its name to a file of another log. */
static void look(struct file *file)
{
    struct stat st;
    struct file_pos from;
    bool inside = false;
    const struct file *log = log_of(file->set, file->path, &inside);
    if (log && inside && log->follow && plain_file_stat(file->real, &st) &&
        !follow_holds(file->follow, st.st_dev, st.st_ino)) {
        enum owner owner = follow_owner(log->follow, file->real, &from);
        if (owner == OWNER_LOG) {
            follow_finish(file->follow, on_finished, file);
        }
        if (owner != OWNER_ITSELF) {
            return;
        }
    }
    follow_look(file->follow);
    keep_what_is_there(file);
}

static struct file *file_new(struct file_set *set, const char *path, const char *base,
                             const struct captures *caps)
{
    struct file *file = calloc(1, sizeof(*file));
    if (!file || !(file->path = strdup(path))) {
        die_out_of_memory();
    }
    file->set = set;
    file->asked = set->looks;
    file->number = set->added++;
    file->base = base;
    file->caps = captures_pack(caps);
    return file;
}

/* -- parts of other logs ----------------------------------------------------------------------- */

/* Those of the log, which may be met after its part. */
static void take_tags(struct file *file)
{
    const struct file *log = find(file->set, file->of);
    if (!file->tags && log && log->tags) {
        file->tags = tags_ref(log->tags);
    }
}

/* Keeps in mind that the file is a part of a log, so that it is none of its own, nor at the next start. */
static void keep(struct file *file, struct origin *origin, const struct stat *st)
{
    file->of = strdup(origin->of ? origin->of : "");
    if (!file->of) {
        die_out_of_memory();
    }
    file->at_dev = st->st_dev;
    file->at_ino = st->st_ino;
    file->whole = origin->whole;
    file->held_ns = origin->held_ns;
    take_tags(file);
    if (origin->who == WHO_READ) {
        file->read = origin->pos.at.file.offset;
        if (file->tags) {
            identity_mark_end(&file->set->identities, &origin->pos.at.file, file->tags);
        }
    }
}

/* For the tailer: a log has left a file, which may have a name that it is met under. */
static void on_left(void *arg, const struct file_pos *end, const char *copied)
{
    struct identities *ids = arg;
    const struct file *log = copied ? find(ids->set, copied) : NULL;
    struct tags *tags = log ? log->tags : NULL;
    for (struct file *file = ids->set->by_path; file; file = file->hh.next) {
        if (file->of && same_inode(&end->file, file->at_dev, file->at_ino)) {
            file->read = end->offset;
            take_tags(file);
            tags = tags ? tags : file->tags;
        } else if (file->follow && follow_awaits(file->follow, end->file.dev, end->file.ino)) {
            tags = tags ? tags : file->tags;
        }
    }
    if (tags) {
        identity_mark_end(ids, end, tags);
    }
}

/* For the tailer: what lies out of the base may have been closed to others since it was looked at. */
static bool is_allowed(void *arg, const char *key, const char *path)
{
    const struct identities *ids = arg;
    const struct file *file = find(ids->set, key);
    bool judged = file && file->linked && ids->set->cfg->files_follow_links == LINKS_INSIDE;
    return !judged || target_allows(file->path, file->base, path);
}

/* Asks anew who it is. */
static void ask_again(struct file *file)
{
    struct file_set *set = file->set;
    struct captures caps;
    captures_unpack(&caps, file->caps);
    HASH_DEL(set->by_path, file);
    set->before = file;
    identity_begin_look(&set->identities);
    file_set_add(set, file->path, file->base, &caps, false);
    identity_end_look(&set->identities);
    set->before = NULL;
    file_free(file);
}

/* Is the file known under yet another name? */
static bool has_another_name(const struct file *file)
{
    for (const struct file *it = file->set->by_path; it; it = it->hh.next) {
        if (it != file && it->of && it->at_ino == file->at_ino && it->at_dev == file->at_dev) {
            return true;
        }
    }
    return false;
}

static void part_missing(struct file *file)
{
    if (file->missing_ns == 0) {
        file->missing_ns = clock_monotonic();
    } else if (clock_monotonic() - file->missing_ns > DELETED_FOR) {
        if (file->tags && !has_another_name(file)) {
            identity_forget_end(&file->set->identities, file->at_dev, file->at_ino, file->tags);
        }
        on_finished(file);
    }
}

/* It may have been written to after the log has left it, be another file by now, or be gone. */
static void look_at_part(struct file *file)
{
    struct stat st;
    if (stat(file->path, &st) < 0) {
        part_missing(file);
        return;
    }
    file->missing_ns = 0;
    bool same = st.st_ino == file->at_ino && st.st_dev == file->at_dev;
    if (same && file->read > 0 && (uint64_t)st.st_size <= file->read) {
        return;
    }
    struct file *log = find(file->set, file->of);
    if (!same || !log || !log->follow || !follow_holds(log->follow, st.st_dev, st.st_ino)) {
        ask_again(file);
    }
}

/* Written to under its other name, a link to it was turned, it was renamed once more … */
static void part_event(struct file *file, uint32_t mask)
{
    struct file *log = find(file->set, file->of);
    if (mask & IN_MODIFY && log && log->follow && follow_holds(log->follow, file->at_dev, file->at_ino)) {
        follow_wake(log->follow);
    } else {
        look_at_part(file);
    }
}

/* Is it of any concern: a file, or a link that leads to one, or may once? */
static bool is_wanted(const struct file *file, const struct target *at)
{
    if (at->verdict == TARGET_GONE) {
        /* A log that was read before and is not there now has left files behind, in the middle of a rotation. */
        return checkpoint_get(file->set->checkpoint, file->path) &&
               !pattern_list_match(&file->set->exclude, file->path);
    }
    bool other = at->real && (S_ISDIR(at->st.st_mode) || (at->verdict == TARGET_ODD && !at->linked));
    return !other && !pattern_list_match(&file->set->exclude, file->path);
}

/* Is a file that is there a part of another log, and read as that, or was it? Else *origin tells where it was read up
 * to before. */
static bool is_part(struct file *file, const struct target *at, struct origin *origin)
{
    struct file_set *set = file->set;
    *origin = (struct origin){.who = WHO_NEW};
    if (at->verdict != TARGET_GOOD) {
        return false;
    }
    identity_of(&set->identities, file->path, at->real, &at->st, origin);
    const struct file *log = origin->of ? find(set, origin->of) : NULL;
    if (origin->who == WHO_NEW) {
        copy_find(set, file, at, origin);
        log = origin->of ? find(set, origin->of) : NULL;
    }
    if (origin->who == WHO_LATER) { /* where the log is not followed any more, nobody else goes on in it */
        origin->who = file->first_look || (log && log->follow) ? WHO_PART : WHO_MOVED;
    }
    return origin->who == WHO_PART ||
           (origin->who == WHO_READ && (uint64_t)at->st.st_size <= origin->pos.at.file.offset);
}

/* Takes in a file whose path is not known. Takes the target. */
static void add(struct file *file, struct target *at, bool first_look)
{
    struct origin origin;
    bool gone = at->verdict == TARGET_GONE;
    file->first_look = first_look && (gone || at->verdict == TARGET_GOOD);
    bool part = is_part(file, at, &origin);
    HASH_ADD_KEYPTR(hh, file->set->by_path, file->path, strlen(file->path), file);
    if (part) {
        keep(file, &origin, &at->st);
        target_free(at);
    } else {
        file->origin = &origin;
        file_settle(file, at);
        file->origin = NULL;
    }
    if (gone) {
        file_await(file);
    }
    origin_free(&origin);
}

/* A log's rotated file, by its name. Where it is a copy, made while the log itself stays, neither its name nor the times
 * tell that at the next start: keeps it in mind. */
static bool keep_copy(struct file *file, const struct target *at)
{
    bool inside = false, kept = false;
    struct origin origin = {0};
    const struct file *log = log_of(file->set, file->path, &inside);
    if (log && inside && log->real && at->verdict == TARGET_GOOD && archive_suffix(file->path) == 0 &&
        clock_of_timespec(at->st.st_mtim) >= file_birth(log->real) && is_part(file, at, &origin)) {
        HASH_ADD_KEYPTR(hh, file->set->by_path, file->path, strlen(file->path), file);
        keep(file, &origin, &at->st);
        kept = true;
    }
    origin_free(&origin);
    return kept;
}

void file_set_note(struct file_set *set, const char *path, const char *base)
{
    struct target at = target_find(path, base, set->cfg->files_follow_links);
    if (at.verdict == TARGET_GOOD && !at.link) {
        identity_note(&set->identities, path, at.real);
    }
    target_free(&at);
}

bool file_set_add(struct file_set *set, const char *path, const char *base, const struct captures *caps,
                  bool first_look)
{
    struct file *file = find(set, path);
    if (file && file->of) {
        look_at_part(file);
        return true;
    }
    if (file && file->silent && !set->missed) {
        return true;
    }
    if (file) {
        if (strcmp(file->base, base) == 0 && !file_is_in_place(file)) {
            file_find_again(file);
        }
        if (file->follow) {
            look(file);
        }
        return true;
    }
    file = file_new(set, path, base, caps);
    struct target at = file_target(file);
    enum owner owner = OWNER_ITSELF;
    bool wanted = is_wanted(file, &at);
    if (wanted && (at.verdict == TARGET_GOOD || at.verdict == TARGET_GONE)) {
        struct file_pos from;
        owner = owner_among_logs(set, path, at.real ? at.real : path, &from);
        file_note_from(file, &from);
    }
    if (wanted && owner == OWNER_ITSELF) {
        add(file, &at, first_look);
        return true;
    }
    bool kept = wanted && owner == OWNER_LOG && keep_copy(file, &at);
    target_free(&at);
    if (!kept) {
        file_free(file);
    }
    return owner != OWNER_UNKNOWN;
}

/* A file that is not collected is forgotten when it is gone. */
static void look_at_left_out(struct file *file)
{
    struct stat st;
    if (lstat(file->path, &st) < 0 && errno == ENOENT) {
        on_finished(file);
    } else if (file->verdict != TARGET_GOOD && !file_is_settled(file)) {
        file_find_again(file);
    }
}

static void file_look(struct file *file)
{
    uint64_t size;
    file->told = file->silent = false;
    if (file->of) {
        look_at_part(file);
        return;
    }
    if (!file->follow) {
        look_at_left_out(file);
        return;
    }
    if (file->linked && !file_is_settled(file)) {
        file_find_again(file);
    }
    look(file);
    if (!file_is_gone(file, &size)) {
        file->missing_ns = 0;
        file->told = file_is_told(file);
    } else if (file->missing_ns == 0 || size != file->missing_size) {
        file->missing_ns = clock_monotonic();
        file->missing_size = size;
    } else if (clock_monotonic() - file->missing_ns > DELETED_FOR) {
        file->finishing = true;
        follow_finish(file->follow, on_finished, file);
    }
}

void file_set_event(struct file_set *set, const char *path, uint32_t mask)
{
    bool inside;
    struct file *file = find(set, path);
    file = file ? file : log_of(set, path, &inside);
    if (file) {
        file->silent = false;
        file->told &= !(mask & ~IN_MODIFY);
    }
    if (file && file->of) {
        part_event(file, mask);
        return;
    }
    if (!file || !file->follow) {
        return;
    }
    if (mask & IN_MODIFY) {
        follow_wake(file->follow);
    } else {
        look(file);
    }
}

bool file_set_undecided(const struct file_set *set, const char *path)
{
    struct file *file;
    bool inside = false;
    HASH_FIND_STR(set->by_path, path, file);
    return !file && log_of(set, path, &inside) && inside;
}

void file_set_look(struct file_set *set)
{
    struct file *file, *next;
    bool all = set->missed;
    set->missed = false;
    set->looks++;
    HASH_ITER(hh, set->by_path, file, next)
    {
        bool due = all || (set->looks + file->number) % RESTING_TURNS == 0 || !file_rests(file);
        if (due && file->asked != set->looks) {
            file_look(file);
        }
    }
}

void file_set_missed(struct file_set *set)
{
    set->missed = true;
}

void file_set_open(struct file_set *set, struct pipeline *pipeline)
{
    set->identities = (struct identities){
        .set = set, .checkpoint = set->checkpoint, .pipeline = pipeline, .tailer = set->tailer};
    tailer_set_calls(set->tailer, (struct tailer_calls){.allowed = is_allowed,
                                                        .stray = identity_stray,
                                                        .read_before = identity_read_before,
                                                        .left = on_left,
                                                        .arg = &set->identities});
}

void file_set_reload(struct file_set *set, const struct config *cfg)
{
    struct file *file, *next;
    set->cfg = cfg;
    HASH_ITER(hh, set->by_path, file, next)
    {
        file->told = file->silent = false;
        file->first_look = false; /* what is wanted from now on is read from its beginning */
        if (!file->of) {
            file_tag(file);
        }
    }
}

void file_set_close(struct file_set *set)
{
    struct file *file, *next;
    HASH_ITER(hh, set->by_path, file, next)
    {
        HASH_DEL(set->by_path, file);
        file_free(file);
    }
}
