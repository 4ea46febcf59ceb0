#include "encode/pretty/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

int pretty_times_find(const char *name)
{
    static const char *const names[] = {
        [PRETTY_TIMES_LOCAL] = "local", [PRETTY_TIMES_RELATIVE] = "relative", [PRETTY_TIMES_UTC] = "utc"};
    for (int i = PRETTY_TIMES_LOCAL; i <= PRETTY_TIMES_UTC; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static size_t relative(int64_t span, char *out)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t seconds = span / NS_PER_S;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (seconds >= units[i].seconds) {
            int64_t count = seconds / units[i].seconds;
            return (size_t)snprintf(out, PRETTY_TIME_MAX, "%3lld%c ago", (long long)count, units[i].unit);
        }
    }
    return (size_t)snprintf(out, PRETTY_TIME_MAX, "     now"); /* also when the Engine's clock is ahead */
}

size_t pretty_time(struct pretty_clock *clock, enum pretty_times kind, int64_t ns, int64_t now,
                   char out[PRETTY_TIME_MAX])
{
    if (kind == PRETTY_TIMES_NONE) {
        out[0] = '\0';
        return 0;
    }
    if (kind == PRETTY_TIMES_RELATIVE) {
        return relative(now - ns, out);
    }
    int64_t second = ns / NS_PER_S;
    if (clock->second != second || clock->text[0] == '\0') {
        time_t whole = (time_t)second;
        struct tm tm;
        bool utc = kind == PRETTY_TIMES_UTC;
        if (!(utc ? gmtime_r(&whole, &tm) : localtime_r(&whole, &tm))) {
            memset(&tm, 0, sizeof(tm)); /* a year beyond what fits */
        }
        strftime(clock->text, sizeof(clock->text), utc ? "%Y-%m-%dT%H:%M:%S" : "%m-%d %H:%M:%S", &tm);
        clock->second = second;
    }
    return (size_t)snprintf(out, PRETTY_TIME_MAX, "%.30s.%03d%s", clock->text,
                            (int)(ns % NS_PER_S / NS_PER_MS), kind == PRETTY_TIMES_UTC ? "Z" : "");
}
