#include "base/own_files.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/real_path.h"

struct own {
    char *given;
    struct own *next;
    char real[]; /* its directory's links resolved */
};

static struct own *list;

static struct own **find(const char *given)
{
    struct own **at = &list;
    while (*at && strcmp((*at)->given, given) != 0) {
        at = &(*at)->next;
    }
    return at;
}

int own_files_add(const char *path)
{
    struct own **at = find(path);
    if (*at) {
        return 0;
    }
    char *real = real_name(path), *given = strdup(path);
    struct own *own = real && given ? malloc(sizeof(*own) + strlen(real) + 1) : NULL;
    if (own) {
        own->given = given;
        own->next = NULL;
        strcpy(own->real, real);
        *at = own;
    } else {
        free(given);
    }
    free(real);
    return own ? 0 : -1;
}

void own_files_remove(const char *path)
{
    struct own **at = find(path), *own = *at;
    if (own) {
        *at = own->next;
        free(own->given);
        free(own);
    }
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* PATH, or what the sink and the checkpoint leave beside it: PATH.1, PATH.1.gz, PATH.new, PATH.new.XXXXXX, PATH.lock,
 * PATH.corrupt-… */
static bool is_named(const struct own *own, const char *path)
{
    size_t len = strlen(own->real);
    if (strncmp(path, own->real, len) != 0) {
        return false;
    }
    const char *rest = path + len;
    return *rest == '\0' || strcmp(rest, ".new") == 0 || strncmp(rest, ".new.", 5) == 0 ||
           strcmp(rest, ".lock") == 0 || strncmp(rest, ".corrupt-", 9) == 0 ||
           (*rest == '.' && isdigit((unsigned char)rest[1]));
}

bool own_files_has(const char *path, const struct stat *st)
{
    struct stat own;
    if ((fstat(STDOUT_FILENO, &own) == 0 && same(&own, st)) ||
        (fstat(STDERR_FILENO, &own) == 0 && same(&own, st))) {
        return true;
    }
    for (const struct own *o = list; o; o = o->next) {
        if (is_named(o, path) || (stat(o->real, &own) == 0 && same(&own, st))) {
            return true;
        }
    }
    return false;
}
