#include "base/lock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum lock lock_take(int fd)
{
    int result;
    while ((result = flock(fd, LOCK_EX | LOCK_NB)) < 0 && errno == EINTR) {
    }
    if (result == 0) {
        return LOCK_TAKEN;
    }
    if (errno == EWOULDBLOCK) {
        return LOCK_HELD;
    }
    return errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS ? LOCK_NONE : LOCK_FAILED;
}

bool lock_is_held(int fd)
{
    enum lock found = lock_take(fd);
    if (found == LOCK_TAKEN) {
        flock(fd, LOCK_UN);
    }
    return found == LOCK_HELD;
}

pid_t lock_holder(int fd)
{
    char line[256];
    struct stat st;
    pid_t holder = 0;
    FILE *f = fopen("/proc/locks", "re");
    if (!f || fstat(fd, &st) < 0) {
        st.st_ino = 0;
    }
    while (f && holder == 0 && fgets(line, sizeof(line), f)) {
        int pid;
        unsigned maj, min;
        unsigned long long ino;
        if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%llu", &pid, &maj, &min, &ino) == 4 &&
            ino == st.st_ino && maj == major(st.st_dev) && min == minor(st.st_dev)) {
            holder = pid > 0 ? pid : 0;
        }
    }
    if (f) {
        fclose(f);
    }
    return holder;
}
