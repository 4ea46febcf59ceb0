/* What is said of one key: its names, and what it expects. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/keys.h"
#include "config/units.h"

const struct key *config_key_find(const char *path)
{
    for (const struct key *key = config_keys; key->path; key++) {
        if (!strcmp(key->path, path)) {
            return key;
        }
    }
    return NULL;
}

size_t config_key_section(const struct key *key)
{
    const char *dot = strchr(key->path, '.');
    return dot ? (size_t)(dot - key->path) : 0;
}

bool config_section_known(const char *section)
{
    size_t len = strlen(section);
    for (const struct key *key = config_keys; key->path; key++) {
        if (len > 0 && config_key_section(key) == len && !strncmp(key->path, section, len)) {
            return true;
        }
    }
    return false;
}

void config_key_env(const struct key *key, char out[CONFIG_ENV_MAX])
{
    size_t len = (size_t)snprintf(out, CONFIG_ENV_MAX, CONFIG_ENV_PREFIX "%s", key->path);
    for (size_t i = 0; i < len && i < CONFIG_ENV_MAX; i++) {
        out[i] = out[i] == '.' ? '_' : (char)toupper((unsigned char)out[i]);
    }
}

static void names_expected(const struct key *key, char out[CONFIG_EXPECTED_MAX])
{
    size_t len = (size_t)snprintf(out, CONFIG_EXPECTED_MAX, "one of");
    for (size_t i = 0; key->names[i] && len < CONFIG_EXPECTED_MAX; i++) {
        len +=
            (size_t)snprintf(out + len, CONFIG_EXPECTED_MAX - len, "%s \"%s\"", i ? "," : "", key->names[i]);
    }
}

static void bounds_expected(const struct key *key, void (*format)(int64_t, char *), const char *what,
                            const char *how, char out[CONFIG_EXPECTED_MAX])
{
    char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX];
    format(key->min, min);
    format(key->max, max);
    snprintf(out, CONFIG_EXPECTED_MAX, "%s from %s to %s%s", what, min, max, how);
}

static void integer_format(int64_t value, char *out)
{
    snprintf(out, UNITS_TEXT_MAX, "%" PRId64, value);
}

void config_key_expected(const struct key *key, char out[CONFIG_EXPECTED_MAX])
{
    switch (key->type) {
    case KEY_STRING:
    case KEY_ENUM:
        if (key->names) {
            names_expected(key, out);
        } else {
            snprintf(out, CONFIG_EXPECTED_MAX, "%s", key->expected ? key->expected : "a string");
        }
        break;
    case KEY_BOOL:
        snprintf(out, CONFIG_EXPECTED_MAX, "true or false");
        break;
    case KEY_INTEGER:
        bounds_expected(key, integer_format, "a whole number", "", out);
        break;
    case KEY_SIZE:
        bounds_expected(key, size_format, "a size", ": bytes, or a string with kB, MB, GB, KiB, MiB or GiB",
                        out);
        break;
    case KEY_DURATION:
        bounds_expected(key, duration_format, "a duration", ": a string with ms, s, m or h", out);
        break;
    case KEY_LIST:
        snprintf(out, CONFIG_EXPECTED_MAX, "an array of strings that are not empty");
        break;
    case KEY_MAP:
        snprintf(out, CONFIG_EXPECTED_MAX, "an object whose values are strings");
        break;
    case KEY_OBJECTS:
        snprintf(out, CONFIG_EXPECTED_MAX, "an array of up to 64 objects: {\"match\": {…}, \"set\": {…}}");
        break;
    }
}
