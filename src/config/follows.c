/* Does the source read what the collector itself writes? Each line would come back for ever. */
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

/* 1, or 0; -1: memory. `path` has no links. */
static int matches(const struct pattern *pattern, const char *path)
{
    char *base = real_path(pattern_base(pattern));
    const char *rest = base ? below(base, path) : NULL;
    int result = !base ? -1 : rest && pattern_match_rest(pattern, rest);
    free(base);
    return result;
}

/* -1: memory; the globs were checked before. */
static int add_all(struct pattern_list *patterns, const struct string_list *globs, bool anywhere)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < globs->count; i++) {
        result = pattern_list_add(patterns, globs->items[i], anywhere, NULL);
    }
    return result;
}

/* `given` is the path as it was given, which may lead through links: an exclude may name it so, or without them. */
static int files_follow(const struct config *cfg, const char *path, const char *given)
{
    struct pattern_list include = {0}, exclude = {0};
    int result = add_all(&include, &cfg->files_include, false);
    result = result < 0 ? -1 : add_all(&exclude, &cfg->files_exclude, true);
    if (!pattern_list_match(&exclude, path) && !pattern_list_match(&exclude, given)) {
        for (size_t i = 0; result == 0 && i < include.count; i++) {
            result = matches(include.items[i], path);
        }
    }
    pattern_list_free(&include);
    pattern_list_free(&exclude);
    return result;
}

int config_follows(const struct config *cfg, const char *path)
{
    char *real = real_name(path), *directory = real_path(cfg->json_file_path);
    int result = -1;
    if (real && directory) {
        result = cfg->source == SOURCE_FILES       ? files_follow(cfg, real, path)
                 : cfg->source == SOURCE_JSON_FILE ? below(directory, real) != NULL
                                                   : 0;
    }
    free(real);
    free(directory);
    return result;
}
