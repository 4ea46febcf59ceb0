#include "discover/log_place.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/plain_file.h"
#include "base/real_path.h"

/* Memory is not out. */
static char *there(char *path)
{
    if (!path) {
        die_out_of_memory();
    }
    return path;
}

static void set(char **field, char *value)
{
    free(*field);
    *field = value;
}

/* Is it what was found before? */
static bool is_same(const struct log_place *place, const struct stat *st)
{
    return place->path && place->ino != 0 && place->ino == st->st_ino && place->dev == st->st_dev;
}

/* What stands in the link, which leads nowhere. */
static char *link_text(const char *name)
{
    char text[PATH_MAX];
    ssize_t len = readlink(name, text, sizeof(text) - 1);
    text[len > 0 ? len : 0] = '\0';
    return there(strdup(text));
}

static enum log_place_fault judge(const char *real, const struct stat *st)
{
    return S_ISREG(st->st_mode) && !plain_file_is_kernels(real) ? LOG_PLACE_GOOD : LOG_PLACE_ODD;
}

bool log_place_find(struct log_place *place, const char *name)
{
    struct stat st = {0}, link;
    bool found = stat(name, &st) == 0;
    if (found && is_same(place, &st)) {
        return false;
    }
    bool linked = lstat(name, &link) == 0 && S_ISLNK(link.st_mode);
    char *real = there(real_path(name));
    found =
        found && lstat(real, &st) == 0 && !S_ISLNK(st.st_mode); /* as of when the links were gone through */
    place->dev = found ? st.st_dev : 0;
    place->ino = found ? st.st_ino : 0;
    place->fault = found ? judge(real, &st) : linked ? LOG_PLACE_LOST : LOG_PLACE_GOOD;
    set(&place->target, place->fault == LOG_PLACE_GOOD   ? NULL
                        : place->fault == LOG_PLACE_LOST ? link_text(name)
                                                         : there(strdup(real)));
    bool good = found && place->fault == LOG_PLACE_GOOD;
    bool moved = good && (!place->path || strcmp(place->path, real) != 0 || linked != (place->alias != NULL));
    if (moved) {
        set(&place->path, real);
        set(&place->alias, linked ? there(strdup(name)) : NULL);
        return true;
    }
    free(real);
    if (!place->path) {
        place->path = there(real_name(name));
        return true;
    }
    return false;
}

char *log_place_directory(const struct log_place *place)
{
    size_t len = (size_t)(strrchr(place->path, '/') - place->path);
    return there(strndup(place->path, len > 0 ? len : 1));
}

void log_place_free(struct log_place *place)
{
    free(place->path);
    free(place->alias);
    free(place->target);
    *place = (struct log_place){0};
}
