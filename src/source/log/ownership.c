#include "ownership.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/plain_file.h"

#define COPYING_FOR (10 * NS_PER_S) /* a file that was not written to for so long is no copy being made */
#define SEEN_WITHIN (10 * NS_PER_S) /* a log of its own has a position of its own by then */

static const struct position *position_of(const struct ownership *o)
{
    const struct position *pos = pipeline_position(o->pipeline, o->key);
    return pos && pos->kind == POSITION_FILE ? pos : NULL;
}

/* Is it followed under its own name, or was it? A compressed one: the file that it was packed from. */
static bool is_known_itself(const struct ownership *o, const struct generation *gen)
{
    size_t len = strlen(gen->path) - archive_suffix(gen->path);
    char *path = strndup(gen->path, len);
    if (!path) {
        die_out_of_memory();
    }
    bool known = o->others->known(o->others->arg, path);
    free(path);
    return known;
}

/* Was the position taken in the file that is the live one now? */
static bool is_in_live_file(const struct ownership *o, const struct file_pos *pos)
{
    struct segment *live = segment_open(o->path, NULL);
    bool same = live && segment_match_at(live, pos) == SEGMENT_SAME;
    segment_close(live);
    return same;
}

/* By the ends that are remembered. False: they tell nothing. */
static bool told_by_ends(const struct ownership *o, struct segment *seg, enum owner *owner,
                         struct file_pos *from)
{
    for (unsigned i = 0; i < o->chain->end_count; i++) {
        const struct file_pos *end = &o->chain->ends[i];
        bool same = same_inode(&end->file, seg->id.dev, seg->id.ino);
        if (end->file.head_len == 0 || (!same && seg->size != end->offset) ||
            segment_match_at(seg, end) != SEGMENT_SAME) {
            continue;
        }
        *owner = OWNER_LOG;
        if (seg->size > end->offset) { /* written to under its new name, long after */
            *from = *end;
            *owner = OWNER_ITSELF;
        }
        return true;
    }
    return false;
}

/* By what was read of the log. False: that tells nothing. A file that begins like the live one may be a copy
 * that is being made, or another log that begins alike. */
static bool told_by_reading(const struct ownership *o, struct segment *seg, enum owner *owner,
                            struct file_pos *from)
{
    if (told_by_ends(o, seg, owner, from)) {
        return true;
    }
    const struct position *pos = position_of(o);
    bool here = pos && segment_match_at(seg, &pos->at.file) == SEGMENT_SAME;
    if (here &&
        (same_inode(&pos->at.file.file, seg->id.dev, seg->id.ino) || !is_in_live_file(o, &pos->at.file))) {
        *owner = OWNER_LOG;
        return true;
    }
    struct segment *tail = o->chain->tail;
    bool alike = here || (tail && !tail->archive && segment_matches(tail, &seg->id, 0));
    *owner = OWNER_UNKNOWN;
    return alike && clock_now() - seg->mtime_ns < COPYING_FOR;
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
static enum owner owner_by_time(const struct ownership *o, const struct generation *gen)
{
    struct stat live;
    if (!plain_file_stat(o->path, &live)) {
        return OWNER_UNKNOWN; /* in the middle of a rotation */
    }
    if (live.st_dev == gen->dev && live.st_ino == gen->ino) {
        return OWNER_LOG; /* another name of the same file */
    }
    const struct position *pos = position_of(o);
    bool passed = pos && gen->mtime_ns + SEEN_WITHIN <= pos->at.file.mtime_ns;
    return passed ? OWNER_LOG : OWNER_ITSELF;
}

static enum owner owner_of(const struct ownership *o, const struct generation *gen, struct file_pos *from)
{
    *from = (struct file_pos){0};
    if (gen->name.packed || o->others->open(o->others->arg, gen->dev, gen->ino, gen->path) ||
        is_older(o->path, gen->path)) {
        return OWNER_LOG;
    }
    struct segment *seg = segment_open(gen->path, NULL);
    if (!seg && errno == ENOENT) {
        return OWNER_UNKNOWN; /* it has another name by now */
    }
    enum owner owner;
    bool empty = seg && seg->size == 0;
    bool told = seg && !empty && told_by_reading(o, seg, &owner, from);
    segment_close(seg);
    if (!told) {
        owner = owner_by_time(o, gen);
    }
    return empty && owner == OWNER_ITSELF ? OWNER_UNKNOWN : owner;
}

/* Does another log read it? */
static bool is_held_by_another(const struct ownership *o, const struct generation *gen)
{
    return !gen->name.packed && !chain_holds(o->chain, gen->dev, gen->ino) &&
           o->others->open(o->others->arg, gen->dev, gen->ino, gen->path ? gen->path : o->path);
}

bool ownership_allows(const struct ownership *o, const char *path)
{
    return o->others->allowed(o->others->arg, o->key, path);
}

bool ownership_read_before(const struct ownership *o, struct segment *seg, struct file_pos *to)
{
    return !seg->archive && o->others->read_before(o->others->arg, o->key, seg, to);
}

char *ownership_find(const struct ownership *o, const struct file_pos *pos)
{
    char *path = rotation_find(o->path, pos->file.dev, pos->file.ino);
    path = path ? path : o->others->stray(o->others->arg, o->key);
    if (path && !ownership_allows(o, path)) {
        free(path);
        path = NULL;
    }
    return path;
}

/* For how long so many bytes may be copied: the log may be written to meanwhile. */
static int64_t copying_ns(uint64_t bytes)
{
    return 50 * NS_PER_MS + (int64_t)(bytes / 1000 * 100) * 1000; /* 10 MB/s */
}

struct copies {
    const struct ownership *o;
    const struct file_pos *pos;
    int64_t since_ns; /* none was made before */
    char *best;
    uint64_t size; /* of the best: of several, the one that goes furthest */
};

static bool may_copy(const struct copies *c, const char *path, const struct stat *st)
{
    const struct followed_logs *others = c->o->others;
    return (uint64_t)st->st_size >= c->pos->offset && (uint64_t)st->st_size > c->size &&
           archive_suffix(path) == 0 && strcmp(path, c->o->path) != 0 && file_birth(path) > c->since_ns &&
           ownership_allows(c->o, path) && !others->open(others->arg, st->st_dev, st->st_ino, path) &&
           !others->known(others->arg, path);
}

static bool take_copy(void *arg, const char *path, const struct stat *st)
{
    struct copies *c = arg;
    struct segment *seg = may_copy(c, path, st) ? segment_open(path, NULL) : NULL;
    if (seg && segment_match_at(seg, c->pos) == SEGMENT_SAME) {
        free(c->best);
        c->best = strdup(path);
        c->size = c->best ? (uint64_t)st->st_size : 0;
    }
    segment_close(seg);
    return false;
}

char *ownership_find_copy(const struct ownership *o, const struct file_pos *pos)
{
    struct copies c = {.o = o, .pos = pos, .since_ns = pos->mtime_ns - copying_ns(pos->offset)};
    if (pos->tail.len > 0) {
        rotation_each_beside(o->path, c.since_ns, take_copy, &c);
    }
    return c.best;
}

bool ownership_wanted(void *arg, const struct generation *gen)
{
    const struct ownership *o = arg;
    struct file_pos from;
    if (!ownership_allows(o, gen->path ? gen->path : o->path) || is_held_by_another(o, gen)) {
        return false;
    }
    return !gen->path || !gen->name.inside ||
           (!is_known_itself(o, gen) && owner_of(o, gen, &from) != OWNER_ITSELF);
}

enum owner ownership_of(const struct ownership *o, const char *path, struct file_pos *from)
{
    struct stat st;
    if (!plain_file_stat(path, &st)) {
        return OWNER_UNKNOWN;
    }
    struct generation gen = {.dev = st.st_dev, .ino = st.st_ino, .mtime_ns = clock_of_timespec(st.st_mtim)};
    if (!rotation_parse(strrchr(path, '/') + 1, &gen.name) || !(gen.path = strdup(path))) {
        return OWNER_ITSELF;
    }
    enum owner owner = owner_of(o, &gen, from);
    free(gen.path);
    return owner;
}
