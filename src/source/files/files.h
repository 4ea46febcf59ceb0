/* Source files: logs in a shared volume, found by patterns. Shown for the tests; all else asks the source by
 * its operations (source/source.h). */
#ifndef SIDETAIL_SOURCE_FILES_FILES_H
#define SIDETAIL_SOURCE_FILES_FILES_H

#include "set.h"
#include "source/source.h"

struct dir;

/* Only files.c writes this. */
struct files {
    struct source source;
    struct file_set set;
    struct watcher *watcher;
    struct pattern_list patterns;
    bool *missing_logged; /* of each pattern: it was logged that its base is not there */
    struct dir *dirs;     /* by path */
    struct event *tick;
};

#endif
