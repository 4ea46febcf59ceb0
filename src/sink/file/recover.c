#include "recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/metrics.h"

#define HEAD_SURE 64 /* bytes of content that make a file known by them alone */

/* Is this the file that the checkpoint means? Inodes are reused, so the content must agree; where there is
 * too little of it to be sure, the time of birth must agree, too. */
static bool is_known(int fd, const struct file_pos *known)
{
    uint64_t hash = 0;
    if (output_hash_head(fd, known->file.head_len, &hash) < 0 ||
        (known->file.head_len > 0 && hash != known->file.head_hash)) {
        return false;
    }
    int64_t birth = known->file.head_len < HEAD_SURE ? fd_birth(fd) : 0;
    return !birth || !known->mtime_ns || birth == known->mtime_ns;
}

static int cut(const struct location *at, const char *name, int fd, uint64_t length, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return error_set(err, "cannot look at %s/%s: %s", at->dir, name, strerror(errno));
    }
    if ((uint64_t)st.st_size < length) {
        metrics.output_shortened++;
        log_error("the output file was shortened: bytes that were delivered are gone from it, and do not "
                  "come again",
                  KV("file", name), KN("bytes", length - (uint64_t)st.st_size));
    } else if ((uint64_t)st.st_size > length) {
        if (ftruncate(fd, (off_t)length) < 0 || fsync(fd) < 0) {
            return error_set(err, "cannot cut %s/%s to %llu bytes, which exactly once needs: %s", at->dir,
                             name, (unsigned long long)length, strerror(errno));
        }
        log_info("cut off what the last checkpoint does not know; it is written again", KV("file", name),
                 KN("bytes", (uint64_t)st.st_size - length));
    }
    return 0;
}

/* Looks at one name of the directory. 1: it was the file, and is cut; 0: it is not; -1. */
static int cut_if_known(const struct location *at, const char *name, const struct file_pos *known,
                        struct error *err)
{
    struct stat st;
    if (fstatat(at->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        st.st_ino != known->file.ino) {
        return 0;
    }
    int fd = openat(at->dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, "cannot open %s/%s, which holds the last output: %s", at->dir, name,
                         strerror(errno));
    }
    int result = is_known(fd, known) ? 1 : 0;
    /* Whoever writes it still has moved it away itself, or had it moved. */
    if (result == 1 && (output_lock(at, name, fd, err) < 0 || cut(at, name, fd, known->offset, err) < 0)) {
        result = -1;
    }
    close(fd);
    return result;
}

/* The file was moved away: by a rotation that was cut short, or by somebody else's. */
static int recover_moved(const struct location *at, const struct file_pos *known, struct error *err)
{
    int result = 0, fd = openat(at->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        error_set(err, "cannot list %s to find the last output: %s", at->dir, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    for (struct dirent *e; result == 0 && (e = readdir(dir));) {
        result = cut_if_known(at, e->d_name, known, err);
    }
    closedir(dir);
    return result;
}

/* As cut_if_known, for the file at the path. A copy of it (a restored volume) has another inode. */
static int recover_here(const struct location *at, const struct file_pos *known, struct output *out,
                        bool *settled, struct error *err)
{
    bool same = out->id.ino == known->file.ino;
    bool shortened = same && out->length < known->file.head_len;
    bool copy = !same && known->file.head_len >= HEAD_SURE && out->length >= known->offset;
    if (!shortened && !((same || copy) && is_known(out->fd, known))) {
        return 0;
    }
    if (cut(at, at->name, out->fd, known->offset, err) < 0) {
        return -1;
    }
    output_resized(out, known->offset < out->length ? known->offset : out->length);
    *settled = same && out->id.dev == known->file.dev && out->length == known->offset;
    return 1;
}

/* Finds the file that the checkpoint means, and cuts it. 0 or -1. */
static int recover_known(const struct location *at, const struct file_pos *known, struct output *out,
                         bool *settled, struct error *err)
{
    int found = recover_here(at, known, out, settled, err);
    if (found == 0) {
        found = recover_moved(at, known, err);
    }
    if (found == 0) {
        metrics.output_shortened++;
        log_error("the output file that was written last is gone; going on in a new one. What it got after "
                  "the last checkpoint comes again",
                  KV("file", at->path), KN("bytes", known->offset));
    }
    return found < 0 ? -1 : 0;
}

int recover_output(const struct location *at, const struct file_pos *known, struct output *out, bool *settled,
                   struct error *err)
{
    *settled = false;
    if (known && recover_known(at, known, out, settled, err) < 0) {
        return -1;
    }
    if (output_check_end(out) < 0) {
        return error_set(err, "cannot read the end of %s: %s", at->path, strerror(errno));
    }
    return 0;
}
