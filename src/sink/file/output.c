#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/log.h"

#define WRITEBACK_EACH (1 << 20) /* bytes */

/* -- opening ----------------------------------------------------------------------------------- */

static int open_failed(const struct location *at, const char *name, struct error *err)
{
    const char *hint = "";
    switch (errno) {
    case ELOOP:
        hint = ": it is a symbolic link; file.path must name the file itself";
        break;
    case EISDIR:
        hint = ": it is a directory; file.path must name a file";
        break;
    case EACCES:
    case EPERM:
        hint = ": this user may not write there";
        break;
    }
    return error_set(err, "cannot open the output %s/%s: %s%s", at->dir, name, strerror(errno), hint);
}

int output_lock(const struct location *at, const char *name, int fd, struct error *err)
{
    static bool said_no_locks;
    char who[32] = "";
    pid_t pid;
    switch (lock_take(fd)) {
    case LOCK_TAKEN:
        return 0;
    case LOCK_NONE:
        if (!said_no_locks) { /* each rotation opens another file */
            said_no_locks = true;
            log_warn("this file system has no locks: see to it that no second collector writes this file",
                     KV("file", at->path));
        }
        return 0;
    case LOCK_HELD:
        pid = lock_holder(fd);
        if (pid > 0) {
            snprintf(who, sizeof(who), ", pid %d", (int)pid);
        }
        error_set(err,
                  "another process (a second collector%s) writes %s/%s: end it, or give each a file.path of "
                  "its own",
                  who, at->dir, name);
        return error_exit(err, EXIT_LOCKED);
    case LOCK_FAILED:
        break;
    }
    return error_set(err, "cannot lock %s/%s: %s", at->dir, name, strerror(errno));
}

bool output_is_at(const struct location *at, const char *name, const struct output *out)
{
    struct stat st;
    return fstatat(at->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == out->id.ino &&
           st.st_dev == out->id.dev;
}

void output_close(struct output *out)
{
    if (out->fd >= 0) {
        close(out->fd);
        out->fd = -1;
    }
}

/* 1: opened; 0: it was moved away meanwhile; -1 (err). */
static int try_open(const struct location *at, const char *name, int flags, struct output *out,
                    struct error *err)
{
    struct stat st;
    int fd =
        openat(at->dirfd, name,
               O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0640);
    if (fd < 0) {
        return open_failed(at, name, err);
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(err, "the output %s/%s is no regular file: set file.path, or use sink stdout",
                         at->dir, name);
    }
    if (output_lock(at, name, fd, err) < 0) {
        close(fd);
        return -1;
    }
    *out = (struct output){.fd = fd,
                           .length = (uint64_t)st.st_size,
                           .id = {.dev = st.st_dev, .ino = st.st_ino},
                           .birth_ns = fd_birth(fd)};
    out->since_ns = out->birth_ns ? out->birth_ns : clock_now();
    if (!output_is_at(at, name, out)) {
        output_close(out);
        return 0;
    }
    return 1;
}

int output_open(const struct location *at, const char *name, int flags, struct output *out, struct error *err)
{
    for (int tries = 0; tries < 10; tries++) {
        int result = try_open(at, name, flags, out, err);
        if (result != 0) {
            return result < 0 ? -1 : 0;
        }
    }
    return error_set(err, "the output %s/%s is moved away each time it is opened", at->dir, name);
}

/* -- changing it ------------------------------------------------------------------------------- */

/* A hint to the kernel; the fsync says what went wrong. */
static void begin_writeback(struct output *out, size_t written)
{
    out->unflushed += written;
    if (out->unflushed >= WRITEBACK_EACH) {
        sync_file_range(out->fd, (off_t)(out->length - out->unflushed), (off_t)out->unflushed,
                        SYNC_FILE_RANGE_WRITE);
        out->unflushed = 0;
    }
}

static void count_written(struct output *out, size_t n)
{
    if (out->length == 0 && n > 0) {
        out->since_ns = clock_now();
    }
    out->length += n;
    begin_writeback(out, n);
}

ssize_t output_write(struct output *out, const struct iovec *iov, int count)
{
    ssize_t n = writev(out->fd, iov, count);
    if (n == 0) { /* POSIX leaves room for it */
        errno = EIO;
        return -1;
    }
    if (n > 0) {
        count_written(out, (size_t)n);
    }
    return n;
}

ssize_t output_end_line(struct output *out)
{
    ssize_t n = write(out->fd, "\n", 1);
    if (n >= 0) {
        count_written(out, (size_t)n);
        out->torn = false;
    }
    return n;
}

int output_truncate(struct output *out, uint64_t length)
{
    if (ftruncate(out->fd, (off_t)length) < 0) {
        return -1;
    }
    out->length = length;
    return 0;
}

void output_resized(struct output *out, uint64_t length)
{
    out->length = length;
    out->id.head_len = 0;
}

/* -- what it holds ----------------------------------------------------------------------------- */

int output_check_end(struct output *out)
{
    char last;
    if (out->length == 0) {
        return 0;
    }
    if (pread(out->fd, &last, 1, (off_t)out->length - 1) != 1) {
        return -1;
    }
    out->torn = last != '\n';
    return 0;
}

int output_hash_head(int fd, uint32_t len, uint64_t *hash)
{
    char head[FILE_ID_HEAD];
    uint32_t have = 0;
    while (have < len) {
        ssize_t n = pread(fd, head + have, len - have, have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n < 0 ? errno : ENODATA;
            return -1;
        }
        have += (uint32_t)n;
    }
    *hash = XXH3_64bits(head, len);
    return 0;
}

int output_identify(struct output *out, uint64_t length)
{
    uint32_t len = length < FILE_ID_HEAD ? (uint32_t)length : FILE_ID_HEAD;
    if (len == out->id.head_len) {
        return 0;
    }
    if (output_hash_head(out->fd, len, &out->id.head_hash) < 0) {
        return -1;
    }
    out->id.head_len = len;
    return 0;
}
