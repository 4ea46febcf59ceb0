/* Is a file that was found a copy of a log that is read (cp app.log app-copy.log), whatever it is called? Then
 * it is no log of its own. Only what it holds tells; programs that begin with the same lines have logs of their
 * own. */
#ifndef SIDETAIL_SOURCE_FILES_COPY_H
#define SIDETAIL_SOURCE_FILES_COPY_H

#include "set.h"

/* Of a file that nobody has read, which the origin says. It becomes
 * - PART: wait and ask again, for it is being written to. It may be the copy of the log `of`; NULL: of any;
 * - READ: the copy of the log `of`, up to pos.
 *
 * What is smaller than FILE_ID_HEAD is no copy: many logs begin with the same few lines. Else it has to hold all
 * that was read of the log when it was looked at, and the log all that it holds; or, where the log was truncated,
 * what was read of it before. Where the log is ahead by now, or the file was still written to after ten seconds,
 * its last lines have to have times, which tell it from another program's. So they have where the log is
 * rotated before the file is ten seconds old: then what was seen of both before that counts, if the file was not
 * written to since. */
void copy_find(struct file_set *set, const struct file *file, const struct target *at, struct origin *origin);

#endif
