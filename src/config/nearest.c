/* Which known name is most like an unknown one. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/keys.h"

#define NAME_MAX_COMPARED 80

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return (a == '-' ? '_' : tolower((unsigned char)a)) == (b == '-' ? '_' : tolower((unsigned char)b));
}

/* Edits that turn one into the other: insert, delete, replace a character, swap two neighbours. Case does not
 * count, and '-' is '_'. */
static size_t distance(const char *a, const char *b)
{
    size_t row[3][NAME_MAX_COMPARED + 1];
    size_t na = strnlen(a, NAME_MAX_COMPARED), nb = strnlen(b, NAME_MAX_COMPARED);
    size_t *before = row[0], *last = row[1], *now = row[2];
    for (size_t j = 0; j <= nb; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= na; i++) {
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            now[j] = last[j - 1] + !same(a[i - 1], b[j - 1]);
            now[j] = least(now[j], least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[nb];
}

/* Is `part` the first or the last of the words of `name`? "memory" and "max" are, of "memory_max". */
static bool is_word_of(const char *part, const char *name)
{
    size_t len = strlen(part), all = strlen(name);
    return len > 0 && len < all &&
           ((!strncmp(part, name, len) && name[len] == '_') ||
            (!strcmp(part, name + all - len) && name[all - len - 1] == '_'));
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

struct best {
    char name[CONFIG_ENV_MAX];
    size_t distance;
};

static void consider(struct best *best, const char *name, size_t len, size_t distance)
{
    if (distance < best->distance) {
        best->distance = distance;
        snprintf(best->name, sizeof(best->name), "%.*s", (int)len, name);
    }
}

const char *config_nearest(const char *path)
{
    static struct best best;
    char in[CONFIG_ENV_MAX];
    snprintf(in, sizeof(in), "%.*s", (int)strcspn(path, "."), path);
    size_t elsewhere =
        config_section_known(in) ? 2 : 1; /* a key of another section has to be so much nearer */
    best.distance = SIZE_MAX;
    for (const struct key *key = config_keys; key->path; key++) {
        size_t section = config_key_section(key);
        char name[CONFIG_ENV_MAX];
        snprintf(name, sizeof(name), "%.*s", (int)section, key->path);
        if (section > 0 && !strchr(path, '.')) {
            consider(&best, name, section, distance(path, name));
        }
        size_t whole = distance(path, key->path);
        bool word = is_word_of(last_part(path), last_part(key->path));
        size_t part = (word ? 1 : distance(last_part(path), last_part(key->path))) + elsewhere;
        consider(&best, key->path, strlen(key->path), least(whole, part));
    }
    return best.name;
}

const char *config_nearest_env(const char *name)
{
    static struct best best;
    best.distance = distance(name, CONFIG_ENV_FILE);
    snprintf(best.name, sizeof(best.name), CONFIG_ENV_FILE);
    for (const struct key *key = config_keys; key->path; key++) {
        char env[CONFIG_ENV_MAX];
        config_key_env(key, env);
        consider(&best, env, strlen(env), distance(name, env));
    }
    return best.name;
}
