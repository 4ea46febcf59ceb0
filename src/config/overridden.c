/* What overrides do to a configuration. */
#include <stdlib.h>
#include <string.h>

#include "overrides.h"

static int set(struct config *cfg, const char *path, const json_t *value)
{
    struct error why;
    size_t element;
    const struct key *key = config_key_find(path);
    return value ? config_value_set(key, cfg, value, &element, &why) : -1;
}

static int set_default(struct config *cfg, const char *path)
{
    struct error why;
    const struct key *key = config_key_find(path);
    json_t *value = config_value_from_text(key, key->fallback, &why);
    int result = set(cfg, path, value);
    json_decref(value);
    return result;
}

/* What was checked is not checked again: that would compile each expression. */
static int append(struct string_list *list, const char *text)
{
    char *copy = strdup(text);
    char **items = copy ? realloc(list->items, (list->count + 1) * sizeof(*items)) : NULL;
    if (!items) {
        free(copy);
        return -1;
    }
    items[list->count++] = copy;
    list->items = items;
    return 0;
}

static void *field_of(const struct key *key, const struct config *cfg)
{
    return (char *)cfg + key->offset;
}

/* Gives the copy a value of its own; scalars have been copied. The field is empty. */
static int own(struct config *made, const struct config *cfg, const struct key *key)
{
    int result = 0;
    if (key->type == KEY_STRING) {
        char *text = strdup(*(char *const *)field_of(key, cfg));
        *(char **)field_of(key, made) = text;
        result = text ? 0 : -1;
    } else if (key->type == KEY_LIST) {
        const struct string_list *list = field_of(key, cfg);
        for (size_t i = 0; result == 0 && i < list->count; i++) {
            result = append(field_of(key, made), list->items[i]);
        }
    }
    return result;
}

static struct config *copy(const struct config *cfg)
{
    struct config *made = malloc(sizeof(*made));
    if (!made) {
        return NULL;
    }
    *made = *cfg;
    made->borrows = true;
    made->overrides = NULL;
    made->override_count = 0;
    for (const struct key *key = config_keys; key->path; key++) {
        if (key->flags & KEY_SOME && key->type == KEY_STRING) {
            *(char **)field_of(key, made) = NULL;
        } else if (key->flags & KEY_SOME && key->type == KEY_LIST) {
            *(struct string_list *)field_of(key, made) = (struct string_list){0};
        }
    }
    for (const struct key *key = config_keys; key->path; key++) {
        if (key->flags & KEY_SOME && own(made, cfg, key) < 0) {
            config_free(made);
            return NULL;
        }
    }
    return made;
}

static int set_one(const struct key *key, const json_t *value, void *arg)
{
    return set(arg, key->path, value);
}

static int64_t lower(int64_t set, int64_t asked)
{
    return set > 0 && (asked == 0 || asked > set) ? set : asked;
}

struct hinted {
    struct config *cfg;
    int64_t limit, burst; /* the operator's */
};

/* A hint adds to a list, and a limit of the operator's stays one. */
static int set_hint(const struct key *key, const json_t *value, void *arg)
{
    const struct hinted *h = arg;
    struct config *cfg = h->cfg;
    if (key->type == KEY_LIST) {
        size_t i;
        json_t *text;
        json_array_foreach((json_t *)value, i, text)
        {
            if (append(field_of(key, cfg), json_string_value(text)) < 0) {
                return -1;
            }
        }
        return 0;
    }
    if (strcmp(key->path, "rate_limit") == 0) {
        cfg->rate_limit = lower(h->limit, json_integer_value(value));
        return 0;
    }
    if (strcmp(key->path, "rate_burst") == 0) {
        cfg->rate_burst = lower(h->burst, json_integer_value(value));
        return 0;
    }
    return set(cfg, key->path, value);
}

/* A rule comes with its own patterns, and a limit with its own burst: those of what it replaces would not go with it. */
static int set_rule(struct config *cfg, const json_t *members)
{
    bool rule = json_object_get(json_object_get(members, "multiline"), "rule");
    if (rule && (set_default(cfg, "multiline.first") < 0 || set_default(cfg, "multiline.next") < 0)) {
        return -1;
    }
    return 0;
}

static int apply(struct config *cfg, const json_t *members)
{
    if (set_rule(cfg, members) < 0) {
        return -1;
    }
    if (json_object_get(members, "rate_limit") && set_default(cfg, "rate_burst") < 0) {
        return -1;
    }
    return config_override_each(members, set_one, cfg);
}

static int apply_hints(struct config *cfg, const char *hints)
{
    json_t *members = json_loads(hints, 0, NULL);
    struct hinted h = {cfg, cfg->rate_limit, cfg->rate_burst > 0 ? cfg->rate_burst : cfg->rate_limit};
    cfg->rate_burst = h.burst; /* a lower limit leaves it */
    cfg->hinted.any = true;
    const json_t *multiline = json_object_get(members, "multiline");
    cfg->hinted.joins = cfg->multiline_rule[0] == '\0' && json_object_get(multiline, "rule");
    cfg->hinted.multiline = json_object_get(multiline, "first") || json_object_get(multiline, "next");
    cfg->hinted.drop = cfg->drop.count;
    cfg->hinted.redact = cfg->redact.count;
    int result = members && set_rule(cfg, members) == 0 ? config_override_each(members, set_hint, &h) : -1;
    json_decref(members);
    return result;
}

struct config *config_overridden(const struct config *cfg, uint64_t overrides, const char *hints)
{
    struct config *made = copy(cfg);
    for (size_t i = 0; made && i < cfg->override_count; i++) {
        if (overrides >> i & 1 && apply(made, cfg->overrides[i].set) < 0) {
            config_free(made);
            made = NULL;
        }
    }
    if (made && hints && apply_hints(made, hints) < 0) {
        config_free(made);
        made = NULL;
    }
    return made;
}

/* -- in words ---------------------------------------------------------------------------------- */

struct teller {
    const struct config *cfg;
    FILE *out;
    const char *before; /* what stands before the next one */
};

static void tell_globs(struct teller *t, const char *kind, const struct string_list *globs)
{
    for (size_t i = 0; i < globs->count; i++) {
        fprintf(t->out, "%s%s%s", i > 0 ? ", " : t->before, i > 0 ? "" : kind, globs->items[i]);
        t->before = " with ";
    }
}

static int tell_value(FILE *out, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    int result = text ? fputs(text, out) : -1;
    free(text);
    return result < 0 ? -1 : 0;
}

static int tell_one(const struct key *key, const json_t *value, void *arg)
{
    struct teller *t = arg;
    json_t *before = config_value_get(key, t->cfg);
    fprintf(t->out, "%s%s is ", t->before, key->path);
    int result = tell_value(t->out, value);
    fputs(" in place of ", t->out);
    result = result < 0 || tell_value(t->out, before) < 0 ? -1 : 0;
    json_decref(before);
    t->before = ", ";
    return result;
}

int config_overrides_tell(const struct config *cfg, FILE *out)
{
    for (size_t i = 0; i < cfg->override_count; i++) {
        const struct override *o = &cfg->overrides[i];
        struct teller t = {.cfg = cfg, .out = out, .before = " for "};
        fprintf(out, "overrides[%zu]", i);
        tell_globs(&t, "services ", &o->match.services);
        tell_globs(&t, "containers ", &o->match.containers);
        tell_globs(&t, "labels ", &o->match.labels);
        t.before = ": ";
        if (config_override_each(o->set, tell_one, &t) < 0 || fputc('\n', out) == EOF) {
            return -1;
        }
    }
    return 0;
}
