#include "dir_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
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

/* The directory that was listed last. */
static struct {
    char *path; /* NULL: none */
    struct stat st;
    int64_t listed_ns; /* wall clock, as file systems have it */
    struct buf names;
} last;

static bool is_settled(void)
{
    int64_t tick = last.st.st_mtim.tv_nsec == 0 ? COARSE_TICK : TICK;
    return last.listed_ns - clock_of_timespec(last.st.st_mtim) >= tick;
}

static bool is_unchanged(const struct stat *st)
{
    return st->st_ino == last.st.st_ino && st->st_dev == last.st.st_dev &&
           st->st_mtim.tv_sec == last.st.st_mtim.tv_sec && st->st_mtim.tv_nsec == last.st.st_mtim.tv_nsec;
}

static bool is_known(const char *dir)
{
    struct stat st;
    return last.path && strcmp(last.path, dir) == 0 && is_settled() && stat(dir, &st) == 0 &&
           is_unchanged(&st);
}

/* 0, or errno. */
static int read_names(DIR *dir)
{
    struct dirent *entry;
    struct rotated_name rotated;
    last.names.len = 0;
    last.listed_ns = clock_now();
    if (fstat(dirfd(dir), &last.st) < 0) {
        return errno;
    }
    while ((errno = 0, entry = readdir(dir))) {
        if (rotation_parse(entry->d_name, &rotated) &&
            buf_add(&last.names, entry->d_name, strlen(entry->d_name) + 1) < 0) {
            die_out_of_memory();
        }
    }
    return errno; /* it may end early */
}

const char *dir_names_rotated(const char *dir, size_t *len)
{
    if (!is_known(dir)) {
        free(last.path);
        last.path = NULL;
        DIR *open = opendir(dir);
        int why = open ? read_names(open) : errno;
        if (open) {
            closedir(open);
        }
        if (why) {
            errno = why;
            return NULL;
        }
        last.path = strdup(dir); /* else it is listed anew */
    }
    *len = last.names.len;
    return last.names.data ? last.names.data : "";
}
