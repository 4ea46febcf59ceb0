/* A wall clock that can be stepped for one program: a library for LD_PRELOAD. The file that STEPPED_CLOCK names holds,
 * as 64 bits, how many seconds the clock is off; whoever writes there steps it at once. The clock that does not know of
 * dates stays as it is, as on a machine whose date is set. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *off = &(const volatile int64_t){0};

static int (*next_clock_gettime)(clockid_t, struct timespec *);
static int (*next_cnd_timedwait)(cnd_t *, mtx_t *, const struct timespec *);

__attribute__((constructor)) static void set_up(void)
{
    const char *path = getenv("STEPPED_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *shared = fd >= 0 ? mmap(NULL, sizeof(*off), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (shared == MAP_FAILED) {
        abort(); /* else a test would try nothing */
    }
    close(fd);
    next_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    next_cnd_timedwait =
        (int (*)(cnd_t *, mtx_t *, const struct timespec *))dlsym(RTLD_NEXT, "cnd_timedwait");
    off = shared;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (!next_clock_gettime) { /* another library's constructor */
        next_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int result = next_clock_gettime(id, ts);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        ts->tv_sec += *off;
    }
    return result;
}

int timespec_get(struct timespec *ts, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, ts) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &ts);
    *tv = (struct timeval){ts.tv_sec, ts.tv_nsec / 1000};
    return result;
}

time_t time(time_t *at)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (at) {
        *at = ts.tv_sec;
    }
    return ts.tv_sec;
}

/* The kernel waits by its own clock. */
int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    struct timespec of_kernel = {until->tv_sec - *off, until->tv_nsec};
    return next_cnd_timedwait(condition, mutex, &of_kernel);
}
