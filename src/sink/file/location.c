#include "location.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own_files.h"

#define NAME_BYTES_MAX 240 /* of the 255 that file systems take: `.1.gz.new` comes behind the name */

int location_open(struct location *at, const char *path, struct error *err)
{
    *at = (struct location){.path = strdup(path), .dirfd = -1};
    const char *slash = at->path ? strrchr(at->path, '/') : NULL;
    if (at->path) {
        at->name = strdup(slash ? slash + 1 : at->path);
        at->dir = !slash              ? strdup(".")
                  : slash == at->path ? strdup("/")
                                      : strndup(at->path, (size_t)(slash - at->path));
    }
    if (!at->dir || !at->name) {
        return error_set(err, "no memory to open the output file");
    }
    size_t len = strlen(at->name);
    if (len == 0 || len > NAME_BYTES_MAX || !strcmp(at->name, ".") || !strcmp(at->name, "..")) {
        return error_set(err, "file.path '%s' must name a file, in at most %d bytes", at->path,
                         NAME_BYTES_MAX);
    }
    if (own_files_add(path) < 0) {
        return error_set(err, "no memory to open the output file");
    }
    at->dirfd = open(at->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at->dirfd < 0) {
        return error_set(err, "cannot open %s, the directory of file.path: %s", at->dir, strerror(errno));
    }
    return 0;
}

void location_close(struct location *at)
{
    if (at->dirfd >= 0) {
        close(at->dirfd);
    }
    if (at->path) {
        own_files_remove(at->path);
    }
    free(at->path);
    free(at->dir);
    free(at->name);
}
