#include "source/log/rotation_name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/log/archive.h"

/* A group of digits in a date. */
struct group {
    uint64_t value;
    size_t len;
    const char *at;
};
#define GROUPS 7 /* a date, a time with its fraction, a number */

static uint64_t number(const char *p, size_t len)
{
    uint64_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n = n * 10 + (uint64_t)(p[i] - '0');
    }
    return n;
}

/* The groups of digits that all of [p, p + len) consists of, one separator between them; 0: it does not. */
static size_t split(const char *p, size_t len, struct group groups[GROUPS])
{
    size_t n = 0, at = 0;
    while (n < GROUPS) {
        size_t from = at;
        while (at < len && isdigit((unsigned char)p[at])) {
            at++;
        }
        if (at == from || at - from > 18) {
            return 0;
        }
        groups[n++] = (struct group){number(p + from, at - from), at - from, p + from};
        if (at == len) {
            return n;
        }
        if (!strchr("-_.T", p[at++])) { /* T as in ISO 8601: lumberjack, MongoDB */
            return 0;
        }
    }
    return 0;
}

static bool between(const struct group *g, size_t len, uint64_t least, uint64_t most)
{
    return g->len == len && g->value >= least && g->value <= most;
}

/* 11-24-2026 (Log4j 2) or 24-11-2026; where both could be meant, the first. */
static bool read_american_date(const struct group *g, size_t n, struct rotated_name *out)
{
    if (n < 3 || !between(g, 2, 1, 31) || !between(g + 1, 2, 1, 31) || !between(g + 2, 4, 1970, 2999)) {
        return false;
    }
    bool month_first = g->value <= 12;
    uint64_t month = month_first ? g->value : g[1].value, day = month_first ? g[1].value : g->value;
    out->part[out->parts++] = g[2].value * 10000 + month * 100 + day;
    return month <= 12;
}

/* 20261124…, 2026-11-24, 11-24-2026 or 2026-11: how many groups it takes; 0: it is no date. */
static size_t read_date(const struct group *g, size_t n, struct rotated_name *out)
{
    out->dated = true;
    if (g->len >= 8) {
        out->part[out->parts++] = number(g->at, 8);
        if (g->len > 8) {
            out->part[out->parts++] = number(g->at + 8, g->len - 8);
        }
        return 1;
    }
    if (read_american_date(g, n, out)) {
        return 3;
    }
    out->parts = 0;
    if (n < 2 || !between(g, 4, 1970, 2999) || !between(g + 1, 2, 1, 12)) {
        return 0;
    }
    bool day = n > 2 && between(g + 2, 2, 1, 31);
    out->part[out->parts++] = g->value * 10000 + g[1].value * 100 + (day ? g[2].value : 0);
    return day ? 3 : 2;
}

/* Is all of [p, p + len) a number, or a date, with a time and a number behind it or without? */
static bool read_stamp(const char *p, size_t len, struct rotated_name *out)
{
    struct group groups[GROUPS];
    size_t n = split(p, len, groups);
    out->parts = 0;
    out->dated = false;
    if (n == 1 && len <= 6) {
        out->part[out->parts++] = groups[0].value;
        return groups[0].value > 0;
    }
    size_t used = n > 0 ? read_date(groups, n, out) : 0;
    /* Behind a log's whole name, the parts of a date may have any order, as logrotate's dateformat has it. */
    if (used == 0 && (n == 0 || out->inside || len < 8 || strspn(p, "0123456789-") < len)) {
        return false;
    }
    for (size_t i = used; i < n; i++) {
        out->part[out->parts++] = groups[i].value;
    }
    return true;
}

/* The longest number or date that [name, name + end) ends with. */
static bool find_stamp(const char *name, size_t end, struct rotated_name *out)
{
    size_t digits = out->inside ? strspn(name, "0123456789-_.") : 0; /* a date alone is no log's name */
    for (size_t at = digits + 1; at + 1 < end; at++) {
        if (strchr("-_.", name[at]) && read_stamp(name + at + 1, end - at - 1, out) &&
            (out->inside || out->dated || name[at] == '.')) {
            out->stem =
                at - (name[at] == '_' && name[at - 1] == '_'); /* app__2026-11-24.log: pm2-logrotate */
            return true;
        }
    }
    return false;
}

/* Where the ending begins, such as .log: a dot and letters and digits, not digits alone. 0: there is none. */
static size_t find_ending(const char *name, size_t end)
{
    size_t at = end;
    bool letter = false;
    while (at > 0 && isalnum((unsigned char)name[at - 1])) {
        letter |= isalpha((unsigned char)name[--at]) != 0;
    }
    return letter && at > 1 && name[at - 1] == '.' ? at - 1 : 0;
}

bool rotation_parse(const char *name, struct rotated_name *out)
{
    size_t len = strlen(name);
    size_t suffix = archive_suffix(name);
    *out = (struct rotated_name){.ending = "", .packed = suffix > 0};
    len -= suffix;
    if (find_stamp(name, len, out)) {
        return true;
    }
    size_t ending = find_ending(name, len);
    out->inside = true;
    out->ending = name + ending;
    out->ending_len = len - ending;
    if (ending > 0 && find_stamp(name, ending, out)) {
        return true;
    }
    *out = (struct rotated_name){.stem = len, .ending = "", .packed = out->packed};
    return out->packed && len > 0;
}

bool rotation_belongs(const struct rotated_name *rotated, const char *name, const char *log)
{
    return strncmp(name, log, rotated->stem) == 0 && strlen(log + rotated->stem) == rotated->ending_len &&
           strncmp(log + rotated->stem, rotated->ending, rotated->ending_len) == 0;
}

size_t rotation_common(const char *log)
{
    size_t len = strlen(log), ending = find_ending(log, len);
    return ending > 0 ? ending : len;
}

char *rotation_log(const char *path, bool *inside)
{
    struct rotated_name rotated;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *log;
    if (!rotation_parse(name, &rotated)) {
        return NULL;
    }
    *inside = rotated.inside;
    int stem = (int)((size_t)(name - path) + rotated.stem);
    return asprintf(&log, "%.*s%.*s", stem, path, (int)rotated.ending_len, rotated.ending) < 0 ? NULL : log;
}
