/* What files.c (the source and its directories) and set.c (a log found in them) share; nobody else
 * includes this. */
#ifndef SIDETAIL_SOURCE_FILES_H
#define SIDETAIL_SOURCE_FILES_H

#include <uthash.h>

#include "base/pattern.h"
#include "config/config.h"
#include "source/log/follow.h"

struct dir;
struct file;

struct files {
    struct source source;
    const struct config *cfg;
    struct checkpoint *checkpoint;
    struct tailer *tailer;
    struct watcher *watcher;
    struct pattern **patterns;
    bool *said; /* of each pattern: that its base is not there */
    size_t count;
    struct dir *dirs;   /* by path */
    struct file *files; /* by path */
    struct event *tick;
};

struct file {
    struct files *source;
    char *path;
    struct captures caps;
    struct follow *follow; /* NULL: not collected */
    struct tags *tags;
    int64_t missing_ns; /* monotonic time since when it is deleted and not written to; 0: it is there */
    uint64_t missing_size;
    bool finishing; /* for that reason */
    bool first_look;
    struct file_pos from; /* a rotated file of another log that is written to: behind what was read as such */
    UT_hash_handle hh;
};

/* A pattern has found it: follows it, where it is wanted; looks at it again, where it is followed. False:
 * that cannot be told yet, whether it is one of a log's rotated files. */
bool file_add(struct files *src, const char *path, const struct captures *caps, bool first_look);
/* An event named a file: a log itself, or one that it has left behind. */
void file_event(struct files *src, const char *path, uint32_t mask);
/* Once a second: rotated, truncated, deleted? It may be let go, and is freed then. */
void file_look(struct file *file);
/* Tags it by the configuration, and follows it or stops to. */
void file_tag(struct file *file);
void file_free(struct file *file);
/* Is it one with a log's number or date before its ending, which is not followed? */
bool file_undecided(const struct files *src, const char *path);

#endif
