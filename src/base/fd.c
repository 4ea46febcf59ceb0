#include "base/fd.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "process.h"

bool fd_can_wait(int fd)
{
    struct epoll_event event = {.events = EPOLLOUT};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    bool can = epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
    if (epoll >= 0) {
        close(epoll);
    }
    return can;
}

void fd_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* or it stays as it is: what cannot be opened is said then */
    }
}

/* Besides one in 16: two lists of directories at a time, a log's files while they are compared, the checkpoint, clients
 * that ask for metrics, a broker that is connected to anew. */
#define SPARE     10
#define SPARE_MAX 64

uint64_t fd_room(void)
{
    struct rlimit limit;
    struct process_usage use;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        return 0;
    }
    process_usage(&use);
    uint64_t more = limit.rlim_cur / 16,
             used = (uint64_t)use.open_fds + SPARE + (more < SPARE_MAX ? more : SPARE_MAX);
    return limit.rlim_cur > used + 1 ? limit.rlim_cur - used : 1;
}

static int64_t birth(int fd, const char *path, int flags)
{
    struct statx st;
    if (statx(fd, path, flags, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME)) {
        return 0;
    }
    return st.stx_btime.tv_sec * NS_PER_S + st.stx_btime.tv_nsec;
}

int64_t fd_birth(int fd)
{
    return birth(fd, "", AT_EMPTY_PATH);
}

int64_t file_birth(const char *path)
{
    return birth(AT_FDCWD, path, 0);
}

uint64_t fd_mount(int dir, const char *path, int flags)
{
    struct statx st;
    bool told = statx(dir, path, flags, STATX_MNT_ID, &st) == 0 && st.stx_mask & STATX_MNT_ID;
    return told ? st.stx_mnt_id : 0;
}
