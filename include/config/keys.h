/* The table of the configuration's keys. The parser, the environment, `sidetail check`, the man page, the
 * tables in config/README.md and config/config.schema.json take all that they know about a key from here. */
#ifndef SIDETAIL_CONFIG_KEYS_H
#define SIDETAIL_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_type {
    KEY_STRING,   /* char * */
    KEY_BOOL,     /* bool */
    KEY_INTEGER,  /* int64_t */
    KEY_SIZE,     /* int64_t, bytes */
    KEY_DURATION, /* int64_t, nanoseconds */
    KEY_ENUM,     /* an enum, whose values are the indexes of `names` */
    KEY_LIST,     /* struct string_list of strings that are not empty */
    KEY_MAP,      /* json_t *, an object of strings */
    KEY_OBJECTS,  /* json_t *, an array of objects: the overrides */
};

enum key_flags {
    KEY_SECRET = 1,   /* never shown */
    KEY_REGEX = 4,    /* its string or strings are regular expressions */
    KEY_GLOB = 8,     /* its strings are globs of paths, base/pattern.h */
    KEY_ADDRESS = 16, /* it is an address, in which a password may stand */
    KEY_HINT = 64,    /* so may a container's label, where hints.allow names it */
    KEY_SOME = 32,    /* an override may set it for some containers */
    KEY_RESTART = 2,  /* changing it requires a restart: config_needs_restart */
};

struct key {
    const char *path; /* in the JSON file: "batch.bytes" is {"batch": {"bytes": …}}; at most one dot */
    enum key_type type;
    size_t offset;            /* in struct config */
    const char *fallback;     /* the default, written as in an environment variable */
    int64_t min, max;         /* of integers, sizes and durations, both included */
    const char *const *names; /* of an enum; the only values of a string that has them. Ends with NULL */
    /* NULL, or what a string has to match: a regular expression with the same meaning in POSIX (extended) and
     * ECMA 262. */
    const char *pattern;
    const char *expected; /* the pattern in words */
    unsigned flags;
    const char *help; /* plain sentences */
};

/* All keys; those of one section stand together. Ends with a NULL path. */
extern const struct key config_keys[];
extern const size_t config_key_count;

/* The key of that path, or NULL. */
const struct key *config_key_find(const char *path);

/* The length of the path's section: 5 for "batch.bytes", 0 where it has none. */
size_t config_key_section(const struct key *key);
/* Does any key belong to this section? */
bool config_section_known(const char *section);

/* The name of the key's environment variable: "batch.bytes" → SIDETAIL_BATCH_BYTES. */
#define CONFIG_ENV_PREFIX "SIDETAIL_"
#define CONFIG_ENV_FILE   "SIDETAIL_CONFIG" /* names the configuration file; not a key */
#define CONFIG_ENV_MAX    80
void config_key_env(const struct key *key, char out[CONFIG_ENV_MAX]);

/* What a value has to be, in words: "a size from 4KiB to 16MiB, …". */
#define CONFIG_EXPECTED_MAX 256
void config_key_expected(const struct key *key, char out[CONFIG_EXPECTED_MAX]);

/* The known key (or section) most like a path that is not known, by edits of the whole path or of its last
 * part. Never NULL. Static storage. */
const char *config_nearest(const char *path);
/* Likewise the known environment variable. */
const char *config_nearest_env(const char *name);

#endif
