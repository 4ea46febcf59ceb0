#include "base/pattern.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define MAX_PARTS 8 /* named parts in one component */

struct component {
    regex_t regex;
    bool compiled;
    bool dot; /* it begins with a dot, so the names that it matches may, too */
    size_t parts;
    int captured[MAX_PARTS]; /* enum capture, or -1: not kept */
};

struct pattern {
    char *base;
    struct component *components;
    size_t depth;
};

static int capture_find(const char *name, size_t len)
{
    static const char *const names[CAPTURE_COUNT] = {"service", "container", "namespace", "pod"};
    for (int i = 0; i < CAPTURE_COUNT; i++) {
        if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0) {
            return i;
        }
    }
    return -1;
}

/* `[…]` of a glob at p, as one of a regular expression. Its length, or 0 when it is not closed. */
static size_t translate_set(const char *p, size_t len, struct buf *out)
{
    size_t from = len > 1 && (p[1] == '!' || p[1] == '^') ? 2 : 1;
    const char *close = len > from + 1 ? memchr(p + from + 1, ']', len - from - 1) : NULL;
    if (!close) {
        return 0;
    }
    buf_add(out, from == 2 ? "[^" : "[", from);
    buf_add(out, p + from, (size_t)(close - p) - from + 1);
    return (size_t)(close - p) + 1;
}

/* One element of the glob at p, as a regular expression. Its length, or 0 when it is faulty. */
static size_t translate_one(const char *p, size_t len, struct component *c, struct buf *out)
{
    if (*p == '*' || *p == '?') {
        buf_add(out, *p == '*' ? ".*" : ".", *p == '*' ? 2 : 1);
        return 1;
    }
    if (*p == '[') {
        return translate_set(p, len, out);
    }
    if (*p == '{') {
        const char *close = memchr(p, '}', len);
        if (!close || close == p + 1 || c->parts == MAX_PARTS) {
            return 0;
        }
        c->captured[c->parts++] = capture_find(p + 1, (size_t)(close - p) - 1);
        buf_add(out, "(.+)", 4);
        return (size_t)(close - p) + 1;
    }
    if (strchr(".\\+()|^$}]", *p)) {
        buf_add(out, "\\", 1);
    }
    buf_add(out, p, 1);
    return 1;
}

static int compile(struct component *c, const char *text, size_t len, struct error *err)
{
    struct buf regex = {0};
    c->dot = *text == '.';
    buf_add(&regex, "^", 1);
    for (size_t at = 0, used; at < len; at += used) {
        used = translate_one(text + at, len - at, c, &regex);
        if (used == 0) {
            buf_free(&regex);
            return error_set(err, "'%.*s': a [ or { is not closed, or a {} has no name", (int)len, text);
        }
    }
    int failed = buf_add(&regex, "$", 2); /* with its NUL */
    failed = failed || regcomp(&c->regex, regex.data, REG_EXTENDED) != 0;
    buf_free(&regex);
    if (failed) {
        return error_set(err, "'%.*s' is not a valid pattern", (int)len, text);
    }
    c->compiled = true;
    return 0;
}

static bool has_wildcard(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr("*?[{", text[i])) {
            return true;
        }
    }
    return false;
}

static int add_component(struct pattern *p, const char *text, size_t len, struct error *err)
{
    if (len == 2 && memcmp(text, "**", 2) == 0) {
        return error_set(err, "'**' is not supported: write one pattern for each depth");
    }
    struct component *grown = realloc(p->components, (p->depth + 1) * sizeof(*grown));
    if (!grown) {
        return error_set(err, "out of memory");
    }
    p->components = grown;
    grown[p->depth] = (struct component){0};
    return compile(&grown[p->depth++], text, len, err);
}

struct pattern *pattern_parse(const char *text, struct error *err)
{
    struct pattern *p = calloc(1, sizeof(*p));
    if (!p || *text != '/' || text[strlen(text) - 1] == '/') {
        error_set(err, "'%s' is not the absolute path of files", text);
        free(p);
        return NULL;
    }
    const char *at = text;
    while (*at) {
        size_t len = strcspn(at + 1, "/");
        bool last = at[1 + len] == '\0';
        if (!p->base && (last || has_wildcard(at + 1, len))) {
            p->base = at == text ? strdup("/") : strndup(text, (size_t)(at - text));
        }
        if (p->base && len > 0 && add_component(p, at + 1, len, err) < 0) {
            pattern_free(p);
            return NULL;
        }
        at += 1 + len;
    }
    return p;
}

void pattern_free(struct pattern *p)
{
    if (!p) {
        return;
    }
    for (size_t i = 0; i < p->depth; i++) {
        if (p->components[i].compiled) {
            regfree(&p->components[i].regex);
        }
    }
    free(p->components);
    free(p->base);
    free(p);
}

const char *pattern_base(const struct pattern *p)
{
    return p->base;
}

size_t pattern_depth(const struct pattern *p)
{
    return p->depth;
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
        if (c->captured[i] >= 0 && len < sizeof(caps->text[0])) {
            char *text = caps->text[c->captured[i]];
            memcpy(text, name + parts[i + 1].rm_so, len);
            text[len] = '\0';
        }
    }
    return true;
}
