#include "json_location.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_mark(char c)
{
    return c != '\0' && strchr("{}[],:", c) != NULL;
}

/* The next token from `from` on: a string (one that is not closed ends with its line), a mark, or a run of
 * anything else. */
static struct slice next_token(struct slice text, size_t from)
{
    size_t i = from;
    while (i < text.len && is_space(text.ptr[i])) {
        i++;
    }
    size_t start = i;
    if (i == text.len) {
        return slice_of(text.ptr + i, 0);
    }
    if (text.ptr[i] == '"') {
        for (i++; i < text.len && text.ptr[i] != '"' && text.ptr[i] != '\n'; i++) {
            if (text.ptr[i] == '\\' && i + 1 < text.len) {
                i++;
            }
        }
        i += i < text.len && text.ptr[i] == '"';
    } else if (is_mark(text.ptr[i])) {
        i++;
    } else {
        while (i < text.len && !is_space(text.ptr[i]) && !is_mark(text.ptr[i]) && text.ptr[i] != '"') {
            i++;
        }
    }
    return slice_of(text.ptr + start, i - start);
}

static size_t start_of(struct slice text, struct slice token)
{
    return (size_t)(token.ptr - text.ptr);
}

static size_t end_of(struct slice text, struct slice token)
{
    return start_of(text, token) + token.len;
}

struct text_location text_location_of(struct slice text, size_t offset)
{
    struct text_location location = {1, 1};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            location.line++;
            location.column = 1;
        } else if (((unsigned char)text.ptr[i] & 0xc0) != 0x80) { /* not a continuation byte */
            location.column++;
        }
    }
    return location;
}

struct slice json_token_at(struct slice text, size_t offset)
{
    struct slice token = next_token(text, 0);
    while (token.len > 0 && end_of(text, token) <= offset) {
        token = next_token(text, end_of(text, token));
    }
    return token;
}

/* From a value's first token to its last. */
static struct slice skip_value(struct slice text, struct slice token)
{
    for (size_t depth = 0; token.len > 0; token = next_token(text, end_of(text, token))) {
        char c = *token.ptr;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (depth == 0) {
            break;
        }
    }
    return token;
}

size_t json_locate(struct slice text, const size_t *path, size_t depth, bool key)
{
    struct slice value = next_token(text, 0), name = value;
    for (size_t level = 0; level < depth && value.len > 0; level++) {
        bool object = *value.ptr == '{';
        for (size_t i = 0;; i++) {
            name = value = next_token(text, end_of(text, value)); /* after the bracket or comma */
            if (object) {
                value = next_token(text, end_of(text, value)); /* the colon */
                value = next_token(text, end_of(text, value));
            }
            if (i == path[level] || value.len == 0) {
                break;
            }
            value = next_token(text, end_of(text, skip_value(text, value))); /* the comma */
        }
    }
    return start_of(text, key ? name : value);
}
