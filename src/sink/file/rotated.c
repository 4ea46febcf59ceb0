#include "rotated.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/lock.h"

void rotated_name(const struct location *at, int64_t number, enum rotated_kind kind,
                  char out[ROTATED_NAME_MAX])
{
    snprintf(out, ROTATED_NAME_MAX, "%s.%lld%s", at->name, (long long)number,
             kind == ROTATED_GZIP ? ".gz" : "");
}

static int exists(const struct location *at, int64_t number, enum rotated_kind kind)
{
    char name[ROTATED_NAME_MAX];
    rotated_name(at, number, kind, name);
    return faccessat(at->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? kind : 0;
}

int rotated_exists(const struct location *at, int64_t number)
{
    int found = exists(at, number, ROTATED_PLAIN);
    return found | exists(at, number, ROTATED_GZIP);
}

bool rotated_is_written(const struct location *at, const char *name)
{
    int fd = openat(at->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool written = fd >= 0 && lock_is_held(fd);
    if (fd >= 0) {
        close(fd);
    }
    return written;
}

bool rotated_are_ours(const struct config *cfg)
{
    return cfg->file_rotate_bytes > 0 || cfg->file_rotate_age > 0;
}
