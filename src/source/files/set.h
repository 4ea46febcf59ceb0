/* The files that the patterns of source files have found: where their names lead, whose each is, which of them are
 * followed, and when one that was deleted is let go. */
#ifndef SIDETAIL_SOURCE_FILES_SET_H
#define SIDETAIL_SOURCE_FILES_SET_H

#include <uthash.h>

#include "base/pattern.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "config/config.h"
#include "identity.h"
#include "source/log/tailer.h"
#include "target.h"

struct file_set;

/* Only set.c writes this. */
struct file {
    struct file_set *set;
    char *path;       /* by which a pattern found it */
    const char *base; /* of that pattern */
    /* What the follow reads: where the path led when that could be followed; owned, or `path` itself. NULL: it never
     * could. */
    char *real;
    char *alias;  /* the name itself, where it is a link, in its directory without links; else NULL */
    dev_t at_dev; /* of what was there then; or of the part of a log */
    ino_t at_ino;
    enum verdict verdict;         /* on where the path led when it was looked at last */
    bool linked;                  /* by a link */
    bool shared;                  /* by one for which the rights count, which may change: see struct target */
    bool first_look;              /* was there before we were */
    bool finishing;               /* it was missing for long: see missing_ns */
    char *caps;                   /* what its pattern captured, packed */
    struct follow *follow;        /* NULL: not collected, or nothing to be followed yet */
    struct status_note *left_out; /* for /status: that it is, and why; NULL: it is not, or not on purpose */
    struct tags *tags;            /* of `of`, where that is set */
    /* Is it a part of the log at this path, under another name? Then it is not followed itself. NULL: no. */
    char *of;
    uint64_t read;  /* up to where the log has read it and left it; 0: it has not left it */
    uint64_t asked; /* the look in which it was added; it is not looked at in that once more */
    uint64_t whole; /* its size when it was seen to hold all that was read of the log till then; 0: never */
    /* When it had been written to, where the log was seen to hold all of it, too; 0: never. */
    int64_t held_ns;
    const struct origin *origin; /* while it is added */
    /* Of a rotated file of another log that is written to: how far it was read as that log's. */
    struct file_pos *from; /* owned; NULL: it is none */
    int64_t missing_ns;    /* monotonic: since when it is deleted and not written to; 0: it is there */
    uint64_t missing_size; /* bytes of what was open of it then */
    unsigned number;       /* of those that were added */
    bool told;   /* as of the last look, all that may happen to it is told, and nothing but writing was */
    bool silent; /* and it rests, and no writing was told since */
    UT_hash_handle hh;
};

/* Set up by files.c; from then on only set.c writes it. */
struct file_set {
    const struct config *cfg;
    struct pattern_list exclude;
    struct checkpoint *checkpoint;
    struct tailer *tailer;
    struct identities identities;
    struct file *by_path;
    uint64_t looks;
    unsigned added;
    bool missed; /* something may not have been told */
    const struct watch *(*watch_of)(void *arg,
                                    const char *path); /* of the directory that the file is in; NULL: none */
    void *arg;
    const struct file *before; /* what was known of the file that is added anew; NULL: nothing */
};

/* Takes up its tailer, which is set by then. */
void file_set_open(struct file_set *set, struct pipeline *pipeline);
/* A name that file_set_add is to be given soon: see identity_note. */
void file_set_note(struct file_set *set, const char *path, const char *base);
/* A pattern of that base, which outlives the set, has found a name: follows the file, where it is wanted; looks at
 * it again, where it is followed. `first_look`: it was there before we were. False: it cannot be told yet whether it
 * is one of a log's rotated files; it is to be added again later. */
bool file_set_add(struct file_set *set, const char *path, const char *base, const struct captures *caps,
                  bool first_look);
/* An inotify event named a file: a log itself, or one that it has left behind. */
void file_set_event(struct file_set *set, const char *path, uint32_t mask);
/* Is it a file with a log's number or date before its ending, which is not followed? */
bool file_set_undecided(const struct file_set *set, const char *path);
/* Once a second: which were rotated, truncated, deleted? Those are asked each eighth second of which all is told, but
 * nothing was that is a reason to. */
void file_set_look(struct file_set *set);
/* Something may have happened that was not told: the next look asks all. */
void file_set_missed(struct file_set *set);
/* Tags all by a changed configuration, and begins to follow them or stops. */
void file_set_reload(struct file_set *set, const struct config *cfg);
void file_set_close(struct file_set *set);

#endif
