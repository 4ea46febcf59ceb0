#include "source/log/rotation.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/plain_file.h"
#include "dir_names.h"
#include "rotation_order.h"
#include "source/log/archive.h"

static bool same_age(const struct generation *plain, const struct generation *packed)
{
    size_t len = strlen(plain->path);
    return !plain->name.packed && packed->name.packed && strncmp(plain->path, packed->path, len) == 0 &&
           strlen(packed->path + len) == archive_suffix(packed->path);
}

static int add(struct generation **list, size_t *count, const char *dir, int dir_len, const char *name)
{
    char *path;
    struct stat st;
    if (asprintf(&path, "%.*s/%s", dir_len, dir, name) < 0) {
        errno = ENOMEM;
        return -1;
    }
    int why = plain_file_stat(path, &st) ? 0 : errno;
    if (why) {
        free(path); /* renamed or removed while we look: the caller looks again */
        errno = why;
        return why == ENOMEM ? -1 : 0;
    }
    struct generation *grown = realloc(*list, (*count + 1) * sizeof(**list));
    if (!grown) {
        free(path);
        return -1;
    }
    *list = grown;
    grown[(*count)++] = (struct generation){.path = path,
                                            .dev = st.st_dev,
                                            .ino = st.st_ino,
                                            .mtime_ns = clock_of_timespec(st.st_mtim),
                                            .ctime_ns = clock_of_timespec(st.st_ctim),
                                            .birth_ns = file_birth(path)};
    rotation_parse(path + dir_len + 1, &grown[*count - 1].name);
    return 0;
}

/* A plain file and its archive side by side: that is still being written. */
static void drop_unfinished(struct generation *list, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (kept > 0 && same_age(&list[kept - 1], &list[i])) {
            free(list[i].path);
        } else {
            list[kept++] = list[i];
        }
    }
    *count = kept;
}

static char *parent_of(const char *path, int dir_len)
{
    return strndup(path, dir_len > 0 ? (size_t)dir_len : 1);
}

/* The directory of a file. NULL: errno. */
static DIR *open_parent(const char *path, int dir_len)
{
    char *parent = parent_of(path, dir_len);
    DIR *dir = parent ? opendir(parent) : NULL;
    free(parent);
    return dir;
}

/* Adds those that lie beside `path`. 0, also when the directory is gone; -1 (errno). */
static int list_beside(const char *path, struct generation **out, size_t *count)
{
    const char *name = strrchr(path, '/') + 1;
    int dir_len = (int)(name - 1 - path);
    char *dir = parent_of(path, dir_len);
    size_t found = 0;
    const char *const *names = dir ? dir_names_rotated(dir, name, rotation_common(name), &found) : NULL;
    int why = names ? 0 : errno;
    free(dir);
    if (!names) {
        errno = why;
        return why == ENOENT || why == ENOTDIR ? 0 : -1; /* gone, with all that was in it */
    }
    for (size_t i = 0; i < found; i++) {
        struct rotated_name rotated;
        if (rotation_parse(names[i], &rotated) && rotation_belongs(&rotated, names[i], name) &&
            add(out, count, path, dir_len, names[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

int rotation_list(const char *path, const char *alias, struct generation **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    int failed = list_beside(path, out, count) < 0 || (alias && list_beside(alias, out, count) < 0);
    int why = errno;
    if (failed) {
        rotation_free(*out, *count);
        errno = why;
        return -1;
    }
    if (*count > 1) {
        rotation_sort(*out, *count);
        drop_unfinished(*out, count);
    }
    return 0;
}

/* Some file systems know whole seconds only, or two of them. */
static bool was_changed(DIR *dir, int64_t since_ns)
{
    struct stat st;
    return since_ns == 0 || fstat(dirfd(dir), &st) < 0 ||
           clock_of_timespec(st.st_mtim) > since_ns - 2 * NS_PER_S;
}

void rotation_each_beside(const char *path, int64_t since_ns,
                          bool (*each)(void *arg, const char *path, const struct stat *st), void *arg)
{
    int dir_len = (int)(strrchr(path, '/') - path);
    DIR *dir = open_parent(path, dir_len);
    struct dirent *entry;
    bool done = dir && !was_changed(dir, since_ns);
    while (dir && !done && (entry = readdir(dir))) {
        char *name;
        struct stat st;
        if (asprintf(&name, "%.*s/%s", dir_len, path, entry->d_name) < 0) {
            break;
        }
        done = plain_file_stat(name, &st) && each(arg, name, &st);
        free(name);
    }
    if (dir) {
        closedir(dir);
    }
}

struct wanted {
    dev_t dev;
    ino_t ino;
    char *path;
};

static bool is_wanted(void *arg, const char *path, const struct stat *st)
{
    struct wanted *wanted = arg;
    if (st->st_ino == wanted->ino && st->st_dev == wanted->dev) {
        wanted->path = strdup(path);
        return true;
    }
    return false;
}

char *rotation_find(const char *path, dev_t dev, ino_t ino)
{
    struct wanted wanted = {dev, ino, NULL};
    rotation_each_beside(path, 0, is_wanted, &wanted);
    return wanted.path;
}

void rotation_free(struct generation *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].path);
    }
    free(list);
}

bool generation_same(const struct generation *a, const struct generation *b)
{
    return a->ino == b->ino && a->dev == b->dev && strcmp(a->path, b->path) == 0;
}
