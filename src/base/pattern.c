#include "base/pattern.h"

#include <limits.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/distance.h"
#include "base/glob.h"
#include "base/memory.h"

#define MAX_PARTS 8 /* named parts in one component */

struct component {
    regex_t regex;
    bool compiled;
    bool any; /* `**`, which has no regex */
    bool dot; /* it begins with a dot, so the names that it matches may, too */
    size_t parts;
    int captured[MAX_PARTS]; /* enum capture, or one above it: not kept */
};

struct pattern {
    char *base;
    struct component *components;
    size_t depth;
};

/* -- a component ------------------------------------------------------------------------------- */

static int find_part(const char *name, size_t len, struct error *err)
{
    static const char *const names[] = {"service", "container", "namespace", "pod", "uid", "id"};
    char given[NAME_MAX + 1];
    size_t nearest = 0;
    len = len < sizeof(given) - 1 ? len : sizeof(given) - 1;
    memcpy(given, name, len);
    given[len] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], given) == 0) {
            return (int)i;
        }
        if (name_distance(given, names[i]) < name_distance(given, names[nearest])) {
            nearest = i;
        }
    }
    return error_set(err,
                     "{%s} is no named part, the nearest is {%s}; {a,b} means either, and \\{ the character",
                     given, names[nearest]);
}

/* `{name}` at p. Its length, or 0 when it is faulty. */
static size_t translate_part(const char *p, size_t len, struct component *c, struct buf *out,
                             struct error *err)
{
    const char *close = memchr(p, '}', len);
    if (!close || close == p + 1 || c->parts == MAX_PARTS) {
        error_set(err, !close           ? "a { is not closed; write \\{ for the character"
                       : close == p + 1 ? "{} has no name; write \\{ for the character"
                                        : "a name has more than 8 named parts");
        return 0;
    }
    int which = find_part(p + 1, (size_t)(close - p) - 1, err);
    if (which < 0) {
        return 0;
    }
    c->captured[c->parts++] = which;
    buf_add(out, "(.+)", 4);
    return (size_t)(close - p) + 1;
}

/* `[…]` at p, as one of a regular expression, where a backslash means nothing: [\]-] is [[.].]-]. */
static size_t translate_set(const char *p, struct buf *out, struct error *err)
{
    size_t len = glob_set_length(p), at = p[1] == '!' || p[1] == '^' ? 2 : 1;
    if (len == 0) {
        error_set(err, "a [ is not closed; write \\[ for the character");
        return 0;
    }
    buf_add(out, at == 2 ? "[^" : "[", at);
    for (; at < len; at++) {
        if (p[at] == '\\' && at + 2 < len) {
            const char character[] = {'[', '.', p[++at], '.', ']'};
            buf_add(out, character, sizeof(character));
        } else {
            buf_add(out, p + at, 1);
        }
    }
    return len;
}

/* One element of the glob at p, as a regular expression. Its length, or 0 when it is faulty. */
static size_t translate_one(const char *p, size_t len, struct component *c, struct buf *out,
                            struct error *err)
{
    size_t stars = strspn(p, "*");
    if (stars > 0 || *p == '?') {
        buf_add(out, ".*", stars > 0 ? 2 : 1);
        return stars > 0 ? stars : 1;
    }
    if (*p == '[') {
        return translate_set(p, out, err);
    }
    if (*p == '{') {
        return translate_part(p, len, c, out, err);
    }
    if (*p == '\\' && len == 1) {
        error_set(err, "a \\ has no character behind it; write \\\\ for the character");
        return 0;
    }
    size_t used = *p == '\\' ? 2 : 1;
    if (strchr("*?[{.\\+()|^$}]", p[used - 1])) {
        buf_add(out, "\\", 1);
    }
    buf_add(out, p + used - 1, 1);
    return used;
}

static int compile(struct component *c, const char *text, size_t len, struct error *err)
{
    struct buf regex = {0};
    c->dot = text[text[0] == '\\'] == '.';
    buf_add(&regex, "^", 1);
    for (size_t at = 0, used; at < len; at += used) {
        used = translate_one(text + at, len - at, c, &regex, err);
        if (used == 0) {
            buf_free(&regex);
            return -1;
        }
    }
    int failed = buf_add(&regex, "$", 2); /* with its NUL */
    failed = failed || regcomp(&c->regex, regex.data, REG_EXTENDED) != 0;
    buf_free(&regex);
    if (failed) {
        return error_set(err, "'%.*s' is not a valid glob", (int)len, text);
    }
    c->compiled = true;
    return 0;
}

/* -- a pattern --------------------------------------------------------------------------------- */

static void pattern_free(struct pattern *p)
{
    for (size_t i = 0; p && i < p->depth; i++) {
        if (p->components[i].compiled) {
            regfree(&p->components[i].regex);
        }
    }
    if (p) {
        free(p->components);
        free(p->base);
    }
    free(p);
}

static int add_component(struct pattern *p, const char *text, size_t len, struct error *err)
{
    bool any = len == 2 && memcmp(text, "**", 2) == 0;
    if (any && p->depth > 0 && p->components[p->depth - 1].any) {
        return 0;
    }
    struct component *grown = realloc(p->components, (p->depth + 1) * sizeof(*grown));
    if (!grown) {
        return error_set(err, "out of memory");
    }
    p->components = grown;
    grown[p->depth] = (struct component){.any = any};
    struct component *c = &grown[p->depth++];
    return any ? 0 : compile(c, text, len, err);
}

/* How many dots a name is, 1 or 2, which stand for directories; 0: it is another name. */
static size_t count_dots(const char *name, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; i++, dots++) {
        i += name[i] == '\\' && i + 1 < len;
        if (name[i] != '.') {
            return 0;
        }
    }
    return dots <= 2 ? dots : 0;
}

/* The components of the text, which begins with a slash. A `**` at the end means what is in directories. */
static int add_components(struct pattern *p, const char *text, struct error *err)
{
    while (*text) {
        size_t len = strcspn(text + 1, "/"), dots = count_dots(text + 1, len);
        if (dots > 0 && text[1 + len] == '\0') {
            return error_set(err, "a . at its end makes it a directory");
        }
        if (dots == 2) {
            return error_set(err, "a .. is known in an absolute path only, before all wildcards and braces; "
                                  "write the path without it");
        }
        if (len > 0 && dots == 0 && add_component(p, text + 1, len, err) < 0) {
            return -1;
        }
        text += 1 + len;
    }
    bool any = p->depth > 0 && p->components[p->depth - 1].any;
    return any ? add_component(p, "*", 1, err) : 0;
}

/* Brings an absolute path into the form in which paths are compared: one slash between two names, without `.`; a `..`
 * takes away the name before it. */
static void tidy(char *path)
{
    char *out = path;
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        size_t len = strcspn(at, "/"), dots = len <= 2 && strspn(at, ".") >= len ? len : 0;
        while (dots == 2 && out > path && *--out != '/') {
        }
        if (dots < len) {
            *out++ = '/';
            memmove(out, at, len);
            out += len;
        }
        at += len;
    }
    out += out == path; /* the root */
    *out = '\0';
}

/* Where the components begin: at the slash before the first one with a wildcard, or before the last one. */
static size_t base_length(const char *glob)
{
    size_t len = glob_fixed_length(glob);
    while (len > 0 && glob[len] != '/') {
        len--;
    }
    return len;
}

static struct pattern *parse(const char *text, size_t base, struct error *err)
{
    struct pattern *p = calloc(1, sizeof(*p));
    if (!p || !(p->base = base == 0 ? strdup("/") : glob_unescape(text, base))) {
        error_set(err, "out of memory");
        pattern_free(p);
        return NULL;
    }
    tidy(p->base);
    if (text[strlen(text) - 1] == '/') {
        error_set(err, "a / at its end makes it a directory");
    } else if (add_components(p, text + base, err) == 0) {
        return p;
    }
    pattern_free(p);
    return NULL;
}

/* -- a list ------------------------------------------------------------------------------------ */

struct parsing {
    struct pattern_list *list;
    size_t base;
    bool dots; /* the first component is a `**` that stands for all directories */
};

static int add_pattern(void *arg, const char *glob, struct error *err)
{
    struct parsing *parsing = arg;
    struct pattern_list *list = parsing->list;
    struct pattern **grown = realloc(list->items, (list->count + 1) * sizeof(struct pattern *));
    if (!grown) {
        return error_set(err, "out of memory");
    }
    list->items = grown;
    struct pattern *p = parse(glob, parsing->base, err);
    if (!p) {
        return -1;
    }
    if (p->components) {
        p->components[0].dot |= parsing->dots;
    }
    grown[list->count++] = p;
    return 0;
}

int pattern_list_add(struct pattern_list *list, const char *glob, bool anywhere, struct error *err)
{
    struct error why = {0};
    struct buf text = {0};
    anywhere = anywhere && *glob && *glob != '/';
    int failed = anywhere ? buf_add(&text, "/**/", 4) : 0;
    if (failed || buf_add(&text, glob, strlen(glob) + 1)) {
        buf_free(&text);
        return error_set(err, "out of memory");
    }
    struct parsing parsing = {.list = list, .base = base_length(text.data), .dots = anywhere};
    int result = *text.data == '/' ? glob_expand(text.data, add_pattern, &parsing, &why) : -1;
    if (*text.data != '/') {
        error_set(err, "'%.200s' is not the absolute path of files", glob);
    } else if (result < 0) {
        error_set(err, "'%.200s': %s", glob, why.text);
    }
    buf_free(&text);
    return result;
}

void pattern_list_free(struct pattern_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        pattern_free(list->items[i]);
    }
    free(list->items);
    *list = (struct pattern_list){0};
}

bool pattern_list_match(const struct pattern_list *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *base = pattern_base(list->items[i]);
        size_t len = strcmp(base, "/") == 0 ? 0 : strlen(base);
        if (strncmp(base, path, len) == 0 && path[len] == '/' &&
            pattern_match_rest(list->items[i], path + len + 1)) {
            return true;
        }
    }
    return false;
}

/* -- matching ---------------------------------------------------------------------------------- */

const char *pattern_base(const struct pattern *p)
{
    return p->base;
}

size_t pattern_depth(const struct pattern *p)
{
    return p->depth;
}

bool pattern_any_depth(const struct pattern *p, size_t depth)
{
    return p->components[depth].any;
}

bool pattern_passes(const struct pattern *p, size_t depth, const char *name)
{
    return *name != '.' || p->components[depth].dot;
}

bool pattern_match(const struct pattern *p, size_t depth, const char *name, struct captures *caps)
{
    const struct component *c = &p->components[depth];
    regmatch_t parts[MAX_PARTS + 1];
    if ((*name == '.' && !c->dot) || regexec(&c->regex, name, MAX_PARTS + 1, parts, 0) != 0) {
        return false;
    }
    for (size_t i = 0; i < c->parts; i++) {
        size_t len = (size_t)(parts[i + 1].rm_eo - parts[i + 1].rm_so);
        if (c->captured[i] < CAPTURE_COUNT && len < sizeof(caps->text[0])) {
            char *text = caps->text[c->captured[i]];
            memcpy(text, name + parts[i + 1].rm_so, len);
            text[len] = '\0';
        }
    }
    return true;
}

/* Where a path may have come in a pattern: at[d], before component d. Several at a time, for a `**` may end
 * anywhere. To have come behind the last one is to match. */
struct progress {
    const struct pattern *pattern;
    bool *at;
};

/* A `**` may stand for nothing. */
static void pass_over(const struct progress *progress)
{
    for (size_t d = 0; d < progress->pattern->depth; d++) {
        progress->at[d + 1] |= progress->at[d] && progress->pattern->components[d].any;
    }
}

/* Takes one name of the path. False: nothing can match any more. */
static bool advance(const struct progress *progress, const char *name)
{
    const struct pattern *p = progress->pattern;
    struct captures caps;
    bool alive = false;
    progress->at[p->depth] = false;
    for (size_t d = p->depth; d-- > 0;) {
        if (progress->at[d]) {
            bool any = p->components[d].any;
            progress->at[d] = any && pattern_passes(p, d, name);
            progress->at[d + 1] |= !any && pattern_match(p, d, name, &caps);
        }
        alive |= progress->at[d] || progress->at[d + 1];
    }
    pass_over(progress);
    return alive;
}

bool pattern_match_rest(const struct pattern *p, const char *rest)
{
    char name[NAME_MAX + 1];
    struct progress progress = {.pattern = p, .at = calloc(p->depth + 1, sizeof(bool))};
    if (!progress.at) {
        die_out_of_memory();
    }
    progress.at[0] = true;
    pass_over(&progress);
    bool alive = true;
    while (alive && *rest) {
        size_t len = strcspn(rest, "/");
        alive = len < sizeof(name);
        if (alive) {
            memcpy(name, rest, len);
            name[len] = '\0';
            alive = advance(&progress, name);
            rest += len + (rest[len] == '/');
        }
    }
    bool match = alive && progress.at[p->depth];
    free(progress.at);
    return match;
}

char *captures_pack(const struct captures *caps)
{
    size_t len[CAPTURE_COUNT], room = 0;
    for (int i = 0; i < CAPTURE_COUNT; i++) {
        len[i] = strlen(caps->text[i]) + 1;
        room += len[i];
    }
    char *packed = malloc(room), *to = packed;
    if (!packed) {
        die_out_of_memory();
    }
    for (int i = 0; i < CAPTURE_COUNT; i++) {
        memcpy(to, caps->text[i], len[i]);
        to += len[i];
    }
    return packed;
}

void captures_unpack(struct captures *caps, const char *packed)
{
    for (int i = 0; i < CAPTURE_COUNT; i++) {
        size_t len = packed ? strlen(packed) + 1 : 1;
        memcpy(caps->text[i], packed ? packed : "", len);
        packed = packed ? packed + len : NULL;
    }
}
