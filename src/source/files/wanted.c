#include "wanted.h"

#include <fnmatch.h>
#include <unistd.h>

bool wanted_excludes(const struct config *cfg, const char *path)
{
    for (size_t i = 0; i < cfg->files_exclude.count; i++) {
        if (fnmatch(cfg->files_exclude.items[i], path, FNM_PATHNAME | FNM_PERIOD) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_fd_of(int fd, const struct stat *st)
{
    struct stat own;
    return fstat(fd, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino;
}

bool wanted_is_own_output(const struct checkpoint *checkpoint, const struct stat *st)
{
    const struct file_pos *out = checkpoint_output(checkpoint);
    return is_fd_of(STDOUT_FILENO, st) || is_fd_of(STDERR_FILENO, st) ||
           (out && out->file.ino == st->st_ino && out->file.dev == st->st_dev);
}
