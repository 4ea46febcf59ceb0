/* Could whoever made a link have read what it leads to? A link that leads out of the directory that is followed is
 * followed then: it shows nobody what they could not see. */
#ifndef SIDETAIL_SOURCE_FILES_REACH_H
#define SIDETAIL_SOURCE_FILES_REACH_H

#include <stdbool.h>

/* Is `real` in the mount of the first link in `path`? In a container a volume is a mount of its own, so what lies
 * outside it is the collector's. `path` begins with `base`, which may be behind links itself. Linux before 5.8 does not
 * tell mounts: there, in the same file system. False also where either is gone. */
bool reach_same_mount(const char *path, const char *base, const char *real);

/* May anybody read the regular file, or list the directory, at `real`? The directories that lie above `from` as
 * well are not asked: whoever made a link below `from` came by them. Both are without links. */
bool reach_anybody(const char *from, const char *real);

#endif
