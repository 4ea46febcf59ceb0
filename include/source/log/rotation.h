/* The rotated files of a log, as they are found beside it. */
#ifndef SIDETAIL_SOURCE_LOG_ROTATION_H
#define SIDETAIL_SOURCE_LOG_ROTATION_H

#include <sys/stat.h>

#include "source/log/rotation_name.h"

/* One file that a log's path has left behind, by its name: PATH.1, PATH.2.gz, PATH-20261124.zst … */
struct generation {
    char *path; /* owned */
    dev_t dev;
    ino_t ino;
    int64_t mtime_ns;
    int64_t birth_ns;         /* 0: not known. Of an archive or a copy, that of its making */
    struct rotated_name name; /* points into path */
};

/* Lists those of the log at `path`, newest first. An archive that is still being made from a plain file of the
 * same number is left out. 0, also when the directory is gone: free the list by rotation_free. -1 (errno):
 * the directory cannot be listed, or memory is out; there is nothing to free. `alias`: a link to the log, whose
 * name they may bear, too, beside that; NULL: there is none. */
int rotation_list(const char *path, const char *alias, struct generation **out, size_t *count);
void rotation_free(struct generation *list, size_t count);
/* The plain file of that inode in the directory of the log at `path`, whatever it is called. Its path, to be
 * freed; NULL: it is not there. */
char *rotation_find(const char *path, dev_t dev, ino_t ino);
/* Calls `each` for the regular files in the directory of the log at `path`, whatever they are called, until it
 * returns true; for none where nothing has come or gone there since `since_ns`, as far as its file system tells (0: for
 * all). */
void rotation_each_beside(const char *path, int64_t since_ns,
                          bool (*each)(void *arg, const char *path, const struct stat *st), void *arg);
/* Is it the same file, under the same name? */
bool generation_same(const struct generation *a, const struct generation *b);

#endif
