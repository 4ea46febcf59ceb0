/* The configuration as a whole: defaults, showing, comparing. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/userinfo.h"
#include "config/value.h"
#include "overrides.h"

struct config *config_defaults(void)
{
    struct config *cfg = calloc(1, sizeof(*cfg));
    for (const struct key *key = config_keys; cfg && key->path; key++) {
        struct error why;
        size_t element;
        json_t *value = config_value_from_text(key, key->fallback, &why);
        if (!value || config_value_set(key, cfg, value, &element, &why) < 0) {
            config_free(cfg);
            cfg = NULL;
        }
        json_decref(value);
    }
    return cfg;
}

void config_free(struct config *cfg)
{
    if (cfg) {
        config_overrides_clear(cfg);
    }
    for (const struct key *key = config_keys; cfg && key->path; key++) {
        if (!cfg->borrows || key->flags & KEY_SOME) {
            config_value_clear(key, cfg);
        }
    }
    free(cfg);
}

/* Properties of librdkafka that hold secrets. */
static bool property_secret(const char *name)
{
    static const char *const secret[] = {"*password*", "*secret*", "*.key.pem",
                                         "ssl_key",    "*jaas*",   "*oauthbearer.config"};
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
        if (fnmatch(secret[i], name, FNM_CASEFOLD) == 0) {
            return true;
        }
    }
    return false;
}

/* A string without the passwords of the URLs in it, or of the address that it is. */
static int mask_urls(const struct key *key, json_t *string)
{
    const char *text = json_string_value(string);
    char *shown = key->flags & KEY_ADDRESS ? userinfo_hide_address(text) : userinfo_hide(text);
    int result = shown ? json_string_set(string, shown) : -1;
    free(shown);
    return result;
}

/* Takes the reference of the value; NULL stays NULL. An empty secret is shown: it tells that it
 * is not set. */
static json_t *mask(const struct key *key, json_t *value)
{
    const char *name;
    json_t *item;
    if ((key->flags & KEY_SECRET) && json_string_length(value) > 0) {
        json_decref(value);
        return json_string("***");
    }
    if (key->type == KEY_MAP) {
        json_object_foreach(value, name, item)
        {
            if ((property_secret(name) ? json_string_set(item, "***") : mask_urls(key, item)) < 0) {
                json_decref(value);
                return NULL;
            }
        }
    }
    if (key->type == KEY_STRING && !(key->flags & KEY_REGEX) && value && mask_urls(key, value) < 0) {
        json_decref(value);
        return NULL;
    }
    return value;
}

/* The object that the key belongs into; borrowed, or NULL when memory is out. */
static json_t *section_of(json_t *root, const struct key *key)
{
    size_t len = config_key_section(key);
    if (len == 0) {
        return root;
    }
    json_t *section = json_object_getn(root, key->path, len);
    if (!section && json_object_setn_new(root, key->path, len, json_object()) == 0) {
        section = json_object_getn(root, key->path, len);
    }
    return section;
}

json_t *config_dump(const struct config *cfg)
{
    json_t *root = json_object();
    for (const struct key *key = config_keys; root && key->path; key++) {
        size_t section = config_key_section(key);
        const char *name = key->path + section + (section > 0);
        json_t *value = mask(key, config_value_get(key, cfg));
        if (json_object_set_new(section_of(root, key), name, value) < 0) {
            json_decref(root);
            root = NULL;
        }
    }
    return root;
}

const char *config_needs_restart(const struct config *running, const struct config *fresh)
{
    const struct key *key = config_keys;
    for (bool equal = true; key->path; key++) {
        if (key->flags & KEY_RESTART) {
            json_t *left = config_value_get(key, running), *right = config_value_get(key, fresh);
            equal = json_equal(left, right); /* false when memory is out: a restart is never wrong */
            json_decref(left);
            json_decref(right);
        }
        if (!equal) {
            break;
        }
    }
    return key->path;
}
