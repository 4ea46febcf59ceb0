#include "base/json_walk.h"

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
        p++;
    }
    return p;
}

static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++) {
        p += *p == '\\';
    }
    return p + 1;
}

static const char *skip_nested(const char *p)
{
    int depth = 0;
    do {
        if (*p == '"') {
            p = skip_string(p);
            continue;
        }
        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
        p++;
    } while (depth > 0);
    return p;
}

static const char *skip_value(const char *p)
{
    if (*p == '"') {
        return skip_string(p);
    }
    if (*p == '{' || *p == '[') {
        return skip_nested(p);
    }
    while (*p != ',' && *p != '}' && *p != ' ' && *p != '\t' && *p != '\n' && *p != '\r') {
        p++;
    }
    return p;
}

const char *json_members(const char *object)
{
    return skip_space(object) + 1;
}

bool json_next_member(const char **p, struct slice *key, struct slice *value)
{
    const char *at = skip_space(*p);
    at = *at == ',' ? skip_space(at + 1) : at;
    if (*at == '}') {
        return false;
    }
    const char *end = skip_string(at);
    *key = slice_of(at + 1, (size_t)(end - at) - 2);
    at = skip_space(skip_space(end) + 1);
    *p = skip_value(at);
    *value = slice_of(at, (size_t)(*p - at));
    return true;
}
