#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "overrides.h"
#include "rules.h"

static size_t index_of(const char *path)
{
    return (size_t)(config_key_find(path) - config_keys);
}

/* A broken rule, told where the user said the first of the two keys. */
static int broken_rule(const struct loading *l, const struct config_fault *fault, struct error *err)
{
    for (size_t i = 0; i < 2 && fault->keys[i]; i++) {
        const struct key *key = config_key_find(fault->keys[i]);
        const struct origin *origin = &l->origins[index_of(fault->keys[i])];
        char env[CONFIG_ENV_MAX];
        if (origin->kind == ORIGIN_FILE) {
            return error_set(err, "%s:%u:%u: %s", l->path, origin->location.line, origin->location.column,
                             fault->why.text);
        }
        if (origin->kind == ORIGIN_ENV) {
            config_key_env(key, env);
            return error_set(err, "%s: %s", env, fault->why.text);
        }
    }
    return error_set(err, "%s", fault->why.text);
}

/* With each override by itself the settings must go together, too. */
static int check_overrides(const struct loading *l, struct error *err)
{
    if (config_overrides_build(l->cfg) < 0) {
        return error_set(err, "out of memory while reading the configuration");
    }
    for (size_t i = 0; i < l->cfg->override_count; i++) {
        struct config_fault fault;
        struct config *with = config_overridden(l->cfg, UINT64_C(1) << i, NULL);
        if (!with) {
            return error_set(err, "out of memory while reading the configuration");
        }
        int result = config_rules(with, &fault);
        config_free(with);
        if (result < 0) {
            struct config_fault in = {.keys = {"overrides", NULL}};
            error_set(&in.why, "overrides[%zu].set: %s", i, fault.why.text);
            return broken_rule(l, &in, err);
        }
    }
    return 0;
}

static int load(struct loading *l, struct error *err)
{
    struct config_fault fault;
    if (l->path && config_load_file(l, err) < 0) {
        return -1;
    }
    if (config_load_env(l, err) < 0) {
        return -1;
    }
    l->cfg->metrics_listen_set = l->origins[index_of("metrics.listen")].kind != ORIGIN_DEFAULT;
    if (config_rules(l->cfg, &fault) < 0) {
        return broken_rule(l, &fault, err);
    }
    return check_overrides(l, err);
}

struct config *config_load(const char *path, struct error *err)
{
    const char *env = getenv(CONFIG_ENV_FILE);
    struct loading l = {
        .cfg = config_defaults(),
        .path = path          ? path
                : env && *env ? env
                              : NULL,
        .origins = calloc(config_key_count, sizeof(*l.origins)),
    };
    int result =
        l.cfg && l.origins ? load(&l, err) : error_set(err, "out of memory while reading the configuration");
    free(l.origins);
    if (result < 0) {
        config_free(l.cfg);
        return NULL;
    }
    return l.cfg;
}
