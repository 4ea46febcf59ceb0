#include "wanted.h"

#include <fnmatch.h>

bool wanted_excludes(const struct config *cfg, const char *path)
{
    for (size_t i = 0; i < cfg->files_exclude.count; i++) {
        if (fnmatch(cfg->files_exclude.items[i], path, FNM_PATHNAME | FNM_PERIOD) == 0) {
            return true;
        }
    }
    return false;
}
