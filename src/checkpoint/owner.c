#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
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

int owner_become(const char *path, int *fd, struct error *err)
{
    char lock[PATH_MAX];
    *fd = -1;
    snprintf(lock, sizeof(lock), "%s.lock", path);
    int file = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (file < 0) {
        return error_set(err, "cannot open %s: %s; make its directory writable, or set checkpoint.path", lock,
                         strerror(errno));
    }
    int result = 0;
    switch (lock_take(file)) {
    case LOCK_TAKEN:
        write_who(file);
        *fd = file;
        return 0;
    case LOCK_NONE:
        log_warn("this file system has no locks: see to it that no second collector keeps its positions here",
                 KV("checkpoint", path));
        break;
    case LOCK_HELD:
        result = is_held(lock, file, path, err);
        break;
    case LOCK_FAILED:
        result = error_set(err, "cannot lock %s: %s", lock, strerror(errno));
        break;
    }
    close(file);
    return result;
}
