#include "base/plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own_files.h"

/* O_NONBLOCK: a fifo in a volume must not stop the loop. */
#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* One directory after the other, none of them by a link. The first one is named with its slash. */
static int open_by_steps(const char *path)
{
    int dir = AT_FDCWD;
    for (;;) {
        char name[1 + NAME_MAX + 1] = "/";
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        bool first = dir == AT_FDCWD, last = path[len] == '\0';
        int next = -1, why = ENAMETOOLONG;
        if (len <= NAME_MAX) {
            memcpy(name + 1, path, len);
            name[1 + len] = '\0';
            next = openat(dir, first ? name : name + 1,
                          (last ? FLAGS : O_PATH | O_DIRECTORY | O_CLOEXEC) | O_NOFOLLOW);
            why = errno;
        }
        if (!first) {
            close(dir);
        }
        errno = why;
        if (last || next < 0) {
            return next;
        }
        dir = next;
        path += len;
    }
}

/* openat2 came with Linux 5.6; filters of system calls that are older than it refuse it with EPERM. */
static int open_without_links(const char *path)
{
    static bool lacking;
    struct open_how how = {.flags = FLAGS, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    if (!lacking) {
        int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return fd;
        }
        lacking = true;
    }
    return open_by_steps(path);
}

static bool is_kernels(const struct statfs *fs)
{
    static const unsigned long types[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,      CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
        TRACEFS_MAGIC,    SECURITYFS_MAGIC, BPF_FS_MAGIC,       PSTOREFS_MAGIC,      EFIVARFS_MAGIC,
        SELINUX_MAGIC,    SMACK_MAGIC,      BINFMTFS_MAGIC,     DEVPTS_SUPER_MAGIC,  NSFS_MAGIC};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if ((unsigned long)fs->f_type == types[i]) {
            return true;
        }
    }
    return false;
}

/* 0, or why it is not to be read. */
static int refusal(int fd, const char *path)
{
    struct stat st;
    struct statfs fs;
    if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode) || is_kernels(&fs)) {
        return EINVAL;
    }
    return own_files_has(path, &st) ? ENOENT : 0;
}

/* A file that is written to gets a new time of access with each read, which the file system has to write as well. Only
 * the owner, and root, may do without. */
static void keep_atime(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) {
        fcntl(fd, F_SETFL, flags | O_NOATIME);
    }
}

int plain_file_open(const char *path)
{
    int fd = open_without_links(path);
    if (fd < 0) {
        errno = errno == ELOOP || errno == ENOTDIR ? ENOENT : errno;
        return -1;
    }
    int why = refusal(fd, path);
    if (why) {
        close(fd);
        errno = why;
        return -1;
    }
    keep_atime(fd);
    return fd;
}

bool plain_file_stat(const char *path, struct stat *st)
{
    if (lstat(path, st) < 0) {
        return false;
    }
    errno = ENOENT;
    return S_ISREG(st->st_mode);
}

bool plain_file_is_kernels(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && is_kernels(&fs);
}
