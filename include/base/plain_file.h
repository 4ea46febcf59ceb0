/* Opening logs that lie where others may write: nothing that they put there may lead to another file.
 *
 * A path is absolute, and no part of it is a link (see real_path.h). Where one became a link since, the
 * file that was meant is not there. */
#ifndef SIDETAIL_BASE_PLAIN_FILE_H
#define SIDETAIL_BASE_PLAIN_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

/* Opens a regular file to read, and never waits. Where it may, reading leaves the time of access as it is. -1
 * (errno). ENOENT: it is not there, or is one that this process writes itself; EINVAL: it is no regular file, or one
 * of the kernel's file systems. */
int plain_file_open(const char *path);

/* Is there a regular file? errno is ENOENT where something else is there, such as a link. */
bool plain_file_stat(const char *path, struct stat *st);

/* Is it in a file system that the kernel makes up, such as /proc and /sys, wherever that is mounted? */
bool plain_file_is_kernels(const char *path);

#endif
