#include "record/tags.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "config/config.h"
#include "config/hints.h"
#include "hint_said.h"
#include "tags_fields.h"
#include "tags_limits.h"

#define SHORT_ID 12

static const char *label(const struct identity *who, const char *key)
{
    const char *value = json_string_value(json_object_get(who->labels, key));
    return value && *value ? value : NULL;
}

/* The first that is there and not empty. */
static const char *first_of(const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i] && *values[i]) {
            return values[i];
        }
    }
    return NULL;
}

#define FIRST(...)                                                                                           \
    first_of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* The host's own name, asked for once: it seldom changes, and records of one run should agree. */
static const char *host_name(void)
{
    static char name[HOST_NAME_MAX + 1];
    if (!*name && gethostname(name, sizeof(name) - 1) < 0) {
        strcpy(name, "unknown");
    }
    return name;
}

/* The first that fits; NULL: none does. */
static const char *fitting_glob(const struct string_list *globs, const char *text)
{
    for (size_t i = 0; text && i < globs->count; i++) {
        if (fnmatch(globs->items[i], text, 0) == 0) {
            return globs->items[i];
        }
    }
    return NULL;
}

/* The labels whose keys the configuration asks for. False when memory is out. */
static bool choose_labels(struct tags *tags, const json_t *labels, const struct config *cfg)
{
    const char *key;
    json_t *value;
    struct labels_room room = {0};
    json_object_foreach((json_t *)labels, key, value)
    {
        if (!json_is_string(value) || !fitting_glob(&cfg->labels, key) ||
            !tags_label_fits(&room, key, json_string_length(value))) {
            continue;
        }
        if (!tags->labels && !(tags->labels = json_object())) {
            return false;
        }
        if (json_object_set(tags->labels, key, value) < 0) {
            return false;
        }
    }
    tags_say_labels(tags, &room);
    return true;
}

/* Texts alone, which are `who`'s and the configuration's; but for `short_id`, which gets the id's first digits. */
static struct tags tags_of(const struct identity *who, const struct config *cfg,
                           char short_id[static SHORT_ID + 1])
{
    const char *name = who->name && *who->name == '/' ? who->name + 1 : who->name;
    short_id[0] = '\0';
    strncat(short_id, who->id ? who->id : "", SHORT_ID);
    return (struct tags){
        .service =
            FIRST(who->service, label(who, "sidetail.service"), label(who, "com.docker.swarm.service.name"),
                  label(who, "com.docker.compose.service"), name, short_id, cfg->service, "unknown"),
        .project = FIRST(label(who, "com.docker.compose.project"), label(who, "com.docker.stack.namespace")),
        .container = FIRST(name),
        .id = FIRST(short_id),
        .full_id = FIRST(who->id),
        .image = FIRST(who->image),
        .task = label(who, "com.docker.swarm.task.name"),
        .node = label(who, "com.docker.swarm.node.id"),
        .host = FIRST(cfg->host, host_name()),
        .namespace_ = FIRST(who->namespace_),
        .pod = FIRST(who->pod),
    };
}

const struct tags_choice tags_choice_none = {.format = -1};

static bool is_nothing(const struct tags_choice *choice)
{
    return choice->overrides == 0 && !choice->hints && !choice->hint_fault;
}

/* A copy with what was chosen and the texts behind it, in one block: there may be thousands. NULL: memory. */
static struct tags *copy_of(struct tags from, struct tags_choice choice)
{
    const char **texts[] = {&from.service, &from.project,     &from.container, &from.id,
                            &from.full_id, &from.image,       &from.task,      &from.node,
                            &from.pod,     &from.namespace_,  &from.host,      &choice.topic,
                            &choice.hints, &choice.hint_fault};
    enum { COUNT = sizeof(texts) / sizeof(texts[0]), OWN = COUNT - 4 }; /* the container's own come first */
    size_t size = is_nothing(&choice) ? 0 : sizeof(choice), lens[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        lens[i] = !*texts[i] ? 0 : i < OWN ? tags_text_len(*texts[i]) : strlen(*texts[i]);
        size += *texts[i] ? lens[i] + 1 : 0;
    }
    struct tags *tags = malloc(sizeof(*tags) + size);
    if (!tags) {
        return NULL;
    }
    char *at = (char *)(tags + 1);
    struct tags_choice *chosen = NULL;
    if (!is_nothing(&choice)) {
        chosen = (struct tags_choice *)(tags + 1);
        at = (char *)(chosen + 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (*texts[i]) {
            *texts[i] = memcpy(at, *texts[i], lens[i]);
            at += lens[i];
            *at++ = '\0';
        }
    }
    *tags = from;
    if (chosen) {
        *chosen = choice;
        tags->choice = chosen;
    }
    return tags;
}

/* The first of the globs, `key` or `key=value`, that fits one of the labels; NULL: none does. */
static const char *fitting_label(const struct string_list *globs, const json_t *labels)
{
    const char *key;
    json_t *value;
    struct buf pair = {0};
    const char *found = NULL;
    json_object_foreach((json_t *)labels, key, value)
    {
        pair.len = 0;
        const char *text = json_string_value(value);
        bool made = text && buf_addf(&pair, "%s=%s", key, text) == 0 && buf_add(&pair, "", 1) == 0;
        for (size_t i = 0; made && i < globs->count && !found; i++) {
            const char *glob = globs->items[i];
            found = fnmatch(glob, strchr(glob, '=') ? pair.data : key, 0) == 0 ? glob : NULL;
        }
    }
    buf_free(&pair);
    return found;
}

/* Of those kinds that have globs each must fit. */
static struct tags_refusal not_included(const struct tags *tags, const struct identity *who,
                                        const struct selection *by)
{
    const char *key = NULL;
    if (by->services.count > 0 && !fitting_glob(&by->services, tags->service)) {
        key = "include.services";
    } else if (by->containers.count > 0 && !fitting_glob(&by->containers, tags->container)) {
        key = "include.containers";
    } else if (by->labels.count > 0 && !fitting_label(&by->labels, who->labels)) {
        key = "include.labels";
    }
    return (struct tags_refusal){.by = key};
}

/* Later ones go over earlier ones. */
static struct tags_choice choose_overrides(const struct tags *tags, const struct identity *who,
                                           const struct config *cfg)
{
    struct tags_choice choice = tags_choice_none;
    for (size_t i = 0; i < cfg->override_count; i++) {
        const struct override *o = &cfg->overrides[i];
        if (!not_included(tags, who, &o->match).by) {
            choice.overrides |= UINT64_C(1) << i;
            choice.format = o->format >= 0 ? o->format : choice.format;
            choice.topic = o->topic ? o->topic : choice.topic;
        }
    }
    return choice;
}

/* What labels ask for that cannot be had. */
struct refused_hints {
    const struct tags *tags;
    struct error *first;
};

static void on_refused(void *arg, const char *label, const char *value, const struct error *why)
{
    const struct refused_hints *refused = arg;
    const struct tags *tags = refused->tags;
    if (!refused->first->text[0]) {
        error_set(refused->first, "label %.*s: %s", TAG_LABEL_SHOWN, label, why->text);
    }
    if (hint_is_new(tags, label, value)) {
        metrics.refused_hints++;
        log_warn("a container's label is wrong: its lines go on as without it",
                 KV("container", FIRST(tags->container, tags->id, tags->service)), KV("label", label),
                 KV("error", why->text));
    }
}

/* Sets `hints`, which the caller frees, and what they say of format and topic; *set is what that lies in, *fault what is wrong
 * with them. */
static char *choose_hints(struct tags_choice *choice, const struct tags *tags, const struct identity *who,
                          const struct config *cfg, json_t **set, struct error *fault)
{
    struct refused_hints refused = {tags, fault};
    char *hints = NULL;
    *set = NULL;
    if (who->labels && cfg->hints_allow.count > 0) {
        hints =
            config_hints(cfg, choice->overrides, who->labels, (struct hint_refused){on_refused, &refused});
    }
    if (hints && (*set = json_loads(hints, 0, NULL))) {
        struct override o;
        config_override_read(&o, *set);
        choice->format = o.format >= 0 ? o.format : choice->format;
        choice->topic = o.topic ? o.topic : choice->topic;
    }
    choice->hints = hints;
    choice->hint_fault = fault->text[0] ? fault->text : NULL;
    return hints;
}

/* With what overrides and hints make of a container that is called so. NULL: memory. */
static struct tags *choose(const struct tags *called, const struct identity *who, const struct config *cfg)
{
    struct tags_choice choice = choose_overrides(called, who, cfg);
    json_t *set;
    struct error fault = {0};
    char *hints = choose_hints(&choice, called, who, cfg, &set, &fault);
    struct tags *tags = copy_of(*called, choice);
    json_decref(set);
    free(hints);
    return tags;
}

struct tags *tags_new(const struct identity *who, const struct config *cfg)
{
    char short_id[SHORT_ID + 1];
    struct tags whole = tags_of(who, cfg, short_id);
    tags_say_long(&whole);
    struct tags *called = copy_of(whole, tags_choice_none); /* what is chosen goes by what is shown */
    struct tags *tags = called ? choose(called, who, cfg) : NULL;
    free(called);
    if (!tags) {
        return NULL;
    }
    tags->refs = 1;
    if (!choose_labels(tags, who->labels, cfg)) {
        tags_unref(tags);
        return NULL;
    }
    tags->stats = metrics_service(tags->service);
    return tags;
}

struct tags *tags_known(const struct tags *of)
{
    struct tags *tags = copy_of(*of, tags_choice_none);
    if (!tags) {
        return NULL;
    }
    tags->refs = 1;
    json_incref(tags->labels);
    return tags;
}

struct tags *tags_ref(struct tags *tags)
{
    tags->refs++;
    return tags;
}

void tags_unref(struct tags *tags)
{
    if (!tags || --tags->refs > 0) {
        return;
    }
    json_decref(tags->labels);
    free(tags->json);
    free(tags->logfmt);
    free(tags);
}

static struct tags_refusal excluded(const struct tags *tags, const struct identity *who,
                                    const struct selection *by)
{
    const struct tags_refusal fits[] = {
        {"exclude.services", fitting_glob(&by->services, tags->service)},
        {"exclude.containers", fitting_glob(&by->containers, tags->container)},
        {"exclude.labels", fitting_label(&by->labels, who->labels)}};
    for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
        if (fits[i].value) {
            return fits[i];
        }
    }
    return (struct tags_refusal){0};
}

/* The label's value, where it says no. */
static const char *opted_out(const struct identity *who)
{
    static const char *const no[] = {"false", "0", "no", "off"};
    const char *value = label(who, "sidetail.enable");
    for (size_t i = 0; value && i < sizeof(no) / sizeof(no[0]); i++) {
        if (strcasecmp(value, no[i]) == 0) {
            return value;
        }
    }
    return NULL;
}

bool tags_is_own(const struct identity *who, const char *self)
{
    return self && who->id && strcmp(self, who->id) == 0;
}

struct tags_refusal tags_refused(const struct tags *tags, const struct identity *who,
                                 const struct config *cfg, const char *self)
{
    if (tags_is_own(who, self)) {
        return (struct tags_refusal){.by = TAGS_OWN};
    }
    const char *no = opted_out(who);
    if (no) {
        return (struct tags_refusal){"label sidetail.enable", no};
    }
    struct tags_refusal refusal = not_included(tags, who, &cfg->include);
    return refusal.by ? refusal : excluded(tags, who, &cfg->exclude);
}

bool tags_wanted(const struct tags *tags, const struct identity *who, const struct config *cfg,
                 const char *self)
{
    return !tags_refused(tags, who, cfg, self).by;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_choice(const struct tags_choice *a, const struct tags_choice *b)
{
    return a->overrides == b->overrides && a->format == b->format && same_text(a->topic, b->topic) &&
           same_text(a->hints, b->hints) && same_text(a->hint_fault, b->hint_fault);
}

bool tags_same(const struct tags *a, const struct tags *b)
{
    struct tag_field of_a[TAG_FIELDS], of_b[TAG_FIELDS];
    tags_fields(a, of_a);
    tags_fields(b, of_b);
    for (size_t i = 0; i < TAG_FIELDS; i++) {
        if (!same_text(of_a[i].value, of_b[i].value)) {
            return false;
        }
    }
    return same_text(a->service, b->service) &&
           (a->labels == b->labels || json_equal(a->labels, b->labels)) &&
           same_choice(tags_chosen(a), tags_chosen(b));
}
