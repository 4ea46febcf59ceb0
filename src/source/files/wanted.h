/* Which of the files that a pattern has found are left out. */
#ifndef SIDETAIL_SOURCE_FILES_WANTED_H
#define SIDETAIL_SOURCE_FILES_WANTED_H

#include <stdbool.h>
#include <sys/stat.h>

#include "checkpoint/checkpoint.h"
#include "config/config.h"

/* Does files.exclude name it? */
bool wanted_excludes(const struct config *cfg, const char *path);
/* Is it what we write ourselves? To follow that would never end. */
bool wanted_is_own_output(const struct checkpoint *checkpoint, const struct stat *st);

#endif
