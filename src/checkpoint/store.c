#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
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

/* Where the text that is to replace the file is written first. */
static void new_path(const char *path, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s.new", path);
}

static int write_new(const char *path, int (*write)(void *arg, int fd), void *arg)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    if (write(arg, fd) < 0 || fsync(fd) < 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return close(fd);
}

int store_write(const char *path, int (*write)(void *arg, int fd), void *arg, struct error *err)
{
    char fresh[PATH_MAX];
    new_path(path, fresh);
    if (write_new(fresh, write, arg) < 0 || rename(fresh, path) < 0) {
        int why = errno;
        unlink(fresh); /* half of it is of no use, and takes room on a full disk */
        return error_set(err, "cannot write the checkpoint %s: %s", fresh, strerror(why));
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
    if (mkdir(dir, 0750) < 0 && errno != EEXIST) {
        return error_set(err, "cannot make the directory %s of checkpoint.path: %s", dir, strerror(errno));
    }
    return 0;
}

int store_check(const char *path, struct error *err)
{
    char probe[PATH_MAX];
    new_path(path, probe);
    if (write_new(probe, write_nothing, NULL) < 0 && errno != ENOSPC && errno != EDQUOT) {
        return error_set(err, "cannot write %s: %s; make its directory writable, or set checkpoint.path",
                         probe, strerror(errno));
    }
    unlink(probe);
    return 0;
}
