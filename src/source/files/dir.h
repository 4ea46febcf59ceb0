/* The directories that patterns lead through: watched, and looked through for what the patterns meet in them. */
#ifndef SIDETAIL_SOURCE_FILES_DIR_H
#define SIDETAIL_SOURCE_FILES_DIR_H

#include <uthash.h>

#include "base/status.h"
#include "base/watch.h"
#include "files.h"

/* Why a directory is watched: the names in it are matched against component `depth` of the pattern. */
struct interest {
    const struct pattern *pattern;
    size_t depth;
    char *caps; /* of the components before, packed; owned where it is in a dir */
};

struct dir {
    struct files *source;
    char *path; /* by which a pattern found it */
    char *real; /* what is watched and listed; owned, or `path` itself; NULL: nothing that may be */
    dev_t dev;  /* of that directory, which may have lost its name since */
    ino_t ino;
    const char *base;     /* of the pattern by which it was looked at last: links are those behind it */
    enum verdict verdict; /* on where the path led when it was looked at last */
    bool linked;          /* the path leads there by a link, which is looked at each second */
    bool watch_logged;    /* it was logged that it cannot be watched */
    bool too_deep;        /* directories in it are passed over, which was counted */
    struct watch *watch;  /* NULL: tried again each second */
    /* Looked at again each second: it could not be listed, or a file in it may be a log of its own or a
     * rotated one. */
    bool undecided;
    int unlisted; /* errno: it could not be listed, which was logged; 0: it was listed */
    /* For /status: that it may not be followed, or cannot be listed; NULL: neither. */
    struct status_note *left_out;
    struct interest *interests;
    size_t count;
    UT_hash_handle hh;
};

/* A pattern has met a directory, having captured this, or begins there: watches it, and looks at all that is in it;
 * at one that is known, where it is another one by now. `first_look`: it was there before we were. */
void dir_add(struct files *src, const char *path, const struct interest *why, const struct captures *caps,
             bool first_look);
/* Looks where the path leads. True: to another directory than before, or to none any more. */
bool dir_find(struct dir *dir);
/* Watches it, and looks at all that is in it. */
void dir_look(struct dir *dir, bool first_look);
/* Looks at what is in it, for one interest. Not where `real` is NULL. */
void dir_scan(struct dir *dir, const struct interest *why, bool first_look);
void dir_unwatch(struct dir *dir);
/* The watch of the directory in which that file lies, by the way that its path goes; NULL: there is none. */
const struct watch *dir_watch_of(const struct files *src, const char *path);
void dir_free(struct dir *dir);

#endif
