#include "base/real_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *real_path(const char *path)
{
    char *real = realpath(path, NULL);
    return real || errno == ENOMEM ? real : strdup(path);
}

char *real_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *directory = slash == path ? strdup("/")
                      : slash       ? strndup(path, (size_t)(slash - path))
                                    : strdup(".");
    char *real = directory ? real_path(directory) : NULL, *out = NULL;
    if (real && asprintf(&out, "%s/%s", strcmp(real, "/") ? real : "", name) < 0) {
        out = NULL;
    }
    free(directory);
    free(real);
    return out;
}
