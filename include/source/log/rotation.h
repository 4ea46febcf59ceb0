/* The rotated files of a log, as they are found beside it, and their order.
 *
 * Dates: the last is the newest. Numbers: the lowest is the newest (logrotate, Docker, Logback), unless the times show
 * that they count up (Log4j 2, scripts): most of the pairs of neighbours, and the pair of the lowest and the highest,
 * tell so. Those behind the log's name and those inside it are told apart. Of two files the newer is
 * 1. where both are plain, and no older than their mtime: that which was made later, renamed or copied. It holds
 *    whatever somebody set their mtimes to. But that which was made later tells nothing where it was written within
 *    seconds, the other one after that, and where both were renamed since, the one that was made later first, as those
 *    who count down do: it may be copied from the other, which was truncated then;
 * 2. else that which was last written to later: by the mtime of a plain file, and of an archive or a restored file that
 *    kept it (mtime before birth); else by the time that a .gz names (MTIME of RFC 1952), if that is before its
 *    packing;
 * 3. an archive that kept no time tells only that what it holds was complete when it was packed. Beside a plain file of
 *    a lower number it is the older one, since those who pack leave the newest for later;
 * 4. of two such archives, that which was packed later, as long as neither names a useless time. This is asked only
 *    where all pairs are such, and counts up only where all agree.
 * Where births are not known, 2 alone is asked, and archives count as having kept their times, as gzip, zstd and
 * logrotate keep them.
 *
 * The order is `unsure`, a guess, where no pair tells anything (equal times), where pairs contradict each other (the
 * clock was set back), or where it counts up by 4 alone. Then a file that was made since a position was taken is never
 * taken for an older one than that of the position: it is read, which may be a second time, and said (intake_arrange).
 * Nothing tells that files were copied one by one with new times (cp without -p): the order is that of the copying. Nor
 * that the clock was set back, where there are only two files. */
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
    int64_t ctime_ns;         /* when it was last renamed, written to or the like; 0: not known */
    int64_t birth_ns;         /* 0: not known. Of an archive or a copy, that of its making */
    bool unsure;              /* its age among those with numbers is not sure */
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
