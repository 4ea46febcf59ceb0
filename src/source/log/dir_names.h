/* The names in a directory that rotated files may bear. Thousands of logs may lie in one directory, and each looks for
 * its rotated files there, a link's also beside the link: each of the few directories asked for last is listed anew only
 * when it has changed. */
#ifndef SIDETAIL_SOURCE_LOG_DIR_NAMES_H
#define SIDETAIL_SOURCE_LOG_DIR_NAMES_H

#include <stddef.h>

/* Those that begin with `len` bytes of `beginning`, sorted. Valid until the next call. NULL: errno. */
const char *const *dir_names_rotated(const char *dir, const char *beginning, size_t len, size_t *count);

#endif
