/* The names in a directory that rotated files may bear. Thousands of logs may lie in one directory, and each looks for
 * its rotated files there, a link's also beside the link: each of the few directories asked for last is listed anew only
 * when it has changed. */
#ifndef SIDETAIL_SOURCE_LOG_DIR_NAMES_H
#define SIDETAIL_SOURCE_LOG_DIR_NAMES_H

#include <stddef.h>

/* The names, each with its NUL, one behind the other; *len: bytes of all. Valid until the next call. NULL: errno. */
const char *dir_names_rotated(const char *dir, size_t *len);

#endif
