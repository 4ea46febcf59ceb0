#include "reach.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

static char *copy(const char *path, size_t len)
{
    char *out = strndup(path, len);
    if (!out) {
        die_out_of_memory();
    }
    return out;
}

/* -- mounts ------------------------------------------------------------------------------------ */

/* The directory in which the first link of the path behind the base stands; to be freed. */
static char *directory_of_first_link(const char *path, const char *base)
{
    size_t at = strcmp(base, "/") == 0 ? 0 : strlen(base);
    for (;;) {
        size_t end = at + 1 + strcspn(path + at + 1, "/");
        struct stat st;
        char *part = copy(path, end);
        bool found = path[end] == '\0' || lstat(part, &st) < 0 || S_ISLNK(st.st_mode);
        free(part);
        if (found) {
            return copy(path, at > 0 ? at : 1);
        }
        at = end;
    }
}

bool reach_same_mount(const char *path, const char *base, const char *real)
{
    struct statx link, target;
    char *dir = directory_of_first_link(path, base);
    bool known = statx(AT_FDCWD, dir, 0, STATX_MNT_ID, &link) == 0 &&
                 statx(AT_FDCWD, real, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &target) == 0;
    free(dir);
    if (!known || link.stx_dev_major != target.stx_dev_major || link.stx_dev_minor != target.stx_dev_minor) {
        return false;
    }
    bool told = link.stx_mask & target.stx_mask & STATX_MNT_ID;
    return !told || link.stx_mnt_id == target.stx_mnt_id;
}

/* -- rights ------------------------------------------------------------------------------------ */

/* Bytes of the path of the deepest directory above both. */
static size_t common_directory(const char *a, const char *b)
{
    size_t common = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++) {
        common = a[i] == '/' ? i : common;
    }
    return common;
}

/* May anybody pass through the directory? */
static bool is_passable(const char *path, size_t len)
{
    struct stat st;
    char *dir = copy(path, len);
    bool passable = lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_mode & S_IXOTH;
    free(dir);
    return passable;
}

bool reach_anybody(const char *from, const char *real)
{
    struct stat st;
    size_t at = common_directory(from, real);
    for (const char *slash = strchr(real + at + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (!is_passable(real, (size_t)(slash - real))) {
            return false;
        }
    }
    if (lstat(real, &st) < 0) {
        return false;
    }
    mode_t needed = S_ISDIR(st.st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
    return (st.st_mode & needed) == needed;
}
