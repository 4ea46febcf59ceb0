/* The files that the patterns of source files have found: whose each is, which of them are followed, and when
 * one that was deleted is let go. */
#ifndef SIDETAIL_SOURCE_FILES_SET_H
#define SIDETAIL_SOURCE_FILES_SET_H

#include <uthash.h>

#include "base/pattern.h"
#include "checkpoint/checkpoint.h"
#include "config/config.h"
#include "source/log/tailer.h"

struct file_set;

/* Only set.c writes this. */
struct file {
    struct file_set *set;
    char *path;
    struct captures caps;
    struct follow *follow; /* NULL: not collected */
    struct tags *tags;
    bool first_look; /* was there before we were */
    /* Of a rotated file of another log that is written to: how far it was read as that log's. */
    struct file_pos from;
    int64_t missing_ns;    /* monotonic: since when it is deleted and not written to; 0: it is there */
    uint64_t missing_size; /* bytes of what was open of it then */
    bool finishing;        /* for that reason */
    UT_hash_handle hh;
};

/* Set up by files.c; from then on only set.c writes it. */
struct file_set {
    const struct config *cfg;
    struct pattern_list exclude;
    struct checkpoint *checkpoint;
    struct tailer *tailer;
    struct file *by_path;
};

/* A pattern has found a file: follows it, where it is wanted; looks at it again, where it is followed.
 * `first_look`: it was there before we were. False: it cannot be told yet whether it is one of a log's
 * rotated files; it is to be added again later. */
bool file_set_add(struct file_set *set, const char *path, const struct captures *caps, bool first_look);
/* An inotify event named a file: a log itself, or one that it has left behind. */
void file_set_event(struct file_set *set, const char *path, uint32_t mask);
/* Is it a file with a log's number or date before its ending, which is not followed? */
bool file_set_undecided(const struct file_set *set, const char *path);
/* Once a second: which were rotated, truncated, deleted? */
void file_set_look(struct file_set *set);
/* Tags all by a changed configuration, and begins to follow them or stops. */
void file_set_reload(struct file_set *set, const struct config *cfg);
void file_set_close(struct file_set *set);

#endif
