#include "base/json_check.h"

#include <stdint.h>

struct cursor {
    const char *p, *end;
};

static bool take(struct cursor *c, char want)
{
    if (c->p < c->end && *c->p == want) {
        c->p++;
        return true;
    }
    return false;
}

static void skip_space(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r')) {
        c->p++;
    }
}

/* The code unit of four hex digits; -1 when there are none. */
static int take_unit(struct cursor *c)
{
    int value = 0;
    if (c->end - c->p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++, c->p++) {
        char d = *c->p;
        int digit = d >= '0' && d <= '9'                     ? d - '0'
                    : (d | 0x20) >= 'a' && (d | 0x20) <= 'f' ? (d | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

/* Behind the backslash. */
static bool take_escape(struct cursor *c)
{
    if (c->p == c->end) {
        return false;
    }
    char letter = *c->p++;
    if (letter != 'u') {
        return letter != '\0' && strchr("\"\\/bfnrt", letter);
    }
    int unit = take_unit(c);
    if (unit < 0xD800 || unit > 0xDFFF) {
        return unit >= 0;
    }
    if (unit > 0xDBFF || !take(c, '\\') || !take(c, 'u')) {
        return false;
    }
    unit = take_unit(c);
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static bool take_string(struct cursor *c)
{
    if (!take(c, '"')) {
        return false;
    }
    while (c->p < c->end) {
        unsigned char b = (unsigned char)*c->p++;
        if (b == '"') {
            return true;
        }
        if (b < 0x20 || (b == '\\' && !take_escape(c))) {
            return false;
        }
    }
    return false;
}

static bool take_digits(struct cursor *c)
{
    const char *start = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
        c->p++;
    }
    return c->p > start;
}

static bool take_number(struct cursor *c)
{
    take(c, '-');
    if (!take(c, '0') && !take_digits(c)) {
        return false;
    }
    if (take(c, '.') && !take_digits(c)) {
        return false;
    }
    if (take(c, 'e') || take(c, 'E')) {
        if (!take(c, '+')) {
            take(c, '-');
        }
        return take_digits(c);
    }
    return true;
}

static bool take_word(struct cursor *c, const char *word, size_t len)
{
    if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0) {
        return false;
    }
    c->p += len;
    return true;
}

static bool take_scalar(struct cursor *c)
{
    switch (c->p < c->end ? *c->p : '\0') {
    case '"':
        return take_string(c);
    case 't':
        return take_word(c, "true", 4);
    case 'f':
        return take_word(c, "false", 5);
    case 'n':
        return take_word(c, "null", 4);
    default:
        return take_number(c);
    }
}

/* A member's name and its colon. */
static bool take_name(struct cursor *c)
{
    skip_space(c);
    if (!take_string(c)) {
        return false;
    }
    skip_space(c);
    if (!take(c, ':')) {
        return false;
    }
    skip_space(c);
    return true;
}

/* What is open: a bit for each level, 1 for an object. */
struct nest {
    uint64_t objects;
    unsigned depth;
};

static bool in_object(const struct nest *n)
{
    return n->objects & 1;
}

static bool nest_open(struct nest *n, bool object)
{
    n->objects = n->objects << 1 | object;
    return ++n->depth <= JSON_CHECK_DEPTH;
}

/* Behind a value: closes what ends here, and goes to where the next value begins. False: not JSON; with depth
 * 0: the end. */
static bool take_after(struct cursor *c, struct nest *n)
{
    while (n->depth > 0) {
        skip_space(c);
        if (take(c, ',')) {
            skip_space(c);
            return !in_object(n) || take_name(c);
        }
        if (!take(c, in_object(n) ? '}' : ']')) {
            return false;
        }
        n->objects >>= 1;
        n->depth--;
    }
    return true;
}

/* A value, or the opening of one: then whatever is its first. */
static bool take_value(struct cursor *c, struct nest *n)
{
    bool object = c->p < c->end && *c->p == '{', array = c->p < c->end && *c->p == '[';
    if (!object && !array) {
        return take_scalar(c) && take_after(c, n);
    }
    c->p++;
    if (!nest_open(n, object)) {
        return false;
    }
    skip_space(c);
    if (c->p < c->end && *c->p == (object ? '}' : ']')) {
        return take_after(c, n);
    }
    return !object || take_name(c);
}

bool json_check_object(struct slice text)
{
    struct cursor c = {text.ptr, text.ptr + text.len};
    struct nest n = {0};
    skip_space(&c);
    if (c.p == c.end || *c.p != '{') {
        return false;
    }
    do {
        if (!take_value(&c, &n)) {
            return false;
        }
    } while (n.depth > 0);
    skip_space(&c);
    return c.p == c.end;
}
