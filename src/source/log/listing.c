#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/plain_file.h"
#include "rotation_order.h"

static bool stat_live(const char *path, struct generation *live)
{
    struct stat st;
    if (!plain_file_stat(path, &st)) {
        return false;
    }
    *live = (struct generation){.dev = st.st_dev,
                                .ino = st.st_ino,
                                .mtime_ns = clock_of_timespec(st.st_mtim),
                                .birth_ns = file_birth(path)};
    return true;
}

/* A link to the newest file may be the log's name. */
static bool is_live_file(const struct listing *l, const struct generation *gen)
{
    return l->live && !gen->name.packed && l->files[0].at.dev == gen->dev && l->files[0].at.ino == gen->ino;
}

/* Is it unknown whether the log is there? Then its rotated files alone say little. */
static bool cannot_tell(const struct listing *l)
{
    return !l->live && errno != ENOENT && errno != ENOTDIR;
}

static bool is_listed(const struct listing *l, const struct stat *st)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->files[i].at.ino == st->st_ino && l->files[i].at.dev == st->st_dev) {
            return true;
        }
    }
    return false;
}

/* Behind all that were written to since. */
static void add_stray(struct listing *l, const char *path)
{
    struct stat st;
    if (!plain_file_stat(path, &st) || is_listed(l, &st)) {
        return;
    }
    struct generation gen = {
        .path = strdup(path), .dev = st.st_dev, .ino = st.st_ino, .mtime_ns = clock_of_timespec(st.st_mtim)};
    if (!gen.path) {
        die_out_of_memory();
    }
    size_t at = l->count++;
    for (; at > l->live && l->files[at - 1].at.mtime_ns < gen.mtime_ns; at--) {
        l->files[at] = l->files[at - 1];
    }
    l->files[at] = (struct listed){.at = gen};
}

int listing_read(struct listing *l, const char *path, const char *alias, size_t most,
                 struct listing_filter filter, const struct strays *strays)
{
    struct generation live, *rotated;
    size_t count;
    *l = (struct listing){.most = most, .live = stat_live(path, &live), .filter = filter, .strays = strays};
    if (cannot_tell(l) || rotation_list(path, alias, &rotated, &count) < 0) {
        return -1;
    }
    if (l->live && !filter.wanted(filter.arg, &live)) {
        l->live = false;
        l->foreign = (struct inode){live.dev, live.ino};
    }
    l->files = calloc(1 + count + STRAYS, sizeof(*l->files));
    if (!l->files || (l->live && !(live.path = strdup(path)))) {
        die_out_of_memory();
    }
    if (l->live) {
        l->files[l->count++].at = live;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_live_file(l, &rotated[i]) || !filter.wanted(filter.arg, &rotated[i])) {
            free(rotated[i].path);
        } else {
            l->files[l->count++].at = rotated[i];
        }
    }
    free(rotated); /* the paths are ours now */
    for (size_t i = 0; strays && i < strays->count; i++) {
        add_stray(l, strays->path[i]);
    }
    return 0;
}

/* Closes the newest open file other than `i`, where as many are open as may be. */
static void make_room(struct listing *l, size_t i)
{
    size_t open = 0;
    struct listed *newest = NULL;
    for (size_t j = 0; j < l->count; j++) {
        if (l->files[j].seg && j != i) {
            open++;
            newest = newest ? newest : &l->files[j];
        }
    }
    if (newest && open >= l->most) {
        segment_close(newest->seg);
        newest->seg = NULL;
    }
}

struct segment *listing_open(struct listing *l, size_t i)
{
    struct listed *file = &l->files[i];
    struct error err;
    if (file->seg) {
        return file->seg;
    }
    make_room(l, i);
    file->seg = segment_open(file->at.path, &err);
    file->fault = file->seg ? 0 : errno;
    if (file->seg) {
        file->seg->inside = file->at.name.inside;
    }
    if (file->seg && !same_inode(&file->seg->id, file->at.dev, file->at.ino)) {
        segment_close(file->seg); /* another file has the name by now */
        file->seg = NULL;
        file->fault = ENOENT;
    }
    return file->seg;
}

void listing_close(struct listing *l, size_t count)
{
    for (size_t i = count; i < l->count; i++) {
        segment_close(l->files[i].seg);
        l->files[i].seg = NULL;
    }
}

static bool is_among(const struct generation *gen, const struct listing *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (generation_same(gen, &l->files[i].at)) {
            return true;
        }
    }
    return false;
}

/* In any order: see listing_arrange. */
bool listing_holds(const struct listing *l, const char *path, const char *alias)
{
    struct listing now;
    bool same = listing_read(&now, path, alias, 0, l->filter, l->strays) == 0 && now.count == l->count;
    for (size_t i = 0; same && i < l->count; i++) {
        same = generation_same(&now.files[i].at, &l->files[i].at) || is_among(&now.files[i].at, l);
    }
    listing_free(&now);
    return same;
}

size_t listing_newer(const struct listing *l, int64_t mtime_ns)
{
    size_t n = 0;
    for (; n < l->count; n++) {
        const struct generation *at = &l->files[n].at;
        bool made_since = !at->name.packed && at->birth_ns >= mtime_ns;
        if (at->mtime_ns < mtime_ns || (at->mtime_ns == mtime_ns && !made_since)) {
            break;
        }
    }
    return n;
}

size_t listing_made_since(const struct listing *l, int64_t saved_ns)
{
    size_t n = 0;
    while (saved_ns > 0 && n < l->count && rotation_made_since(&l->files[n].at, saved_ns)) {
        n++;
    }
    return n;
}

/* Is the file, where it matches, a likelier one than the best up to now? Of several the oldest that was written
 * to since: those before it were complete by then. One that was last written to before the position was taken
 * may begin alike only: a copy is newer, and gzip and zstd keep the time, some of it whole seconds. It is taken where
 * there is no other, and may_be_older. */
static bool is_likelier(const struct listing *l, size_t i, ssize_t best, int64_t noted_ns)
{
    int64_t mtime = l->files[i].at.mtime_ns;
    if (best < 0) {
        return true;
    }
    return mtime > noted_ns ||
           (mtime > noted_ns - NS_PER_S && l->files[best].at.mtime_ns <= noted_ns - NS_PER_S);
}

/* May the file be one that was last written to before the position was taken? The clock may have been set back:
 * where so much is known of the file that no other begins so, or the log itself seems older than the position. */
static bool may_be_older(const struct listing *l, const struct file_pos *pos)
{
    bool back = l->live && l->files[0].at.mtime_ns < pos->mtime_ns;
    return pos->tail.len > 0 && (pos->file.head_len == FILE_ID_HEAD || back);
}

/* Was it another one only because its end is not there yet? */
static bool may_become_it(const struct segment *seg, enum segment_match match)
{
    return match == SEGMENT_OTHER && seg && seg->archive && archive_growing(seg->archive);
}

/* A damaged one only where there is no other. */
ssize_t listing_find_content(struct listing *l, size_t from, const struct file_pos *pos)
{
    ssize_t best = -1, damaged = -1, growing = -1;
    for (size_t i = from; i < l->count; i++) {
        bool older = l->files[i].at.mtime_ns <= pos->mtime_ns - NS_PER_S;
        struct segment *seg = older && !may_be_older(l, pos) ? NULL : listing_open(l, i);
        enum segment_match match = seg ? segment_match_at(seg, pos) : SEGMENT_OTHER;
        if (match == SEGMENT_SAME && is_likelier(l, i, best, pos->mtime_ns)) {
            best = (ssize_t)i;
        }
        growing = may_become_it(seg, match) ? (ssize_t)i : growing;
        if (match == SEGMENT_DAMAGED && damaged < 0 && !older) {
            damaged = (ssize_t)i;
        }
    }
    if (best < 0 && growing >= 0) {
        l->files[growing].fault = EINPROGRESS;
        return -1;
    }
    return best >= 0 ? best : damaged;
}

/* The order among them is turned round, too: it was the wrong one. None is newer than the log itself. */
size_t listing_arrange(struct listing *l, size_t at, const struct file_pos *pos)
{
    size_t moved = 0;
    for (size_t i = at + 1; i < l->count && !(l->live && at == 0); i++) {
        struct listed file = l->files[i];
        if (file.at.unsure && rotation_made_since(&file.at, pos->mtime_ns)) {
            memmove(&l->files[at + 1], &l->files[at], (i - at) * sizeof(*l->files));
            l->files[at] = file;
            moved++;
        }
    }
    return moved;
}

void listing_free(struct listing *l)
{
    listing_close(l, 0);
    for (size_t i = 0; i < l->count; i++) {
        free(l->files[i].at.path);
    }
    free(l->files);
    *l = (struct listing){0};
}
