/* Does the source read what the collector itself writes? Each line would come back for ever. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/pattern.h"
#include "base/real_path.h"
#include "config/config.h"

/* What of the path stands behind the directory; NULL when it is not below it. */
static const char *below(const char *directory, const char *path)
{
    size_t len = strlen(directory);
    len -= len > 0 && directory[len - 1] == '/';
    return !strncmp(directory, path, len) && path[len] == '/' ? path + len + 1 : NULL;
}

static bool components_match(const struct pattern *pattern, const char *rest)
{
    struct captures caps;
    for (size_t i = 0; i < pattern_depth(pattern); i++) {
        size_t len = strcspn(rest, "/");
        char name[256];
        if (len == 0 || len >= sizeof(name)) {
            return false;
        }
        memcpy(name, rest, len);
        name[len] = '\0';
        if (!pattern_match(pattern, i, name, &caps)) {
            return false;
        }
        rest += len + (rest[len] == '/');
    }
    return *rest == '\0';
}

static int matches(const char *glob, const char *path)
{
    struct error ignored; /* the glob was checked before; a faulty one matches nothing */
    struct pattern *pattern = pattern_parse(glob, &ignored);
    char *base = pattern ? real_path(pattern_base(pattern)) : NULL;
    int result = pattern && !base ? -1 : 0;
    if (base) {
        const char *rest = below(base, path);
        result = rest && components_match(pattern, rest);
    }
    free(base);
    pattern_free(pattern);
    return result;
}

static int files_follow(const struct config *cfg, const char *path)
{
    for (size_t i = 0; i < cfg->files_exclude.count; i++) {
        if (fnmatch(cfg->files_exclude.items[i], path, FNM_PATHNAME | FNM_PERIOD) == 0) {
            return 0;
        }
    }
    int result = 0;
    for (size_t i = 0; result == 0 && i < cfg->files_include.count; i++) {
        result = matches(cfg->files_include.items[i], path);
    }
    return result;
}

int config_follows(const struct config *cfg, const char *path)
{
    char *real = real_name(path), *directory = real_path(cfg->json_file_path);
    int result = -1;
    if (real && directory) {
        result = cfg->source == SOURCE_FILES       ? files_follow(cfg, real)
                 : cfg->source == SOURCE_JSON_FILE ? below(directory, real) != NULL
                                                   : 0;
    }
    free(real);
    free(directory);
    return result;
}
