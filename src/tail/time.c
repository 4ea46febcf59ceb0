#include "time.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* "1h30m" as nanoseconds: numbers, each with its unit. */
static bool parse_span(const char *p, int64_t *span)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ms", NS_PER_MS},
                 {"d", 86400 * NS_PER_S},
                 {"h", 3600 * NS_PER_S},
                 {"m", 60 * NS_PER_S},
                 {"s", NS_PER_S}};
    *span = 0;
    do {
        char *end;
        long long count = isdigit((unsigned char)*p) ? strtoll(p, &end, 10) : -1;
        size_t i = 0, n = sizeof(units) / sizeof(units[0]);
        while (count >= 0 && i < n && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0) {
            i++;
        }
        int64_t part;
        if (count < 0 || i == n || __builtin_mul_overflow(count, units[i].ns, &part) ||
            __builtin_add_overflow(*span, part, span)) {
            return false;
        }
        p = end + strlen(units[i].unit);
    } while (*p);
    return true;
}

/* Seconds since 1970, "1764000000.25". Fewer than nine digits are taken for a mistake: 100 is
 * no such time. */
static bool parse_epoch(const char *text, int64_t *ns)
{
    size_t digits = strspn(text, "0123456789");
    if (digits < 9 || digits > 10) {
        return false;
    }
    *ns = strtoll(text, NULL, 10) * NS_PER_S;
    if (text[digits] == '\0') {
        return true;
    }
    int64_t scale = NS_PER_S / 10;
    const char *p = text + digits + 1;
    if (text[digits] != '.' || !*p) {
        return false;
    }
    for (; isdigit((unsigned char)*p) && scale > 0; p++, scale /= 10) {
        *ns += (*p - '0') * scale;
    }
    return *p == '\0';
}

/* A date, a time, or both, in the local zone. */
static bool parse_local(const char *text, int64_t now, int64_t *ns)
{
    static const char *const forms[] = {
        "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
        "%Y-%m-%d",          "%H:%M:%S",          "%H:%M"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {0};
        time_t today = (time_t)(now / NS_PER_S);
        if (forms[i][1] == 'H') {
            localtime_r(&today, &tm);
            tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        }
        const char *end = strptime(text, forms[i], &tm);
        if (end && *end == '\0') {
            tm.tm_isdst = -1;
            time_t seconds = mktime(&tm);
            *ns = (int64_t)seconds * NS_PER_S;
            return seconds != (time_t)-1;
        }
    }
    return false;
}

int tail_time(const char *text, int64_t now, const char *what, int64_t *ns, struct error *err)
{
    int64_t span;
    char quoted[ERROR_QUOTE_MAX];
    if (parse_span(text, &span)) {
        *ns = now - span;
    } else if (!parse_epoch(text, ns) && clock_parse(slice_str(text), ns) < 0 &&
               !parse_local(text, now, ns)) {
        return error_set(err, "%s: found %s; expected a time such as " TAIL_TIME_FORMS, what,
                         error_quote(text, quoted));
    }
    if (*ns <= 0) {
        return error_set(err, "%s: %s lies before 1970", what, error_quote(text, quoted));
    }
    return 0;
}
