#include "source/log/rotation.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/plain_file.h"

/* Newest first: numbers from the lowest, then dates from the last; of the same age the plain file before its
 * .gz. */
static int compare(const void *a, const void *b)
{
    const struct generation *ga = a, *gb = b;
    const struct rotated_name *x = &ga->name, *y = &gb->name;
    if (x->dated != y->dated) {
        return x->dated ? 1 : -1;
    }
    for (unsigned i = 0; i < x->parts || i < y->parts; i++) {
        uint64_t px = i < x->parts ? x->part[i] : 0, py = i < y->parts ? y->part[i] : 0;
        if (px != py) {
            return (px < py) == x->dated ? 1 : -1;
        }
    }
    return (int)x->gz - (int)y->gz;
}

/* Some (Log4j 2) count the numbers before the ending up, so that the lowest is the oldest. Which it is, the
 * times tell. */
static void tell_direction(struct generation *list, size_t count)
{
    const struct generation *low = NULL, *high = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct rotated_name *name = &list[i].name;
        if (name->inside && !name->dated) {
            low = !low || name->part[0] < low->name.part[0] ? &list[i] : low;
            high = !high || name->part[0] > high->name.part[0] ? &list[i] : high;
        }
    }
    bool up = low && high->mtime_ns > low->mtime_ns;
    for (size_t i = 0; i < count && up; i++) {
        list[i].name.dated |= list[i].name.inside; /* the larger the newer */
    }
}

static bool same_age(const struct generation *plain, const struct generation *gz)
{
    size_t len = strlen(plain->path);
    return !plain->name.gz && gz->name.gz && strncmp(plain->path, gz->path, len) == 0 &&
           strcmp(gz->path + len, ".gz") == 0;
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
    grown[(*count)++] = (struct generation){
        .path = path, .dev = st.st_dev, .ino = st.st_ino, .mtime_ns = clock_of_timespec(st.st_mtim)};
    rotation_parse(path + dir_len + 1, &grown[*count - 1].name);
    return 0;
}

/* A plain file and its .gz side by side: the .gz is still being written. */
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

int rotation_list(const char *path, struct generation **out, size_t *count)
{
    const char *slash = strrchr(path, '/');
    int dir_len = (int)(slash - path);
    const char *name = slash + 1;
    *out = NULL;
    *count = 0;
    char *dir_path = strndup(path, dir_len > 0 ? (size_t)dir_len : 1);
    DIR *dir = dir_path ? opendir(dir_path) : NULL;
    free(dir_path);
    if (!dir) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1; /* gone, with all that was in it */
    }
    struct dirent *entry;
    int failed = 0;
    while (!failed && (errno = 0, entry = readdir(dir))) {
        struct rotated_name rotated;
        if (rotation_parse(entry->d_name, &rotated) && rotation_belongs(&rotated, entry->d_name, name)) {
            failed = add(out, count, path, dir_len, entry->d_name);
        }
    }
    int why = errno; /* of readdir as well, which may end early */
    closedir(dir);
    if (failed || why) {
        rotation_free(*out, *count);
        errno = why;
        return -1;
    }
    if (*count > 1) {
        tell_direction(*out, *count);
        qsort(*out, *count, sizeof(**out), compare);
        drop_unfinished(*out, count);
    }
    return 0;
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
