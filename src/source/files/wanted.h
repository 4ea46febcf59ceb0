/* Which of the files that a pattern has found are left out. */
#ifndef SIDETAIL_SOURCE_FILES_WANTED_H
#define SIDETAIL_SOURCE_FILES_WANTED_H

#include <stdbool.h>

#include "config/config.h"

/* Does files.exclude name it? */
bool wanted_excludes(const struct config *cfg, const char *path);

#endif
