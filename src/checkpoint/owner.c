#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"

#define WHO_MAX 128

/* For whoever comes second; on a full disk they are told less. */
static void write_who(int fd)
{
    char who[WHO_MAX], host[65] = "";
    gethostname(host, sizeof(host) - 1);
    int len = snprintf(who, sizeof(who), "pid %d on host %s\n", (int)getpid(), host);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, who, (size_t)len, 0) != len) {
        log_debug("cannot write who keeps the checkpoint", KV("error", strerror(errno)));
    }
}

static int is_held(const char *lock, int fd, const char *path, struct error *err)
{
    char who[WHO_MAX] = "";
    ssize_t n = pread(fd, who, sizeof(who) - 1, 0);
    who[n > 0 ? n : 0] = '\0';
    who[strcspn(who, "\n")] = '\0';
    error_set(
        err,
        "another sidetail (%s) keeps its positions in %s, and has locked %s: end that one, or give each "
        "collector a checkpoint.path of its own",
        *who ? who : "it does not say which", path, lock);
    return error_exit(err, EXIT_LOCKED);
}

/* A lock that is there and cannot be opened stands for positions that are there: to read all again would be wrong. */
static int not_open(const char *lock, struct error *err)
{
    int why = errno;
    struct stat st;
    if (why == EACCES && lstat(lock, &st) == 0) {
        error_set(err, "cannot open %s, which is user %u's: give it to user %u, as the checkpoint (chown)",
                  lock, (unsigned)st.st_uid, (unsigned)geteuid());
        return error_exit(err, EXIT_CONFIG);
    }
    return error_set(err, "cannot open %s: %s; make its directory writable, or set checkpoint.path", lock,
                     strerror(why));
}

/* A start is possible all the same, as with a full disk that cannot take the positions. */
static int no_room(const char *lock, bool again)
{
    if (!again) {
        log_warn("no room for the lock of the checkpoint: see to it that no second collector keeps its "
                 "positions here",
                 KV("lock", lock));
    }
    return 0;
}

/* Some kernels refuse O_CREAT for another's file in a directory such as /tmp: it is asked for last. */
static int open_lock(const char *lock)
{
    int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = open(lock, flags);
    return fd >= 0 || errno != ENOENT ? fd : open(lock, flags | O_CREAT, 0600);
}

static int take(struct owner *o, const char *lock, const char *path, struct error *err)
{
    bool again = o->lost;
    o->fd = open_lock(lock);
    o->lost = o->fd < 0;
    if (o->lost) {
        return errno == ENOSPC || errno == EDQUOT ? no_room(lock, again) : not_open(lock, err);
    }
    int result = 0;
    switch (lock_take(o->fd)) {
    case LOCK_TAKEN:
        write_who(o->fd);
        return 0;
    case LOCK_NONE:
        log_warn("this file system has no locks: see to it that no second collector keeps its positions here",
                 KV("checkpoint", path));
        break;
    case LOCK_HELD:
        result = is_held(lock, o->fd, path, err);
        break;
    case LOCK_FAILED:
        result = error_set(err, "cannot lock %s: %s", lock, strerror(errno));
        break;
    }
    owner_end(o);
    o->lost = result < 0;
    return result;
}

int owner_become(struct owner *o, const char *path, struct error *err)
{
    char lock[PATH_MAX];
    *o = (struct owner){.fd = -1};
    snprintf(lock, sizeof(lock), "%s.lock", path);
    return take(o, lock, path, err);
}

int owner_remain(struct owner *o, const char *path, struct error *err)
{
    char lock[PATH_MAX];
    struct stat held, there;
    snprintf(lock, sizeof(lock), "%s.lock", path);
    if (o->fd >= 0 && fstat(o->fd, &held) == 0 &&
        (stat(lock, &there) < 0 || held.st_ino != there.st_ino || held.st_dev != there.st_dev)) {
        owner_end(o);
        o->lost = true;
    }
    return o->lost ? take(o, lock, path, err) : 0;
}

void owner_end(struct owner *o)
{
    if (o->fd >= 0) {
        close(o->fd);
    }
    *o = (struct owner){.fd = -1};
}
