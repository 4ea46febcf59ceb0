/* Source files: logs in a shared volume, found by patterns. Shown for the tests; all else asks the source by
 * its operations (source/source.h). */
#ifndef SIDETAIL_SOURCE_FILES_FILES_H
#define SIDETAIL_SOURCE_FILES_FILES_H

#include "set.h"
#include "source/source.h"

struct dir;

/* At the start, directories are found first, then whose position lies in which file, and then files are
 * followed: a log may have been renamed to a name that is met before its own. */
enum files_look { LOOK_FOR_DIRS, LOOK_NOTE, LOOK_ALL };

/* Only files.c writes this. */
struct files {
    struct source source;
    struct file_set set;
    struct watcher *watcher;
    struct pattern_list patterns;
    bool *missing_logged; /* of each pattern: it was logged that its base is not there */
    bool too_deep_logged; /* that a directory is not looked into */
    enum files_look look;
    struct dir *dirs;  /* by path */
    int64_t looked_ns; /* monotonic: when all directories were listed last */
    struct event *tick;
};

#endif
