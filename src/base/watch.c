#include "base/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/paced.h"

#define EVENT_ROOM 65536 /* bytes of events read at once */
#define MOST_READS 16    /* in one turn, beside the first */

struct watch {
    int wd;
    uint32_t mask;
    uint64_t mount; /* that its directory is in; 0: of a file system that others may write to, or unknown */
    struct watcher *watcher;
    watch_fn *fn;
    void *arg;
    UT_hash_handle hh;
};

struct watcher {
    int fd;              /* -1: no inotify instance was to be had … */
    struct paced events; /* … then it is stopped */
    int64_t pace;
    struct event_base *base;
    struct watch *by_wd;
    void (*overflow)(void *arg);
    void *arg;
};

static void dispatch(struct watcher *w, const struct inotify_event *ev)
{
    if (ev->mask & IN_Q_OVERFLOW) {
        log_warn("the kernel dropped inotify events: looking at everything");
        w->overflow(w->arg);
        return;
    }
    struct watch *watch;
    HASH_FIND_INT(w->by_wd, &ev->wd, watch);
    if (watch) {
        watch->fn(watch->arg, ev->mask, ev->len > 0 ? ev->name : "");
    }
}

/* Tells of some of what there is. The bytes of it; less than half of EVENT_ROOM: that was all. */
static size_t tell_some(struct watcher *w)
{
    _Alignas(struct inotify_event) char room[EVENT_ROOM];
    ssize_t got = read(w->fd, room, sizeof(room));
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
        log_error("cannot read inotify events", KV("error", strerror(errno)));
    }
    for (char *p = room; got > 0 && p < room + got;) {
        const struct inotify_event *ev = (const struct inotify_event *)p;
        p += sizeof(*ev) + ev->len;
        dispatch(w, ev);
    }
    return got > 0 ? (size_t)got : 0;
}

static bool tell(void *arg)
{
    size_t first = tell_some(arg), got = first;
    for (int i = 0; i < MOST_READS && got > EVENT_ROOM / 2; i++) {
        got = tell_some(arg);
    }
    return first > 0;
}

/* Begins to watch, where an inotify instance is to be had. 0, or -1 (errno): there is none. */
static int start(struct watcher *w)
{
    w->fd = w->fd < 0 ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : w->fd;
    if (w->fd < 0) {
        return -1;
    }
    if (paced_start(&w->events, w->base, w->fd, w->pace, tell, w) < 0) {
        errno = ENOMEM;
        return -1;
    }
    return 0;
}

struct watcher *watcher_new(struct event_base *base, void (*overflow)(void *arg), void *arg,
                            struct error *err)
{
    struct watcher *w = calloc(1, sizeof(*w));
    if (!w) {
        error_set(err, "out of memory");
        return NULL;
    }
    *w = (struct watcher){.fd = -1, .pace = WATCH_PACE, .base = base, .overflow = overflow, .arg = arg};
    if (start(w) < 0) {
        log_error("cannot watch directories: what is new in them is found once a second only",
                  KV("error", strerror(errno)), KV("hint", "raise fs.inotify.max_user_instances"));
    }
    return w;
}

void watcher_set_pace(struct watcher *w, int64_t ns)
{
    w->pace = ns > WATCH_PACE ? ns : WATCH_PACE;
    paced_set(&w->events, w->pace);
}

void watcher_free(struct watcher *w)
{
    if (!w) {
        return;
    }
    struct watch *watch, *next;
    HASH_ITER(hh, w->by_wd, watch, next)
    {
        watch_close(watch);
    }
    paced_stop(&w->events);
    if (w->fd >= 0) {
        close(w->fd);
    }
    free(w);
}

/* Is it of a file system in which nothing happens but through this kernel, by the names that are seen here? */
static bool is_local(const char *dir)
{
    static const unsigned long types[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
                                          F2FS_SUPER_MAGIC};
    struct statfs fs;
    bool local = false, known = statfs(dir, &fs) == 0;
    for (size_t i = 0; known && i < sizeof(types) / sizeof(types[0]) && !local; i++) {
        local = (unsigned long)fs.f_type == types[i];
    }
    return local;
}

static struct watch *open_watch(struct watcher *w, const char *path, uint32_t mask, watch_fn *fn, void *arg)
{
    if (!paced_runs(&w->events) && start(w) < 0) {
        errno = EMFILE;
        return NULL;
    }
    int wd = inotify_add_watch(w->fd, path, mask | IN_MASK_CREATE);
    if (wd < 0) {
        return NULL;
    }
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch) {
        inotify_rm_watch(w->fd, wd);
        errno = ENOMEM;
        return NULL;
    }
    *watch = (struct watch){.wd = wd, .mask = mask, .watcher = w, .fn = fn, .arg = arg};
    HASH_ADD_INT(w->by_wd, wd, watch);
    return watch;
}

struct watch *watch_open(struct watcher *w, const char *dir, uint32_t mask, watch_fn *fn, void *arg)
{
    struct watch *watch = open_watch(w, dir, mask | IN_ONLYDIR, fn, arg);
    if (watch) {
        watch->mount = is_local(dir) ? fd_mount(AT_FDCWD, dir, 0) : 0;
    }
    return watch;
}

struct watch *watch_open_file(struct watcher *w, int fd, uint32_t mask, watch_fn *fn, void *arg)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open_watch(w, path, mask, fn, arg);
}

/* A directory that is not watched, or by another watch, got the mask: takes that back. */
static void leave_other(const struct watcher *w, const char *dir, int wd)
{
    struct watch *other;
    HASH_FIND_INT(w->by_wd, &wd, other);
    if (!other) {
        inotify_rm_watch(w->fd, wd);
    } else if (inotify_add_watch(w->fd, dir, other->mask | IN_ONLYDIR) < 0) {
        w->overflow(w->arg);
    }
}

bool watch_change(struct watch *watch, const char *dir, uint32_t mask)
{
    const struct watcher *w = watch->watcher;
    int wd = inotify_add_watch(w->fd, dir, mask | IN_ONLYDIR);
    if (wd == watch->wd) {
        watch->mask = mask;
    } else if (wd >= 0) {
        leave_other(w, dir, wd);
    }
    return wd == watch->wd;
}

bool watch_tells_all(const struct watch *watch)
{
    return watch && watch->mount > 0;
}

bool watch_tells_of(const struct watch *watch, int fd)
{
    return watch_tells_all(watch) && fd_mount(fd, "", AT_EMPTY_PATH) == watch->mount;
}

void watch_close(struct watch *watch)
{
    if (!watch) {
        return;
    }
    struct watcher *w = watch->watcher;
    HASH_DEL(w->by_wd, watch);
    inotify_rm_watch(w->fd, watch->wd); /* fails when the directory is gone: so is the watch */
    free(watch);
}
