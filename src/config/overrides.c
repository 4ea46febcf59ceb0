#include "overrides.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- checking ---------------------------------------------------------------------------------- */

struct checker {
    struct override_fault *fault;
    char path[192]; /* in words */
};

/* Goes down to a member or an element; what it returns is for go_up. */
static size_t go_down(struct checker *c, size_t index, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t go_down(struct checker *c, size_t index, const char *format, ...)
{
    size_t len = strlen(c->path);
    va_list args;
    va_start(args, format);
    vsnprintf(c->path + len, sizeof(c->path) - len, format, args);
    va_end(args);
    c->fault->path[c->fault->depth++] = index;
    return len;
}

static void go_up(struct checker *c, size_t len)
{
    c->path[len] = '\0';
    c->fault->depth--;
}

static int refuse(struct checker *c, bool key, const char *found, const char *expected)
{
    c->fault->key = key;
    return error_set(&c->fault->why, "%s: found %s; expected %s", c->path, found, expected);
}

/* Of an object, that something is missing in it. */
static int refuse_value(struct checker *c, const json_t *value, const char *expected)
{
    char found[ERROR_QUOTE_MAX];
    config_value_describe(value, true, found);
    if (json_is_object(value)) {
        snprintf(found, sizeof(found), json_object_size(value) > 0 ? "one of them only" : "an empty object");
    }
    return refuse(c, false, found, expected);
}

/* The keys that an override may set, in words. */
static void settable(char out[512])
{
    size_t len = 0;
    for (const struct key *key = config_keys; key->path; key++) {
        if (key->flags & KEY_SOME && len < 512) {
            len += (size_t)snprintf(out + len, 512 - len, "%s%s", len > 0 ? ", " : "", key->path);
        }
    }
}

static int check_value(struct checker *c, const struct key *key, const json_t *value)
{
    struct config scratch = {0};
    struct error why;
    size_t element;
    int result = config_value_set(key, &scratch, value, &element, &why);
    config_value_clear(key, &scratch);
    if (result < 0 && element != CONFIG_WHOLE) {
        go_down(c, element, "[%zu]", element);
    }
    return result < 0 ? error_set(&c->fault->why, "%s: %s", c->path, why.text) : 0;
}

static int check_match(struct checker *c, const json_t *match)
{
    const char *name;
    json_t *globs;
    size_t index = 0;
    if (!json_is_object(match) || json_object_size(match) == 0) {
        return refuse_value(c, match, "an object with globs of services, containers or labels");
    }
    json_object_foreach((json_t *)match, name, globs)
    {
        char path[64];
        size_t up = go_down(c, index++, ".%s", name);
        snprintf(path, sizeof(path), "include.%s", name);
        const struct key *key = config_key_find(path);
        if (!key) {
            return refuse(c, true, "an unknown key", "services, containers or labels");
        }
        if (json_is_array(globs) && json_array_size(globs) == 0) {
            return refuse(c, false, "an empty array", "globs");
        }
        if (check_value(c, key, globs) < 0) {
            return -1;
        }
        go_up(c, up);
    }
    return 0;
}

static int check_key(struct checker *c, const char *path, const json_t *value)
{
    const struct key *key = config_key_find(path);
    if (!key || !(key->flags & KEY_SOME)) {
        char expected[512];
        settable(expected);
        return refuse(c, true, key ? "a key that holds for all containers" : "an unknown key", expected);
    }
    return check_value(c, key, value);
}

/* Members of `set`, or of a section in it; `section` is "" or its name and a dot. */
static int check_set(struct checker *c, const char *section, const json_t *members)
{
    const char *name;
    json_t *value;
    size_t index = 0;
    if (!json_is_object(members) || json_object_size(members) == 0) {
        return refuse_value(c, members, "an object with keys to set");
    }
    json_object_foreach((json_t *)members, name, value)
    {
        char path[128];
        size_t up = go_down(c, index++, ".%s", name);
        snprintf(path, sizeof(path), "%s%s", section, name);
        bool is_section = !*section && config_section_known(name);
        if (is_section) {
            snprintf(path, sizeof(path), "%s.", name);
        }
        if ((is_section ? check_set(c, path, value) : check_key(c, path, value)) < 0) {
            return -1;
        }
        go_up(c, up);
    }
    return 0;
}

static int check_override(struct checker *c, const json_t *override)
{
    const char *name;
    json_t *value;
    size_t index = 0;
    if (!json_object_get(override, "match") || !json_object_get(override, "set")) {
        return refuse_value(c, override, "an object with match and set");
    }
    json_object_foreach((json_t *) override, name, value)
    {
        size_t up = go_down(c, index++, ".%s", name);
        bool match = !strcmp(name, "match");
        if (!match && strcmp(name, "set") != 0) {
            return refuse(c, true, "an unknown key", "match or set");
        }
        if ((match ? check_match(c, value) : check_set(c, "", value)) < 0) {
            return -1;
        }
        go_up(c, up);
    }
    return 0;
}

int config_overrides_check(const json_t *list, struct override_fault *fault)
{
    struct checker c = {.fault = fault, .path = "overrides"};
    size_t i;
    json_t *override;
    *fault = (struct override_fault){0};
    json_array_foreach((json_t *)list, i, override)
    {
        size_t up = go_down(&c, i, "[%zu]", i);
        if (check_override(&c, override) < 0) {
            return -1;
        }
        go_up(&c, up);
    }
    return 0;
}

/* -- taking apart ------------------------------------------------------------------------------ */

int config_override_each(const json_t *set, int (*one)(const struct key *key, const json_t *value, void *arg),
                         void *arg)
{
    int result = 0;
    for (const struct key *key = config_keys; result == 0 && key->path; key++) {
        size_t section = config_key_section(key);
        const json_t *members = section > 0 ? json_object_getn(set, key->path, section) : set;
        const json_t *value = json_object_get(members, key->path + section + (section > 0));
        if (value && key->flags & KEY_SOME) {
            result = one(key, value, arg);
        }
    }
    return result;
}

/* The globs of one kind, by way of a field that has them. */
static int take_globs(struct config *scratch, const json_t *match, const char *kind)
{
    char path[64];
    struct error why;
    size_t element;
    const json_t *globs = json_object_get(match, kind);
    snprintf(path, sizeof(path), "include.%s", kind);
    return globs ? config_value_set(config_key_find(path), scratch, globs, &element, &why) : 0;
}

void config_override_read(struct override *o, const json_t *set)
{
    struct config scratch = {0};
    struct error why;
    size_t element;
    const json_t *format = json_object_get(set, "format");
    bool sets = format && config_value_set(config_key_find("format"), &scratch, format, &element, &why) == 0;
    *o = (struct override){
        .set = set,
        .format = sets ? (int)scratch.format : -1,
        .topic = json_string_value(json_object_get(json_object_get(set, "kafka"), "topic")),
    };
}

static int build(struct override *o, const json_t *given)
{
    struct config scratch = {0};
    const json_t *match = json_object_get(given, "match"), *set = json_object_get(given, "set");
    int result = take_globs(&scratch, match, "services") < 0 ||
                         take_globs(&scratch, match, "containers") < 0 ||
                         take_globs(&scratch, match, "labels") < 0
                     ? -1
                     : 0;
    config_override_read(o, set);
    o->match = scratch.include;
    return result;
}

int config_overrides_build(struct config *cfg)
{
    size_t count = json_array_size(cfg->overrides_json);
    config_overrides_clear(cfg);
    cfg->overrides = count > 0 ? calloc(count, sizeof(*cfg->overrides)) : NULL;
    if (count > 0 && !cfg->overrides) {
        return -1;
    }
    while (cfg->override_count < count) {
        size_t i = cfg->override_count++;
        if (build(&cfg->overrides[i], json_array_get(cfg->overrides_json, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

void config_overrides_clear(struct config *cfg)
{
    for (size_t i = 0; i < cfg->override_count; i++) {
        struct config scratch = {.include = cfg->overrides[i].match};
        config_value_clear(config_key_find("include.services"), &scratch);
        config_value_clear(config_key_find("include.containers"), &scratch);
        config_value_clear(config_key_find("include.labels"), &scratch);
    }
    free(cfg->overrides);
    cfg->overrides = NULL;
    cfg->override_count = 0;
}
