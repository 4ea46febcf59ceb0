/* Where a name leads: to a file or directory of its own, or by links to another one, which are followed as
 * files.follow_links says. */
#ifndef SIDETAIL_SOURCE_FILES_TARGET_H
#define SIDETAIL_SOURCE_FILES_TARGET_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/status.h"
#include "config/config.h"

/* Whether it may be followed, or why not. */
enum verdict {
    TARGET_GOOD,
    TARGET_GONE,     /* the name is not there */
    TARGET_DANGLING, /* it is a link, and nothing is there, or cannot be looked at, or it was being turned */
    /* A regular file, which is followed by another name. */
    TARGET_TWIN,
    TARGET_OWN, /* what the collector writes itself */
    /* Refused links, and files that are none: said once, and counted. */
    TARGET_OUTSIDE, /* it leads to another mount, see reach.h */
    TARGET_PRIVATE, /* it leads to what whoever made it need not be allowed to read, see reach.h */
    TARGET_LINKED,  /* there is a link on the way, and none is to be followed */
    TARGET_KERNELS, /* in /proc, /sys or the like */
    TARGET_ODD,     /* neither a regular file nor a directory: a fifo, a device */
};

struct target {
    enum verdict verdict;
    char *real;     /* its path without links; owned. NULL: GONE or DANGLING */
    struct stat st; /* of that */
    bool linked;    /* there is a link behind the base, if only the name itself */
    bool link;      /* the name itself is one */
    /* It leads out of the base, where it is followed only as long as everybody may read what is there. */
    bool shared;
};

/* Looks at the name, which a pattern of that base has found. Opens nothing. */
struct target target_find(const char *path, const char *base, enum follow_links follow);
void target_free(struct target *p);

/* While a look at many names goes on, the base is resolved once; and anew for what does not seem to lie in it. */
void target_begin_look(void);
void target_end_look(void);

/* By links that count as inside, for rights may change: may what lies at `other`, a path without links, be opened as one
 * of the files of the log that the name leads to? */
bool target_allows(const char *path, const char *base, const char *other);

/* Logs that it is not followed, notes it for /status, and counts it where it was refused. Says nothing of what is GOOD, is
 * not there or is followed by another name, and notes nothing then. */
void target_say(const struct target *p, const char *path, struct status_note **note);

#endif
