#include "base/glob.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* The length of a class such as [:digit:] within a set, at its `[`; 0: there is none. */
static size_t class_length(const char *p)
{
    if (p[1] != ':') {
        return 0;
    }
    size_t name = strspn(p + 2, "abcdefghijklmnopqrstuvwxyz");
    return p[2 + name] == ':' && p[3 + name] == ']' ? name + 4 : 0;
}

size_t glob_set_length(const char *p)
{
    size_t at = p[1] == '!' || p[1] == '^' ? 2 : 1, first = at;
    while (p[at] && p[at] != '/') {
        size_t class = p[at] == '[' ? class_length(p + at) : 0;
        if (p[at] == ']' && at > first) {
            return at + 1;
        }
        at += class ? class : p[at] == '\\' && p[at + 1] != '\0' && p[at + 1] != '/' ? 2 : 1;
    }
    return 0;
}

size_t glob_element_length(const char *p)
{
    size_t set = *p == '[' ? glob_set_length(p) : 0;
    return set ? set : *p == '\\' && p[1] ? 2 : 1;
}

size_t glob_fixed_length(const char *text)
{
    size_t at = 0;
    while (text[at] && !strchr("*?[{", text[at])) {
        at += glob_element_length(text + at);
    }
    return at;
}

char *glob_unescape(const char *text, size_t len)
{
    char *out = malloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < len; i++) {
        i += text[i] == '\\' && i + 1 < len;
        out[n++] = text[i];
    }
    if (out) {
        out[n] = '\0';
    }
    return out;
}

/* The end of the alternative at p: at its comma or at the brace that closes all; NULL: there is none. */
static const char *alternative_end(const char *p)
{
    for (size_t depth = 0; *p; p += glob_element_length(p)) {
        if (depth == 0 && (*p == ',' || *p == '}')) {
            return p;
        }
        depth += *p == '{';
        depth -= *p == '}';
    }
    return NULL;
}

/* The first brace of which the alternatives are to be told apart; NULL: there is none. */
static const char *first_alternatives(const char *p)
{
    for (; *p; p += glob_element_length(p)) {
        const char *end = *p == '{' ? alternative_end(p + 1) : NULL;
        if (end && *end == ',') {
            return p;
        }
    }
    return NULL;
}

struct expansion {
    int (*each)(void *arg, const char *glob, struct error *err);
    void *arg;
    size_t count;
    struct error *err;
};

static int expand(struct expansion *e, const char *text);

/* Puts the alternative into the place of the braces. */
static int expand_with(struct expansion *e, const char *text, size_t before, const char *alternative,
                       size_t len, const char *behind)
{
    struct buf glob = {0};
    int failed = buf_add(&glob, text, before);
    failed = failed || buf_add(&glob, alternative, len) || buf_add(&glob, behind, strlen(behind) + 1);
    int result = failed ? error_set(e->err, "out of memory") : expand(e, glob.data);
    buf_free(&glob);
    return result;
}

static int expand(struct expansion *e, const char *text)
{
    const char *open = first_alternatives(text);
    if (!open) {
        if (++e->count > GLOB_EXPANDED_MAX) {
            return error_set(e->err, "its braces stand for more than %d globs", GLOB_EXPANDED_MAX);
        }
        return e->each(e->arg, text, e->err);
    }
    const char *close = open;
    do {
        close = alternative_end(close + 1);
    } while (close && *close == ',');
    if (!close) {
        return error_set(e->err, "a { is not closed; write \\{ for the character");
    }
    int result = 0;
    for (const char *at = open; result == 0 && at < close;) {
        const char *end = alternative_end(at + 1);
        result = expand_with(e, text, (size_t)(open - text), at + 1, (size_t)(end - at) - 1, close + 1);
        at = end;
    }
    return result;
}

int glob_expand(const char *text, int (*each)(void *arg, const char *glob, struct error *err), void *arg,
                struct error *err)
{
    struct expansion e = {.each = each, .arg = arg, .err = err};
    return expand(&e, text);
}
