/* Finding the level that a line tells of, by looking at its first bytes once. */
#include <stdint.h>
#include <strings.h>

#include "record/severity.h"

#define ESC         '\x1b'
#define LOOK_PLAIN  96   /* bytes of a plain line in which a level is looked for */
#define LOOK_FIELDS 1024 /* likewise of JSON and logfmt */

static bool is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

/* The severity that a word of letters names. */
static enum severity of_word(const char *p, size_t len)
{
    char name[16];
    if (len < 3 || len >= sizeof(name)) {
        return SEVERITY_NONE;
    }
    memcpy(name, p, len);
    name[len] = '\0';
    return severity_find(name);
}

static size_t word_length(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && is_letter(*p)) {
        p++;
    }
    return (size_t)(p - start);
}

/* bunyan's and pino's numbers: 10 trace, 20 debug, … 60 fatal. */
static enum severity of_number(const char *p, const char *end)
{
    if (end - p < 2 || p[1] != '0' || p[0] < '1' || p[0] > '6' ||
        (end - p > 2 && p[2] >= '0' && p[2] <= '9')) {
        return SEVERITY_NONE;
    }
    return (enum severity)(SEVERITY_TRACE + (p[0] - '1'));
}

/* The value of a field: behind its colon or equals sign. */
static enum severity of_value(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '"')) {
        p++;
    }
    if (p < end && *p >= '0' && *p <= '9') {
        return of_number(p, end);
    }
    size_t len = word_length(p, end);
    return p + len < end && is_word(p[len]) ? SEVERITY_NONE : of_word(p, len);
}

/* Is the field's name that ends at `end` one for a level? `start` is where the line begins. */
static bool names_level(const char *start, const char *end)
{
    static const struct slice names[] = {
        {"level", 5}, {"severity", 8}, {"lvl", 3}, {"levelname", 9}, {"loglevel", 8}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = names[i].len;
        if ((size_t)(end - start) >= len && strncasecmp(end - len, names[i].ptr, len) == 0 &&
            ((size_t)(end - start) == len || !is_word(end[-(ptrdiff_t)len - 1]))) {
            return true;
        }
    }
    return false;
}

/* `"level":"info"` (JSON) or `level=info` (logfmt): the sign is ':' or '='. */
static enum severity in_fields(const char *p, const char *end, char sign)
{
    const char *start = p;
    end = end - p > LOOK_FIELDS ? p + LOOK_FIELDS : end;
    while ((p = memchr(p, sign, (size_t)(end - p)))) {
        const char *name = p;
        while (name > start && (name[-1] == ' ' || name[-1] == '"')) {
            name--;
        }
        if (name > start && (name[-1] | 0x20) >= 'a' && names_level(start, name)) {
            return of_value(p + 1, end);
        }
        p++;
    }
    return SEVERITY_NONE;
}

static bool is_upper(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] & 0x20) {
            return false;
        }
    }
    return true;
}

/* May a word in capitals stand between these two? */
static bool sets_apart(char before, char behind)
{
    return strchr(" \t[(<|\"':=-\x1b", before) && strchr(" \t])>|\"':;,-}\r\n\x1b", behind);
}

/* A word counts in capitals (ERROR), in brackets ([warn]), in a colour of its own, or before a colon where
 * the message begins (error: …). */
static enum severity of_plain_word(const char *p, size_t len, char before, char behind, bool first)
{
    bool bracketed = (before == '[' && (behind == ']' || behind == ' ')) ||
                     (before == '<' && behind == '>') || (before == '(' && behind == ')') ||
                     (before == '|' && behind == '|') || (before == ESC && behind == ESC);
    if (bracketed || (first && behind == ':') || (is_upper(p, len) && sets_apart(before, behind))) {
        return of_word(p, len);
    }
    return SEVERITY_NONE;
}

/* Behind `ESC [`, digits and semicolons, a letter. */
static const char *skip_colour(const char *p, const char *end)
{
    for (p += 2; p < end && !is_letter(*p); p++) {
    }
    return p < end ? p + 1 : end;
}

/* Could a word with this first letter name a level? Most do not, and this is cheap. */
static bool may_name_level(char c)
{
#define LETTER(l) (1U << ((l) - 'a'))
    const uint32_t first = LETTER('a') | LETTER('c') | LETTER('d') | LETTER('e') | LETTER('f') | LETTER('i') |
                           LETTER('n') | LETTER('p') | LETTER('s') | LETTER('t') | LETTER('w');
#undef LETTER
    return first >> ((c | 0x20) - 'a') & 1;
}

static enum severity in_plain(const char *p, const char *end)
{
    char before = ' ';
    bool first = true; /* no word came before this one */
    end = end - p > LOOK_PLAIN ? p + LOOK_PLAIN : end;
    while (p < end) {
        if (*p == ESC && end - p > 1 && p[1] == '[') {
            p = skip_colour(p, end);
            before = ESC;
        } else if (is_letter(*p)) {
            size_t len = word_length(p, end);
            const char *q = p + len;
            char behind = q < end ? *q : ' ';
            enum severity s = !may_name_level(*p) || is_word(before) || is_word(behind)
                                  ? SEVERITY_NONE
                                  : of_plain_word(p, len, before, behind, first);
            if (s != SEVERITY_NONE) {
                return s;
            }
            first = first && is_word(before); /* the T and Z of a time are no words */
            before = p[len - 1];
            p = q;
        } else {
            before = *p++;
        }
    }
    return SEVERITY_NONE;
}

/* klog: `E0102 15:04:05.678901 …`. */
static enum severity in_klog(const char *p, const char *end)
{
    if (end - p < 6 || p[5] != ' ') {
        return SEVERITY_NONE;
    }
    for (int i = 1; i < 5; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return SEVERITY_NONE;
        }
    }
    switch (*p) {
    case 'I':
        return SEVERITY_INFO;
    case 'W':
        return SEVERITY_WARN;
    case 'E':
        return SEVERITY_ERROR;
    case 'F':
        return SEVERITY_FATAL;
    default:
        return SEVERITY_NONE;
    }
}

enum severity severity_detect(struct slice raw)
{
    if (raw.len == 0) {
        return SEVERITY_NONE;
    }
    const char *p = raw.ptr, *end = raw.ptr + raw.len;
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    if (p == end) {
        return SEVERITY_NONE;
    }
    if (*p == '{') {
        return in_fields(p, end, ':');
    }
    enum severity s = in_klog(p, end);
    if (s == SEVERITY_NONE && memchr(p, '=', (size_t)(end - p))) {
        s = in_fields(p, end, '=');
    }
    return s != SEVERITY_NONE ? s : in_plain(p, end);
}
