#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SIZE_LIMIT (256L << 20) /* bytes; what is larger was not written by us */

/* -- writing ----------------------------------------------------------------------------------- */

static int sync_directory(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int result = fsync(fd);
    close(fd);
    return result;
}

/* Behind the path, where the text that is to replace the file is written first. No two processes ever have the same
 * one: where locks are not to be had, neither renames what the other has half written. */
#define NEW_SUFFIX ".new."
#define NEW_UNIQUE "XXXXXX"

/* Fills in the name of the new file. 0 or -1 (errno): there is none. */
static int write_new(const char *path, char fresh[PATH_MAX], int (*write)(void *arg, int fd), void *arg)
{
    snprintf(fresh, PATH_MAX, "%s" NEW_SUFFIX NEW_UNIQUE, path);
    int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int why = write(arg, fd) < 0 || fsync(fd) < 0 ? errno : 0;
    if (close(fd) < 0 && why == 0) {
        why = errno;
    }
    if (why != 0) {
        unlink(fresh); /* half of it is of no use, and takes room on a full disk */
        errno = why;
        return -1;
    }
    return 0;
}

int store_write(const char *path, int (*write)(void *arg, int fd), void *arg, struct error *err)
{
    char fresh[PATH_MAX];
    if (write_new(path, fresh, write, arg) < 0) {
        return error_set(err, "cannot write the checkpoint %s anew beside it: %s", path, strerror(errno));
    }
    if (rename(fresh, path) < 0) {
        int why = errno;
        unlink(fresh);
        return error_set(err, "cannot write the checkpoint %s: rename: %s", path, strerror(why));
    }
    if (sync_directory(path) < 0) {
        return error_set(err, "cannot fsync the directory of %s: %s", path, strerror(errno));
    }
    return 0;
}

/* -- reading ----------------------------------------------------------------------------------- */

int store_map(const char *path, struct slice *text, struct error *err)
{
    struct stat st;
    int result = -1, fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP) { /* a lock is had of one name alone */
        error_set(err, "the checkpoint %s is a link: checkpoint.path must name the file itself", path);
        return error_exit(err, EXIT_CONFIG);
    }
    if (fd < 0) {
        return errno == ENOENT ? 0
                               : error_set(err, "cannot open the checkpoint %s: %s", path, strerror(errno));
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SIZE_LIMIT) {
        error_set(err, "the checkpoint %s is not a file of ours: set checkpoint.path", path);
    } else if (st.st_size == 0) {
        *text = SLICE("");
        result = 1;
    } else {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        *text = slice_of(at, (size_t)st.st_size);
        result =
            at == MAP_FAILED ? error_set(err, "cannot read the checkpoint %s: %s", path, strerror(errno)) : 1;
    }
    close(fd);
    return result;
}

void store_passed(struct slice text, const char *at)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)text.ptr & ~(page - 1);
    uintptr_t to = (uintptr_t)at & ~(page - 1);
    if (to > from) {
        madvise((void *)from, to - from, MADV_DONTNEED);
    }
}

void store_unmap(struct slice text)
{
    if (text.len > 0) {
        munmap((void *)text.ptr, text.len);
    }
}

int store_set_aside(const char *path, char aside[PATH_MAX], struct error *err)
{
    long long seconds = (long long)time(NULL);
    do {
        snprintf(aside, PATH_MAX, "%s.corrupt-%lld", path, seconds++);
    } while (access(aside, F_OK) == 0);
    if (rename(path, aside) < 0) {
        return error_set(err, "the checkpoint %s is damaged and cannot be renamed to %s: %s", path, aside,
                         strerror(errno));
    }
    return 0;
}

static int write_nothing(void *arg, int fd)
{
    (void)arg, (void)fd;
    return 0;
}

int store_make_directory(const char *path, struct error *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    const char *dir = dirname(copy);
    if (mkdir(dir, 0750) < 0) {
        return errno == EEXIST ? 0
                               : error_set(err, "cannot make the directory %s of checkpoint.path: %s", dir,
                                           strerror(errno));
    }
    /* The checkpoint is on the disk when its directory is. */
    if (sync_directory(dir) < 0 && errno != EACCES) { /* that one may be written, but not read */
        return error_set(err, "cannot fsync the directory that %s is in: %s", dir, strerror(errno));
    }
    return 0;
}

/* Is it what a process left that was killed amid a save? Older versions wrote NAME.new. */
static bool is_left(const char *entry, const char *name)
{
    size_t len = strlen(name);
    if (strncmp(entry, name, len) != 0) {
        return false;
    }
    const char *rest = entry + len;
    return strcmp(rest, ".new") == 0 || (strncmp(rest, NEW_SUFFIX, strlen(NEW_SUFFIX)) == 0 &&
                                         strlen(rest) == strlen(NEW_SUFFIX NEW_UNIQUE));
}

/* Where there are no locks, another process may be about to rename one of them: it fails, and saves again. */
static void remove_left(const char *path)
{
    char copy[PATH_MAX], name[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    snprintf(name, sizeof(name), "%s", path);
    const char *base = basename(name);
    DIR *dir = opendir(dirname(copy));
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (is_left(e->d_name, base)) {
            unlinkat(dirfd(dir), e->d_name, 0);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

int store_check(const char *path, struct error *err)
{
    char probe[PATH_MAX];
    remove_left(path);
    if (write_new(path, probe, write_nothing, NULL) == 0) {
        unlink(probe);
    } else if (errno != ENOSPC && errno != EDQUOT) {
        return error_set(err,
                         "cannot write beside %s: %s; make its directory writable, or set checkpoint.path",
                         path, strerror(errno));
    }
    return 0;
}
