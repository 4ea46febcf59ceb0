#include "filter.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/regexp.h"
#include "base/text.h"
#include "encode/pretty/pretty.h"
#include "encode/terminal.h"

#define ID_PREFIX_MIN 4 /* digits of an id that may stand for it */
#define ESC           0x1b

struct regexps {
    struct regexp **items;
    size_t count;
};

struct tail_filter {
    const struct tail_options *o;
    struct regexps grep, exclude;
    bool *found;     /* for each name: a container is called so */
    bool any;        /* one is to be shown */
    struct buf text; /* scratch */
};

static int compile(struct regexps *out, const struct tail_texts *texts, const char *what, struct error *err)
{
    out->items = calloc(texts->count ? texts->count : 1, sizeof(struct regexp *));
    if (!out->items) {
        return error_set(err, "out of memory");
    }
    for (size_t i = 0; i < texts->count; i++) {
        out->items[i] = regexp_new(texts->items[i], what, err);
        if (!out->items[i]) {
            return -1;
        }
        out->count++;
    }
    return 0;
}

static void release(struct regexps *list)
{
    for (size_t i = 0; i < list->count; i++) {
        regexp_free(list->items[i]);
    }
    free(list->items);
}

struct tail_filter *tail_filter_new(const struct tail_options *o, struct error *err)
{
    struct tail_filter *f = calloc(1, sizeof(*f));
    if (!f) {
        error_set(err, "out of memory");
        return NULL;
    }
    f->o = o;
    f->found = calloc(o->names.count + 1, sizeof(bool));
    if (!f->found) {
        error_set(err, "out of memory");
        tail_filter_free(f);
        return NULL;
    }
    if (compile(&f->grep, &o->grep, "--grep", err) < 0 ||
        compile(&f->exclude, &o->exclude, "--exclude", err) < 0) {
        tail_filter_free(f);
        return NULL;
    }
    return f;
}

void tail_filter_free(struct tail_filter *f)
{
    if (f) {
        release(&f->grep);
        release(&f->exclude);
        buf_free(&f->text);
        free(f->found);
        free(f);
    }
}

/* -- containers -------------------------------------------------------------------------------- */

/* Is it the beginning of the id? */
static bool begins_id(const char *text, const char *id)
{
    size_t len = strlen(text);
    return id && len >= ID_PREFIX_MIN && strncmp(id, text, len) == 0;
}

static bool is_named(const char *glob, const struct tags *tags)
{
    char shown[256];
    struct slice name = pretty_name(tags);
    snprintf(shown, sizeof(shown), "%.*s", (int)name.len, name.ptr);
    return fnmatch(glob, tags->service, 0) == 0 || fnmatch(glob, shown, 0) == 0 ||
           (tags->container && fnmatch(glob, tags->container, 0) == 0) || begins_id(glob, tags->full_id);
}

static bool has_label(const char *wanted, const json_t *labels)
{
    const char *equals = strchr(wanted, '=');
    size_t len = equals ? (size_t)(equals - wanted) : strlen(wanted);
    const char *value = json_string_value(json_object_getn((json_t *)labels, wanted, len));
    return value && (!equals || fnmatch(equals + 1, value, 0) == 0);
}

static bool any_name(struct tail_filter *f, const struct tags *tags)
{
    const struct tail_texts *list = &f->o->names;
    bool any = list->count == 0;
    for (size_t i = 0; i < list->count; i++) {
        if (is_named(list->items[i], tags)) {
            f->found[i] = any = true;
        }
    }
    return any;
}

static bool any_project(const struct tail_texts *list, const struct tags *tags)
{
    for (size_t i = 0; i < list->count; i++) {
        if (tags->project && fnmatch(list->items[i], tags->project, 0) == 0) {
            return true;
        }
    }
    return list->count == 0;
}

/* Of labels all must be there, as with docker's own filters. */
static bool all_labels(const struct tail_texts *list, const struct identity *who)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!has_label(list->items[i], who->labels)) {
            return false;
        }
    }
    return true;
}

/* A container asked for by name is shown even where the configuration leaves it out; our own never is. */
static bool may_be_shown(const struct tail_options *o, const struct config *cfg, const struct tags *tags,
                         const struct identity *who)
{
    return !tags_is_own(who, tags_own_container()) &&
           (o->names.count > 0 || tags_wanted(tags, who, cfg, NULL));
}

bool tail_filter_container(struct tail_filter *f, const struct config *cfg, const struct tags *tags,
                           const struct identity *who, bool running)
{
    const struct tail_options *o = f->o;
    bool chosen = o->all || o->names.count || o->projects.count || o->labels.count;
    bool shown = may_be_shown(o, cfg, tags, who) && (running || chosen) && any_project(&o->projects, tags) &&
                 all_labels(&o->labels, who) && any_name(f, tags);
    f->any |= shown;
    return shown;
}

bool tail_filter_any(const struct tail_filter *f)
{
    return f->any;
}

bool tail_filter_found(const struct tail_filter *f, size_t name)
{
    return f->found[name];
}

/* -- lines ------------------------------------------------------------------------------------- */

/* A search that was given up says neither yes nor no: the line is shown. */
static bool any_match(const struct regexps *list, struct slice text, enum regexp_result least)
{
    for (size_t i = 0; i < list->count; i++) {
        struct span found;
        enum regexp_result result = regexp_find(list->items[i], text, 0, &found);
        if (result == REGEXP_FOUND || result == least) {
            return true;
        }
    }
    return false;
}

/* The text as patterns see it: what stands on the screen, so without the carriage return of a container with
 * a terminal. */
static struct slice searchable(struct tail_filter *f, struct slice text)
{
    bool ignored = false;
    text.len -= text.len > 0 && text.ptr[text.len - 1] == '\r';
    if (!(text.len > 0 && memchr(text.ptr, ESC, text.len)) && text_utf8_valid(text)) {
        return text;
    }
    f->text.len = 0;
    if (terminal_put(&f->text, text, false, &ignored) < 0) {
        return SLICE("");
    }
    return slice_of(f->text.data, f->text.len);
}

static bool matches(struct tail_filter *f, struct slice text)
{
    if (f->grep.count == 0 && f->exclude.count == 0) {
        return true;
    }
    text = searchable(f, text);
    return (f->grep.count == 0 || any_match(&f->grep, text, REGEXP_LIMIT)) &&
           !any_match(&f->exclude, text, REGEXP_FOUND);
}

/* Does the line go on with the one before it, as those of a stack trace do? */
static bool goes_on(struct slice text)
{
    static const char cause[] = "Caused by: ";
    return text.len == 0 || text.ptr[0] == ' ' || text.ptr[0] == '\t' ||
           (text.len >= sizeof(cause) - 1 && memcmp(text.ptr, cause, sizeof(cause) - 1) == 0);
}

static bool level_fits(struct tail_filter *f, struct tail_filter_state *state, enum severity level,
                       struct slice text)
{
    if (f->o->level == SEVERITY_NONE) {
        return true;
    }
    level = level == SEVERITY_NONE ? severity_detect(text) : level;
    if (level == SEVERITY_NONE && state->known && goes_on(text)) {
        return state->shown;
    }
    state->known = true;
    state->shown = level >= f->o->level;
    return state->shown;
}

bool tail_filter_line(struct tail_filter *f, struct tail_filter_state *state, enum stream stream,
                      enum severity level, struct slice text)
{
    if (f->o->stream >= 0 && (int)stream != f->o->stream) {
        return false;
    }
    return level_fits(f, state, level, text) && matches(f, text);
}
