/* Opening the output file, and finding where the saved checkpoint left it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "file.h"

#define HEAD_SURE 64 /* bytes of content that make a file known by them alone */

/* -- opening ----------------------------------------------------------------------------------- */

static int open_failed(const struct file_sink *s, const char *name, struct error *err)
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
    return error_set(err, "cannot open the output %s/%s: %s%s", s->dir, name, strerror(errno), hint);
}

/* Two collectors in one file would each cut off what the other wrote. */
static int lock(const struct file_sink *s, const char *name, int fd, struct error *err)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return 0;
    }
    if (errno == EWOULDBLOCK) {
        return error_set(
            err, "another process (a second collector?) writes %s/%s: each needs a file.path of its own",
            s->dir, name);
    }
    if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS) {
        log_warn("this file system has no locks: see to it that no second collector writes this file",
                 KV("file", s->path));
        return 0;
    }
    return error_set(err, "cannot lock %s/%s: %s", s->dir, name, strerror(errno));
}

bool output_is_at(const struct file_sink *s, const char *name, const struct output *out)
{
    struct stat st;
    return fstatat(s->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == out->id.ino &&
           st.st_dev == out->id.dev;
}

/* 1: opened; 0: it was moved away meanwhile; -1. */
static int try_open(struct file_sink *s, const char *name, int flags, struct output *out, struct error *err)
{
    struct stat st;
    int fd =
        openat(s->dirfd, name,
               O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0640);
    if (fd < 0) {
        return open_failed(s, name, err);
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(err, "the output %s/%s is no regular file: set file.path, or use sink stdout",
                         s->dir, name);
    }
    if (lock(s, name, fd, err) < 0) {
        close(fd);
        return -1;
    }
    *out = (struct output){.fd = fd,
                           .length = (uint64_t)st.st_size,
                           .id = {.dev = st.st_dev, .ino = st.st_ino},
                           .birth_ns = fd_birth(fd)};
    out->since_ns = out->birth_ns ? out->birth_ns : clock_now();
    if (!output_is_at(s, name, out)) {
        close(fd);
        return 0;
    }
    return 1;
}

int output_open(struct file_sink *s, const char *name, int flags, struct output *out, struct error *err)
{
    for (int tries = 0; tries < 10; tries++) {
        int result = try_open(s, name, flags, out, err);
        if (result != 0) {
            return result < 0 ? -1 : 0;
        }
    }
    return error_set(err, "the output %s/%s is moved away each time it is opened", s->dir, name);
}

void output_close(struct output *out)
{
    if (out->fd >= 0) {
        close(out->fd);
        out->fd = -1;
    }
}

/* -- which file it is -------------------------------------------------------------------------- */

/* The hash of the first len bytes. 0, or -1: the file has not so many, or errno. */
static int hash_head(int fd, uint32_t len, uint64_t *hash)
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
    if (hash_head(out->fd, len, &out->id.head_hash) < 0) {
        return -1;
    }
    out->id.head_len = len;
    return 0;
}

/* Is this the file that the checkpoint means? Inodes are used again, so its content must agree; where there
 * is too little of that to be sure, its birth. */
static bool is_known(int fd, const struct file_pos *known)
{
    uint64_t hash = 0;
    if (hash_head(fd, known->file.head_len, &hash) < 0 ||
        (known->file.head_len > 0 && hash != known->file.head_hash)) {
        return false;
    }
    int64_t birth = known->file.head_len < HEAD_SURE ? fd_birth(fd) : 0;
    return !birth || !known->mtime_ns || birth == known->mtime_ns;
}

/* -- recovery ---------------------------------------------------------------------------------- */

static int cut(const struct file_sink *s, const char *name, int fd, uint64_t length, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return error_set(err, "cannot look at %s/%s: %s", s->dir, name, strerror(errno));
    }
    if ((uint64_t)st.st_size < length) {
        log_error("the output file was shortened: bytes that were delivered are gone from it, and do not "
                  "come again",
                  KV("file", name), KN("bytes", length - (uint64_t)st.st_size));
    } else if ((uint64_t)st.st_size > length) {
        if (ftruncate(fd, (off_t)length) < 0 || fsync(fd) < 0) {
            return error_set(err, "cannot cut %s/%s to %llu bytes, which exactly once needs: %s", s->dir,
                             name, (unsigned long long)length, strerror(errno));
        }
        log_info("cut off what the last checkpoint does not know; it is written again", KV("file", name),
                 KN("bytes", (uint64_t)st.st_size - length));
    }
    return 0;
}

/* Looks at one name of the directory. 1: it was the file, and is cut; 0: it is not; -1. */
static int cut_if_known(struct file_sink *s, const char *name, const struct file_pos *known,
                        struct error *err)
{
    struct stat st;
    if (fstatat(s->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        st.st_ino != known->file.ino) {
        return 0;
    }
    int fd = openat(s->dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, "cannot open %s/%s, which holds the last output: %s", s->dir, name,
                         strerror(errno));
    }
    int result = is_known(fd, known) ? 1 : 0;
    if (result == 1 && cut(s, name, fd, known->offset, err) < 0) {
        result = -1;
    }
    close(fd);
    return result;
}

/* The file was moved away: by a rotation that was cut short, or by somebody else's. */
static int recover_moved(struct file_sink *s, const struct file_pos *known, struct error *err)
{
    int result = 0, fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        error_set(err, "cannot list %s to find the last output: %s", s->dir, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    for (struct dirent *e; result == 0 && (e = readdir(dir));) {
        result = cut_if_known(s, e->d_name, known, err);
    }
    closedir(dir);
    return result;
}

/* As cut_if_known, for the file at the path. A copy of it (a restored volume) has another inode. */
static int recover_here(struct file_sink *s, const struct file_pos *known, struct error *err)
{
    bool same = s->out.id.ino == known->file.ino;
    bool shortened = same && s->out.length < known->file.head_len;
    bool copy = !same && known->file.head_len >= HEAD_SURE && s->out.length >= known->offset;
    if (!shortened && !((same || copy) && is_known(s->out.fd, known))) {
        return 0;
    }
    if (cut(s, s->name, s->out.fd, known->offset, err) < 0) {
        return -1;
    }
    s->out.length = known->offset < s->out.length ? known->offset : s->out.length;
    s->settled = same && s->out.id.dev == known->file.dev && s->out.length == known->offset;
    return 1;
}

/* Foreign text may end in the middle of a line: ours begins on a line of its own. */
static int look_for_torn_line(struct file_sink *s, struct error *err)
{
    char last;
    if (s->out.length == 0) {
        return 0;
    }
    if (pread(s->out.fd, &last, 1, (off_t)s->out.length - 1) != 1) {
        return error_set(err, "cannot read the end of %s: %s", s->path, strerror(errno));
    }
    s->torn = last != '\n';
    return 0;
}

int output_recover(struct file_sink *s, struct error *err)
{
    const struct file_pos *output = checkpoint_output(s->env.checkpoint);
    int found = 1;
    if (output) {
        struct file_pos known = *output;
        found = recover_here(s, &known, err);
        if (found == 0) {
            found = recover_moved(s, &known, err);
        }
        if (found == 0) {
            log_error("the output file that was written last is gone; going on in a new one. What it got "
                      "after the last "
                      "checkpoint comes again",
                      KV("file", s->path), KN("bytes", known.offset));
        }
    }
    return found < 0 ? -1 : look_for_torn_line(s, err);
}
