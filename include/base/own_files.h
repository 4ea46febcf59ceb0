/* What this process writes itself, wherever it lies: reading it as a log would never end. */
#ifndef SIDETAIL_BASE_OWN_FILES_H
#define SIDETAIL_BASE_OWN_FILES_H

#include <stdbool.h>
#include <sys/stat.h>

/* A file that is written under this path, now or later, and those left beside it: PATH.1, PATH.new …  Added
 * twice, it is there once. 0 or -1 (memory). */
int own_files_add(const char *path);
void own_files_remove(const char *path); /* it is written no more; fine where it was never added */

/* Is the file one of them, or where stdout or stderr go? `path` is its path, without links. */
bool own_files_has(const char *path, const struct stat *st);

#endif
