/* Whose is a file with a number or date before its ending, app-2026-11-25.log beside app.log? Rotation makes
 * such names (Logback, Log4j, logrotate's `extension`), but others write logs of their own under them. It is
 * app.log's where app.log was that file, or where it was complete before the app.log of now was made; all
 * else is a log of its own. One that is complete, and is written to all the same, becomes one from there on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "follow_internal.h"

#define COPYING_FOR (10 * NS_PER_S) /* a file that was not written to for so long is no copy being made */
#define SEEN_WITHIN (10 * NS_PER_S) /* a log of its own has a position of its own by then */

static bool chain_holds(const struct follow *f, dev_t dev, ino_t ino)
{
    for (const struct segment *seg = f->head; seg; seg = seg->next) {
        if (!seg->gz && same_inode(&seg->id, dev, ino)) {
            return true;
        }
    }
    return false;
}

bool follow_holds(const struct follow *f, const struct stat *st)
{
    return chain_holds(f, st->st_dev, st->st_ino);
}

bool tailer_knows(const struct tailer *t, const char *key)
{
    return pipeline_position(t->pl, key) != NULL;
}

/* Is it followed under its own name, or was it? A gzipped one: that which it was packed from. */
static bool has_own_follow(struct tailer *t, const struct generation *gen)
{
    size_t len = strlen(gen->path) - (gen->name.gz ? 3 : 0);
    char *path = strndup(gen->path, len);
    if (!path) {
        die_out_of_memory();
    }
    const struct follow *f;
    bool own = tailer_knows(t, path);
    TAILQ_FOREACH(f, &t->all, all_link)
    {
        own = own || strcmp(f->path, path) == 0;
    }
    free(path);
    return own;
}

static bool is_being_read(struct tailer *t, const struct generation *gen)
{
    const struct follow *f;
    TAILQ_FOREACH(f, &t->all, all_link)
    {
        if (chain_holds(f, gen->dev, gen->ino)) {
            return true;
        }
    }
    return false;
}

/* Was the position taken in the file that is the live one now? */
static bool live_is(const struct follow *f, const struct file_pos *pos)
{
    struct segment *live = segment_open(f->path, NULL);
    bool same = live && segment_match_at(live, pos) == SEGMENT_SAME;
    segment_close(live);
    return same;
}

/* By what was read of the log: CLAIM_OPEN where that tells nothing. What begins like the live file may be a
 * copy that is being made, or another log that begins alike. */
static enum claim by_reading(struct follow *f, struct segment *seg, struct file_pos *from)
{
    for (int i = 0; i < FOLLOW_DONE_IDS; i++) {
        const struct file_pos *end = &f->done[i];
        bool same = same_inode(&end->file, seg->id.dev, seg->id.ino);
        if (end->file.head_len == 0 || (!same && seg->size != end->offset) ||
            segment_match_at(seg, end) != SEGMENT_SAME) {
            continue;
        }
        if (seg->size > end->offset) { /* written to under its new name, long after */
            *from = *end;
            return CLAIM_OWN;
        }
        return CLAIM_LOG;
    }
    const struct position *pos = pipeline_position(f->tailer->pl, feed_key(f->feed));
    bool here = pos && pos->kind == POSITION_FILE && segment_match_at(seg, &pos->at.file) == SEGMENT_SAME;
    if (here && (same_inode(&pos->at.file.file, seg->id.dev, seg->id.ino) || !live_is(f, &pos->at.file))) {
        return CLAIM_LOG;
    }
    bool like = here || (f->tail && !f->tail->gz && segment_matches(f->tail, &seg->id, 0));
    return like && clock_now() - seg->mtime_ns < COPYING_FOR ? CLAIM_LATER : CLAIM_OPEN;
}

static int64_t ns_of(const struct statx_timestamp *t)
{
    return t->tv_sec * NS_PER_S + t->tv_nsec;
}

/* Was it complete when the log's live file was made? */
static bool is_older(const char *log, const char *path)
{
    struct statx live, it;
    unsigned want = STATX_MTIME | STATX_BTIME;
    if (statx(AT_FDCWD, log, 0, want, &live) < 0 || statx(AT_FDCWD, path, 0, want, &it) < 0 ||
        !(live.stx_mask & STATX_BTIME) || !(it.stx_mask & STATX_BTIME)) {
        return false;
    }
    int64_t made = ns_of(&live.stx_btime), written = ns_of(&it.stx_mtime);
    return written < made || (written == made && ns_of(&it.stx_btime) < made);
}

/* By when it was written, where what was read tells nothing. */
static enum claim by_time(struct follow *f, const struct generation *gen)
{
    struct stat live;
    if (stat(f->path, &live) < 0) {
        return CLAIM_LATER; /* in the middle of a rotation */
    }
    if (live.st_dev == gen->dev && live.st_ino == gen->ino) {
        return CLAIM_LOG; /* another name of the same file */
    }
    const struct position *pos = pipeline_position(f->tailer->pl, feed_key(f->feed));
    bool passed = pos && pos->kind == POSITION_FILE && gen->mtime_ns + SEEN_WITHIN <= pos->at.file.mtime_ns;
    return passed ? CLAIM_LOG : CLAIM_OWN;
}

static enum claim claim_file(struct follow *f, const struct generation *gen, struct file_pos *from)
{
    *from = (struct file_pos){0};
    if (gen->name.gz || is_being_read(f->tailer, gen) || is_older(f->path, gen->path)) {
        return CLAIM_LOG;
    }
    struct segment *seg = segment_open(gen->path, NULL);
    if (!seg && errno == ENOENT) {
        return CLAIM_LATER; /* it has another name by now */
    }
    enum claim claim = seg && seg->size > 0 ? by_reading(f, seg, from) : CLAIM_OPEN;
    bool empty = seg && seg->size == 0;
    segment_close(seg);
    if (claim == CLAIM_OPEN) {
        claim = by_time(f, gen);
    }
    return empty && claim == CLAIM_OWN ? CLAIM_LATER : claim;
}

bool claim_wanted(void *arg, const struct generation *gen)
{
    struct follow *f = arg;
    struct file_pos from;
    return !gen->name.inside || (!has_own_follow(f->tailer, gen) && claim_file(f, gen, &from) != CLAIM_OWN);
}

enum claim follow_claim(struct follow *f, const char *path, struct file_pos *from)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        return CLAIM_LATER;
    }
    struct generation gen = {.dev = st.st_dev, .ino = st.st_ino, .mtime_ns = clock_of_timespec(st.st_mtim)};
    if (!rotation_parse(strrchr(path, '/') + 1, &gen.name) || !(gen.path = strdup(path))) {
        return CLAIM_OWN;
    }
    enum claim claim = claim_file(f, &gen, from);
    free(gen.path);
    return claim;
}
