/* Who is a file that a pattern has found? Its device, its inode and what it holds tell, whatever it is
 * called: a log that was renamed, moved to another directory or with its own, or has a second name, is the
 * same log. Only where these tell nothing does its name (source/log/ownership.h).
 *
 * What was read of a file is known from the logs that are followed, and from the checkpoint. There stand the
 * positions of logs by their paths; and of a file that was read to its end as a part of a log, and is met
 * under a name of its own, the end, by the key "inode:DEV:INO" (hex). */
#ifndef SIDETAIL_SOURCE_FILES_IDENTITY_H
#define SIDETAIL_SOURCE_FILES_IDENTITY_H

#include <sys/stat.h>

#include "checkpoint/checkpoint.h"
#include "source/log/tailer.h"

struct place;
struct file_set;

/* Only identity.c writes this, but for the first four. */
struct identities {
    struct file_set *set; /* that it belongs to */
    struct checkpoint *checkpoint;
    struct pipeline *pipeline;
    struct tailer *tailer;
    struct place *places; /* the checkpoint's positions by inode, while a look goes on */
    size_t count;
    bool loaded;    /* they are; else nobody has asked for them */
    unsigned looks; /* that go on, one within another */
};

enum who {
    WHO_NEW,    /* nobody has read it */
    WHO_ITSELF, /* its position is that of its path */
    WHO_PART,   /* the log `of` reads it */
    WHO_READ,   /* it was read up to pos.at, as a part of a log that has left it (`of`, where it is known) */
    WHO_MOVED,  /* the log `of` was read in it up to pos, and is not there any more */
    WHO_LATER,  /* the same, and the log is there; but it does not read it, or not yet */
};
struct origin {
    enum who who;
    char *of; /* a path, to be freed by origin_free; NULL: none */
    struct position pos;
    uint64_t whole; /* PART, which may be a copy: as of struct file */
    int64_t held_ns;
};

/* Before a look at many files, and after it: what the checkpoint holds is found by inode in between. It must
 * not be changed meanwhile by others. */
void identity_begin_look(struct identities *ids);
void identity_end_look(struct identities *ids);
/* While a look goes on: does the checkpoint hold any? */
bool identity_any(struct identities *ids);
/* Notes, where the file is one that another log's position was taken in, that it lies there. To be called for
 * all files before any of them is followed. */
void identity_note(struct identities *ids, const char *path, const char *real);

/* Who is the file at `path`, as `st` says? */
void identity_of(struct identities *ids, const char *path, const char *real, const struct stat *st,
                 struct origin *out);
/* The i-th of the logs that the checkpoint knows, while a look goes on; *pos NULL: it is forgotten since.
 * False: there are no more. */
bool identity_known(struct identities *ids, size_t i, const char **key, const struct position **pos);
void origin_free(struct origin *origin);

/* Puts down that it was read to there, as a part of a log. `tags`: of that. */
void identity_mark_end(struct identities *ids, const struct file_pos *end, struct tags *tags);
void identity_forget_end(struct identities *ids, dev_t dev, ino_t ino, struct tags *tags);
/* The file, which is READ or MOVED, has the path for its key from now on. */
void identity_take_over(struct identities *ids, const char *path, const struct origin *origin,
                        struct tags *tags);

/* For the tailer: see struct followed_logs. The argument is the struct identities. */
char *identity_stray(void *arg, const char *key);
bool identity_read_before(void *arg, const char *key, struct segment *seg, struct file_pos *to);

#endif
