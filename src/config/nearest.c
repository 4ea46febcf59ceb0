/* Which known name is most like an unknown one. */
#include <stdio.h>
#include <string.h>

#include "base/distance.h"
#include "config/keys.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
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
            consider(&best, name, section, name_distance(path, name));
        }
        size_t whole = name_distance(path, key->path);
        bool word = is_word_of(last_part(path), last_part(key->path));
        size_t part = (word ? 1 : name_distance(last_part(path), last_part(key->path))) + elsewhere;
        consider(&best, key->path, strlen(key->path), least(whole, part));
    }
    return best.name;
}

const char *config_nearest_env(const char *name)
{
    static struct best best;
    best.distance = name_distance(name, CONFIG_ENV_FILE);
    snprintf(best.name, sizeof(best.name), CONFIG_ENV_FILE);
    for (const struct key *key = config_keys; key->path; key++) {
        char env[CONFIG_ENV_MAX];
        config_key_env(key, env);
        consider(&best, env, strlen(env), name_distance(name, env));
    }
    return best.name;
}
