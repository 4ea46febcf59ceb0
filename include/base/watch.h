/* Watching directories by inotify, in the loop. */
#ifndef SIDETAIL_BASE_WATCH_H
#define SIDETAIL_BASE_WATCH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/error.h"

struct watcher;
struct watch;

/* While much happens, events are told so often, all that came in between at once: see watcher_set_pace. */
#define WATCH_PACE (4 * NS_PER_MS)

/* Called for each event of a watched directory, at once, or within WATCH_PACE while much happens:
 * mask as in inotify(7), name of the entry ("" for the directory itself). It may close its own watch and any other. */
typedef void watch_fn(void *arg, uint32_t mask, const char *name);

/* Where no inotify instance is left (fs.inotify.max_user_instances), that is logged, and each watch_open tries again.
 * `overflow` is called when the kernel dropped events: everything has to be looked at. NULL on error. */
struct watcher *watcher_new(struct event_base *base, void (*overflow)(void *arg), void *arg,
                            struct error *err);
/* While much happens, its events may be told `ns` late; not before it was quiet in between. */
void watcher_set_pace(struct watcher *w, int64_t ns);
void watcher_free(struct watcher *w);

/* NULL: errno (EMFILE: there is no inotify instance, which was logged; ENOSPC: the user's limit of inotify watches,
 * fs.inotify.max_user_watches). A directory is watched once only; watching it again gives EEXIST. */
struct watch *watch_open(struct watcher *w, const char *dir, uint32_t mask, watch_fn *fn, void *arg);
/* An open file by itself, whatever names it has: what happens to it comes without a name, which costs a third of what it
 * does by its directory. NULL: errno, as above; also where /proc is not mounted. */
struct watch *watch_open_file(struct watcher *w, int fd, uint32_t mask, watch_fn *fn, void *arg);
/* Other events of a directory from now on. False: not so, for what lies at `dir` is another directory now, or nothing. */
bool watch_change(struct watch *watch, const char *dir, uint32_t mask);
/* Would it tell of all that happens to this open file, which has a name in its directory and no other? In file systems
 * of this machine alone, and where the file is not mounted there from elsewhere. NULL tells of nothing. */
bool watch_tells_of(const struct watch *watch, int fd);
/* And of all that happens to the names in it? */
bool watch_tells_all(const struct watch *watch);
void watch_close(struct watch *watch); /* NULL is fine */

#endif
