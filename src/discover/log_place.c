#include "discover/log_place.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/plain_file.h"
#include "base/real_path.h"

static char *must(char *text)
{
    if (!text) {
        die_out_of_memory();
    }
    return text;
}

static void set(char **field, char *value)
{
    free(*field);
    *field = value;
}

static void free_path(struct log_place *place)
{
    if (!place->is_name) {
        free(place->path);
    }
    place->path = NULL;
}

/* Takes the path. Most are the name: then that is kept once. */
static void set_path(struct log_place *place, const char *name, char *path)
{
    free_path(place);
    place->is_name = strcmp(path, name) == 0;
    place->path = place->is_name ? (char *)name : path;
    if (place->is_name) {
        free(path);
    }
}

static bool is_file(const struct stat *st, dev_t dev, ino_t ino)
{
    return st->st_ino == ino && st->st_dev == dev;
}

/* Is it what was found before, and there still? Asked each second, so links are not gone through, and one call does
 * where the name is none. */
static bool is_same(const struct log_place *place, const char *name)
{
    struct stat st;
    if (!place->path || place->ino == 0 || lstat(name, &st) < 0) {
        return false;
    }
    if (!place->alias) {
        return is_file(&st, place->dev, place->ino);
    }
    return stat(name, &st) == 0 && is_file(&st, place->dev, place->ino) && lstat(place->path, &st) == 0 &&
           is_file(&st, place->dev, place->ino);
}

/* What stands in the link, which leads nowhere. */
static char *link_text(const char *name)
{
    char text[PATH_MAX];
    ssize_t len = readlink(name, text, sizeof(text) - 1);
    text[len > 0 ? len : 0] = '\0';
    return must(strdup(text));
}

static enum log_place_fault judge(const char *real, const struct stat *st)
{
    return S_ISREG(st->st_mode) && !plain_file_is_kernels(real) ? LOG_PLACE_GOOD : LOG_PLACE_ODD;
}

bool log_place_find(struct log_place *place, const char *name)
{
    struct stat st = {0}, link;
    if (is_same(place, name)) {
        return false;
    }
    bool linked = lstat(name, &link) == 0 && S_ISLNK(link.st_mode);
    char *real = must(real_path(name));
    /* as of when the links were gone through */
    bool found = lstat(real, &st) == 0 && !S_ISLNK(st.st_mode);
    place->dev = found ? st.st_dev : 0;
    place->ino = found ? st.st_ino : 0;
    place->fault = found ? judge(real, &st) : linked ? LOG_PLACE_LOST : LOG_PLACE_GOOD;
    set(&place->target, place->fault == LOG_PLACE_GOOD   ? NULL
                        : place->fault == LOG_PLACE_LOST ? link_text(name)
                                                         : must(strdup(real)));
    bool good = found && place->fault == LOG_PLACE_GOOD;
    bool moved = good && (!place->path || strcmp(place->path, real) != 0 || linked != (place->alias != NULL));
    if (moved) {
        set_path(place, name, real);
        set(&place->alias, linked ? must(strdup(name)) : NULL);
        return true;
    }
    free(real);
    if (!place->path) {
        set_path(place, name, must(real_name(name)));
        return true;
    }
    return false;
}

char *log_place_directory(const struct log_place *place)
{
    size_t len = (size_t)(strrchr(place->path, '/') - place->path);
    return must(strndup(place->path, len > 0 ? len : 1));
}

void log_place_free(struct log_place *place)
{
    free_path(place);
    free(place->alias);
    free(place->target);
    *place = (struct log_place){0};
}
