#include "copy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"

#define COPYING_FOR (10 * NS_PER_S) /* a file that was not written to for so long is complete */

static bool is_young(int64_t since_ns)
{
    int64_t age = clock_now() - since_ns;
    return age >= 0 && age < COPYING_FOR;
}

/* Is there a time of day in its last lines? */
static bool is_timed(struct segment *seg)
{
    char text[FILE_TAIL_MAX];
    segment_seek(seg, seg->size - sizeof(text));
    ssize_t n = segment_read(seg, text, sizeof(text));
    for (ssize_t i = 0; i + 5 <= n; i++) {
        if (text[i + 2] == ':' && isdigit((unsigned char)text[i]) && isdigit((unsigned char)text[i + 1]) &&
            isdigit((unsigned char)text[i + 3]) && isdigit((unsigned char)text[i + 4])) {
            return true;
        }
    }
    return false;
}

static void say(struct origin *origin, enum who who, const char *of, struct segment *seg,
                const struct file_pos *to)
{
    origin->who = who;
    origin->of = strdup(of);
    if (!origin->of) {
        die_out_of_memory();
    }
    origin->pos = (struct position){.kind = POSITION_FILE, .at.file = *to};
    origin->pos.at.file.file = seg->id;
}

/* Of one that is young: is it written to for no longer than a copy is? */
static bool is_being_copied(const struct segment *seg)
{
    int64_t birth = fd_birth(seg->fd);
    return birth == 0 || seg->mtime_ns - birth < COPYING_FOR;
}

/* Judges by the log, which lies at `real` and begins as the file does; it was read up to there. False: it is
 * no copy of that. `whole`: as of struct file, from before; 0: it was not known. */
static bool judge(struct segment *seg, const char *key, const char *real, const struct file_pos *read,
                  uint64_t whole, struct origin *origin)
{
    bool holds = segment_match_at(seg, read) == SEGMENT_SAME, held = seg->size == whole;
    segment_seek(seg, seg->size);
    struct file_pos end = segment_note(seg);
    struct segment *log = segment_open(real, NULL);
    bool is_held = log && segment_match_at(log, &end) == SEGMENT_SAME;
    bool truncated = !log || segment_match_at(log, read) != SEGMENT_SAME;
    segment_close(log);
    bool copy = is_held || (holds && (truncated || seg->size == read->offset));
    if (!copy) {
        return false;
    }
    bool busy = is_young(seg->mtime_ns), wait = busy && is_being_copied(seg);
    if (!wait && (busy || !(holds || held)) && !is_timed(seg)) {
        return false;
    }
    origin->whole = holds || held ? seg->size : 0;
    origin->held_ns = is_held && origin->whole > 0 ? seg->mtime_ns : 0;
    say(origin, wait ? WHO_PART : WHO_READ, key, seg, is_held ? &end : read);
    return true;
}

static uint64_t whole_before(const struct file_set *set)
{
    return set->before ? set->before->whole : 0;
}

/* By the logs that are followed. True: one of them may have been copied, once the file has anything in it. */
static bool ask_logs(const struct file_set *set, const struct file *file, struct segment *seg,
                     struct origin *origin)
{
    struct file_pos read;
    bool any = false;
    for (const struct file *log = set->by_path; log && origin->who == WHO_NEW; log = log->hh.next) {
        if (log != file && log->follow && follow_begins_so(log->follow, seg, &read)) {
            any = !seg || judge(seg, log->path, log->real, &read, whole_before(set), origin);
            if (any) {
                break;
            }
        }
    }
    return any;
}

/* By the positions of the checkpoint, before their logs are followed. */
static void ask_checkpoint(struct file_set *set, const struct file *file, struct segment *seg,
                           struct origin *origin)
{
    const struct position *pos;
    const char *key;
    for (size_t i = 0; origin->who == WHO_NEW && identity_known(&set->identities, i, &key, &pos); i++) {
        const struct file_id *id = pos ? &pos->at.file.file : NULL;
        if (id && id->head_len == FILE_ID_HEAD && id->head_hash == seg->id.head_hash &&
            strcmp(key, file->path) != 0) {
            struct file_pos read = pos->at.file; /* what is asked meanwhile may move it */
            judge(seg, key, key, &read, whole_before(set), origin);
        }
    }
}

/* By what it was found to be before: the same as the log was then, which is rotated by now. The log has gone on, so
 * that its position tells nothing of the file, and has another file at its path. */
static void ask_before(const struct file_set *set, struct segment *seg, struct origin *origin)
{
    const struct file *was = set->before, *log = NULL;
    if (was && was->of && was->held_ns == seg->mtime_ns && was->whole == seg->size &&
        same_inode(&seg->id, was->at_dev, was->at_ino)) {
        HASH_FIND_STR(set->by_path, was->of, log);
    }
    if (!log || !log->follow || !follow_has_had(log->follow, seg) || !is_timed(seg)) {
        return;
    }
    bool wait = is_young(seg->mtime_ns) && is_being_copied(seg);
    origin->whole = was->whole;
    origin->held_ns = was->held_ns;
    segment_seek(seg, seg->size);
    struct file_pos end = segment_note(seg);
    say(origin, wait ? WHO_PART : WHO_READ, was->of, seg, &end);
}

void copy_find(struct file_set *set, const struct file *file, const struct target *at, struct origin *origin)
{
    if (at->st.st_size == 0 && !file->first_look) {
        bool written = is_young(clock_of_timespec(at->st.st_mtim));
        origin->who = written && ask_logs(set, file, NULL, origin) ? WHO_PART : WHO_NEW;
    }
    struct segment *seg = at->st.st_size >= FILE_ID_HEAD ? segment_open(at->real, NULL) : NULL;
    if (seg && !seg->archive && seg->id.head_len == FILE_ID_HEAD) {
        ask_logs(set, file, seg, origin);
        ask_checkpoint(set, file, seg, origin);
        if (origin->who == WHO_NEW) {
            ask_before(set, seg, origin);
        }
    }
    segment_close(seg);
}
