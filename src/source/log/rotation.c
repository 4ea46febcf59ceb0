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
#include "source/log/archive.h"

/* Newest first: numbers from the lowest, then dates from the last; of the same age the plain file before its
 * archive. */
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
    return (int)x->packed - (int)y->packed;
}

/* Was `high` completed after `low`, and where both were renamed only, made after it? */
static bool is_later(const struct generation *high, const struct generation *low)
{
    bool copied = low->name.packed || high->name.packed || high->birth_ns == 0;
    return high->mtime_ns > low->mtime_ns && (copied || low->birth_ns < high->birth_ns);
}

/* Do the larger numbers belong to the newer files? Behind a name they seldom do: there each must be later than
 * the one before it, and the log's live file, made at `made_ns` (0: not known), the latest. Where the clock was
 * set back in between, they do not seem to. */
static bool counts_up(const struct generation *list, size_t count, bool inside, int64_t made_ns)
{
    const struct generation *low = NULL, *high = NULL;
    bool each = true;
    for (size_t i = 0; i < count; i++) { /* from the lowest number, see compare */
        const struct generation *it = &list[i];
        if (it->name.dated || it->name.inside != inside || it->name.parts == 0) {
            continue;
        }
        each = each && (!high || high->name.part[0] == it->name.part[0] || is_later(it, high));
        low = low ? low : it;
        high = it;
    }
    if (!low || low->name.part[0] == high->name.part[0]) {
        return false;
    }
    return inside ? is_later(high, low) : each && (made_ns == 0 || made_ns >= high->mtime_ns);
}

/* Some (Log4j 2) count up, so that the lowest number is the oldest. The list is in the order of the numbers. */
static void tell_direction(struct generation *list, size_t count, int64_t made_ns)
{
    for (int inside = 0; inside < 2; inside++) {
        bool up = counts_up(list, count, inside, made_ns);
        for (size_t i = 0; i < count && up; i++) {
            list[i].name.dated |= list[i].name.inside == inside; /* the larger the newer */
        }
    }
}

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
        qsort(*out, *count, sizeof(**out), compare);
        tell_direction(*out, *count, file_birth(path));
        qsort(*out, *count, sizeof(**out), compare);
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
