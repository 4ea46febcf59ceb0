#include "dir_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "source/log/rotation_name.h"

/* Within a tick of the clock that file systems take their times from, a directory may change twice and bear one time.
 * Some know whole seconds only, or two of them. */
#define TICK        (50 * NS_PER_MS)
#define COARSE_TICK (3 * NS_PER_S)

/* Logs that links lead to look in two directories in turn, the target's and the link's own: the latter is to stay
 * while thousands of others come and go. */
#define KEPT 4

/* The directories that were asked for last. */
static struct listed {
    char *path; /* NULL: none */
    struct stat st;
    int64_t listed_ns; /* wall clock, as file systems have it */
    struct buf names;
    const char **sorted; /* they point into names */
    size_t count;
    uint64_t used; /* the number of the call that asked for it last */
} kept[KEPT];

static bool is_settled(const struct listed *listed)
{
    int64_t tick = listed->st.st_mtim.tv_nsec == 0 ? COARSE_TICK : TICK;
    return listed->listed_ns - clock_of_timespec(listed->st.st_mtim) >= tick;
}

static bool is_unchanged(const struct listed *listed, const struct stat *st)
{
    return st->st_ino == listed->st.st_ino && st->st_dev == listed->st.st_dev &&
           st->st_mtim.tv_sec == listed->st.st_mtim.tv_sec &&
           st->st_mtim.tv_nsec == listed->st.st_mtim.tv_nsec;
}

static bool is_current(const struct listed *listed, const char *dir)
{
    struct stat st;
    return listed->path && strcmp(listed->path, dir) == 0 && is_settled(listed) && stat(dir, &st) == 0 &&
           is_unchanged(listed, &st);
}

/* What is kept of the directory; else the one that was asked for longest ago, or none, to be replaced. */
static struct listed *find(const char *dir)
{
    struct listed *oldest = kept;
    for (size_t i = 0; i < KEPT; i++) {
        if (kept[i].path && strcmp(kept[i].path, dir) == 0) {
            return &kept[i];
        }
        oldest = kept[i].used < oldest->used ? &kept[i] : oldest;
    }
    return oldest;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of the names, which are all read. */
static void sort(struct listed *listed)
{
    const char **grown = realloc(listed->sorted, (listed->count + 1) * sizeof(*grown)); /* never of 0 */
    if (!grown) {
        die_out_of_memory();
    }
    const char *name = listed->names.data;
    for (size_t i = 0; i < listed->count; i++) {
        grown[i] = name;
        name += strlen(name) + 1;
    }
    listed->sorted = grown;
    qsort(grown, listed->count, sizeof(*grown), compare);
}

/* 0, or errno. */
static int read_names(struct listed *listed, DIR *dir)
{
    struct dirent *entry;
    struct rotated_name rotated;
    listed->names.len = 0;
    listed->count = 0;
    listed->listed_ns = clock_now();
    if (fstat(dirfd(dir), &listed->st) < 0) {
        return errno;
    }
    while ((errno = 0, entry = readdir(dir))) {
        if (!rotation_parse(entry->d_name, &rotated)) {
            continue;
        }
        if (buf_add(&listed->names, entry->d_name, strlen(entry->d_name) + 1) < 0) {
            die_out_of_memory();
        }
        listed->count++;
    }
    return errno; /* it may end early */
}

/* 0, or errno: then nothing is kept of it. */
static int list(struct listed *listed, const char *dir)
{
    free(listed->path);
    listed->path = NULL;
    DIR *open = opendir(dir);
    int why = open ? read_names(listed, open) : errno;
    if (open) {
        closedir(open);
    }
    if (why == 0) {
        sort(listed);
        listed->path = strdup(dir); /* else it is listed anew */
    }
    return why;
}

/* The first of the names that comes not before those that begin so. */
static size_t first_of(const struct listed *listed, const char *beginning, size_t len)
{
    size_t low = 0, high = listed->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strncmp(listed->sorted[mid], beginning, len) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

const char *const *dir_names_rotated(const char *dir, const char *beginning, size_t len, size_t *count)
{
    static uint64_t calls;
    struct listed *listed = find(dir);
    listed->used = ++calls;
    int why = is_current(listed, dir) ? 0 : list(listed, dir);
    if (why) {
        errno = why;
        return NULL;
    }
    size_t first = first_of(listed, beginning, len), end = first;
    while (end < listed->count && strncmp(listed->sorted[end], beginning, len) == 0) {
        end++;
    }
    *count = end - first;
    return listed->sorted + first;
}
