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
    struct pattern **patterns;
    bool *missing_logged; /* of each pattern: it was logged that its base is not there */
    size_t count;
    struct dir *dirs;  /* by path */
    int64_t looked_ns; /* monotonic: when all directories were listed last */
    struct event *tick;
};

#endif
