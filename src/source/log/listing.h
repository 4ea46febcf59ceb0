/* The files of one log as they are named now, the newest first. They are opened as they are asked for, and no
 * more of them at a time than may be held. */
#ifndef SIDETAIL_SOURCE_LOG_LISTING_H
#define SIDETAIL_SOURCE_LOG_LISTING_H

#include "source/log/rotation.h"
#include "source/log/segment.h"

struct listed {
    struct generation at;
    struct segment *seg; /* NULL: not open. Whoever takes it over sets that */
    int fault;           /* errno: why it cannot be opened; 0: nothing is known against it */
    bool copying;        /* a copy of the log, which still holds the same itself: not to be read */
};

/* Which of the files that bear such names are the log's. Asked of the live one, too, which bears no path then. */
struct listing_filter {
    bool (*wanted)(void *arg, const struct generation *gen);
    void *arg;
};

/* Files of the log whose names do not tell so. Their paths are owned by whoever fills this in. */
#define STRAYS 3
struct strays {
    char *path[STRAYS];
    size_t count;
};

struct listing {
    struct listed *files;
    size_t count;
    struct inode foreign; /* what has the log's name and is not the log's; 0: nothing is */
    bool live;            /* the first one is the log itself, not a rotated file */
    size_t most;          /* held open at a time */
    struct listing_filter filter;
    const struct strays *strays;
};

/* `alias`: the link by which the log at `path` is known, whose name rotated files may bear, too; NULL: there is none.
 * `strays` are put by their times among those that the names tell; NULL: none. 0, also when the directory is gone; -1
 * (errno): it cannot be told what is there. Free it in either case. */
int listing_read(struct listing *l, const char *path, const char *alias, size_t most,
                 struct listing_filter filter, const struct strays *strays);
/* Opens one, where it is not open; another one, the newest, may be closed for it. NULL: its fault. */
struct segment *listing_open(struct listing *l, size_t i);
/* Closes all but the newest `count`. */
void listing_close(struct listing *l, size_t count);
/* Have the files still the names that they had? */
bool listing_holds(const struct listing *l, const char *path, const char *alias);
/* How many of the newest were written to after `mtime_ns`; or at that very time, as far as the clock of files
 * tells, and made since. */
size_t listing_newer(const struct listing *l, int64_t mtime_ns);
/* How many of the newest were made since the checkpoint was saved before this process, see checkpoint_saved_before. */
size_t listing_made_since(const struct listing *l, int64_t saved_ns);
/* Of the files from `from` on the one in which a position was taken, by content: a copy, or an archive. -1:
 * there is none; where it may be one whose end is not there yet, that has the fault EINPROGRESS. */
ssize_t listing_find_content(struct listing *l, size_t from, const struct file_pos *pos);
/* A position was taken in the file at `at`. Where the order is unsure, puts those that were made since before
 * it, as newer ones: how many there were, by which `at` has moved. */
size_t listing_arrange(struct listing *l, size_t at, const struct file_pos *pos);
void listing_free(struct listing *l);

#endif
