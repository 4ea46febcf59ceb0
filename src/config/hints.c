/* What a container's labels ask for: sidetail.KEY=VALUE. They come from whoever may start a container, so a label that is
 * wrong is refused by itself, and none may be without end. */
#include "config/hints.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/distance.h"
#include "base/regexp.h"
#include "config/value.h"
#include "rules.h"

#define PREFIX       "sidetail."
#define VALUE_MAX    2048 /* bytes of a label's value */
#define PATTERNS_MAX 16   /* of one list */
#define PATTERN_SIZE                                                                                         \
    131072            /* bytes of one, compiled: some 10 times as many as those take that one comes across */
#define LABELS_MAX 64 /* of one container, that may be meant */
#define NEAR       2  /* edits that an unknown key may be away from a known one to be taken for a mistake */

struct hints {
    const struct config *cfg;
    struct hint_refused refused;
    json_t *set; /* keys and their values, as an override has them */
};

static void refuse(const struct hints *h, const char *label, const char *value, const struct error *why)
{
    if (h->refused.call) {
        h->refused.call(h->refused.arg, label, value, why);
    }
}

/* -- keys -------------------------------------------------------------------------------------- */

/* The key that is meant by what stands behind the prefix: `multiline` is multiline.rule, and `drop.NAME` is one more drop.
 * NULL: none. */
static const struct key *key_of(const char *name)
{
    char list[CONFIG_ENV_MAX];
    const struct key *key = config_key_find(strcmp(name, "multiline") == 0 ? "multiline.rule" : name);
    if (!key && strchr(name, '.')) {
        snprintf(list, sizeof(list), "%.*s", (int)strcspn(name, "."), name);
        key = config_key_find(list);
        key = key && key->type == KEY_LIST ? key : NULL;
    }
    return key;
}

static bool allowed(const struct config *cfg, const struct key *key)
{
    for (size_t i = 0; key->flags & KEY_HINT && i < cfg->hints_allow.count; i++) {
        if (fnmatch(cfg->hints_allow.items[i], key->path, 0) == 0) {
            return true;
        }
    }
    return false;
}

/* A key that is so much like the name that it is meant; NULL: it is somebody's own label. */
static const struct key *meant_by(const char *name)
{
    for (const struct key *key = config_keys; key->path; key++) {
        if (key->flags & KEY_HINT &&
            (name_distance(name, key->path) <= NEAR ||
             (strcmp(key->path, "multiline.rule") == 0 && name_distance(name, "multiline") <= NEAR))) {
            return key;
        }
    }
    return NULL;
}

/* -- values ------------------------------------------------------------------------------------ */

static int check_pattern(const struct key *key, const char *text, struct error *why)
{
    struct regexp *re = regexp_new(text, key->path, why);
    if (!re) {
        return -1;
    }
    int result = strcmp(key->path, "redact") == 0 ? regexp_refuse_empty(re, text, key->path, why) : 0;
    if (result == 0 && regexp_size(re) > PATTERN_SIZE) {
        result =
            error_set(why, "found a pattern that takes %zu bytes when it is compiled; expected %d at most",
                      regexp_size(re), PATTERN_SIZE);
    }
    regexp_free(re);
    return result;
}

/* The label's text as a value of the key: that of a list is one pattern, whatever commas it has. */
static json_t *value_of(const struct key *key, const char *text, struct error *why)
{
    struct config scratch = {0};
    size_t element;
    if (strlen(text) > VALUE_MAX) {
        error_set(why, "found %zu bytes; expected %d at most", strlen(text), VALUE_MAX);
        return NULL;
    }
    json_t *value = key->type == KEY_LIST ? json_pack("[s]", text) : config_value_from_text(key, text, why);
    int result = value ? config_value_set(key, &scratch, value, &element, why) : -1;
    config_value_clear(key, &scratch);
    if (result == 0 && key->flags & KEY_REGEX) {
        result = check_pattern(key, text, why);
    }
    if (result < 0) {
        json_decref(value);
        return NULL;
    }
    return value;
}

/* Adds it to the set. Takes the reference. 0, or -1 and why. */
static int add(struct hints *h, const struct key *key, json_t *value, struct error *why)
{
    size_t section = config_key_section(key);
    const char *name = key->path + section + (section > 0);
    json_t *members = section > 0 ? json_object_getn(h->set, key->path, section) : h->set;
    if (!members) {
        members = json_object();
        json_object_setn_new(h->set, key->path, section, members);
    }
    json_t *list = key->type == KEY_LIST ? json_object_get(members, name) : NULL;
    int result;
    if (list && json_array_size(list) >= PATTERNS_MAX) {
        result = error_set(why, "found more than %d patterns of %s; expected fewer", PATTERNS_MAX, key->path);
        json_decref(value);
    } else if (list) {
        result = json_array_extend(list, value);
        json_decref(value);
    } else {
        result = json_object_set_new(members, name, value);
    }
    return result;
}

/* Says which keys may be set, as far as there is room for them. */
static void refuse_key(const struct hints *h, struct error *why)
{
    const struct string_list *allow = &h->cfg->hints_allow;
    struct buf names = {0};
    for (size_t i = 0; i < allow->count; i++) {
        buf_addf(&names, "%s%s", i > 0 ? ", " : "one of ", allow->items[i]);
    }
    error_set(why, "found a key that hints.allow does not let labels set; expected %.*s",
              names.len > 0 ? (int)names.len : 4, names.len > 0 ? names.data : "none");
    buf_free(&names);
}

static void take(struct hints *h, const char *label, const char *text)
{
    struct error why = {.text = "out of memory"};
    const char *name = label + strlen(PREFIX);
    const struct key *key = key_of(name), *meant = key ? NULL : meant_by(name);
    if (!key && !meant) {
        return;
    }
    if (meant) {
        error_set(&why, "found an unknown label; expected " PREFIX "%s", meant->path);
    } else if (!allowed(h->cfg, key)) {
        refuse_key(h, &why);
    } else {
        json_t *value = value_of(key, text, &why);
        if (value && add(h, key, value, &why) == 0) {
            return;
        }
    }
    refuse(h, label, text, &why);
}

/* -- all of them ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of their names: whoever gives labels gives them in any. */
static void take_all(struct hints *h, const json_t *labels)
{
    size_t count = json_object_size(labels), n = 0;
    const char **names = calloc(count + 1, sizeof(*names)), *label;
    json_t *value;
    json_object_foreach((json_t *)labels, label, value)
    {
        bool ours = !strncmp(label, PREFIX, strlen(PREFIX)) && json_is_string(value);
        if (names && ours && strcmp(label, "sidetail.service") != 0 &&
            strcmp(label, "sidetail.enable") != 0) {
            names[n++] = label;
        }
    }
    if (n > 1) {
        qsort(names, n, sizeof(*names), compare);
    }
    for (size_t i = 0; i < n && i < LABELS_MAX; i++) {
        take(h, names[i], json_string_value(json_object_get(labels, names[i])));
    }
    if (n > LABELS_MAX) {
        struct error why;
        error_set(&why, "found more than %d labels that begin with " PREFIX "; expected fewer", LABELS_MAX);
        refuse(h, names[LABELS_MAX], "", &why);
    }
    free(names);
}

/* Takes away what does not go together with the settings that it would join: the section or the key at fault. */
static bool mend(struct hints *h, uint64_t overrides)
{
    struct config_fault fault;
    char *text = json_dumps(h->set, JSON_COMPACT), section[CONFIG_ENV_MAX], label[CONFIG_ENV_MAX * 2];
    struct config *with = text ? config_overridden(h->cfg, overrides, text) : NULL;
    int result = with ? config_rules_of_some(with, &fault) : 0;
    config_free(with);
    free(text);
    if (result == 0) {
        return true;
    }
    for (size_t i = 0; i < 2 && fault.keys[i]; i++) {
        snprintf(section, sizeof(section), "%.*s", (int)strcspn(fault.keys[i], "."), fault.keys[i]);
        if (json_object_get(h->set, section)) {
            snprintf(label, sizeof(label), PREFIX "%s", fault.keys[i]);
            refuse(h, label, "", &fault.why);
            json_object_del(h->set, section);
            return false;
        }
    }
    json_object_clear(h->set);
    return true;
}

char *config_hints(const struct config *cfg, uint64_t overrides, const json_t *labels,
                   struct hint_refused refused)
{
    struct hints h = {.cfg = cfg, .refused = refused, .set = json_object()};
    take_all(&h, labels);
    while (json_object_size(h.set) > 0 && !mend(&h, overrides)) {
    }
    char *text = json_object_size(h.set) > 0 ? json_dumps(h.set, JSON_COMPACT) : NULL;
    json_decref(h.set);
    return text;
}
