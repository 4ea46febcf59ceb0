/* The names of levels. */
#include <strings.h>

#include "record/severity.h"

static const char *const names[] = {"", "trace", "debug", "info", "warn", "error", "fatal"};

const char *severity_name(enum severity s)
{
    return (unsigned)s < sizeof(names) / sizeof(names[0]) ? names[s] : "";
}

enum severity severity_find(const char *name)
{
    static const struct {
        const char *name;
        enum severity severity;
    } others[] = {
        {"warning", SEVERITY_WARN},     {"err", SEVERITY_ERROR},       {"critical", SEVERITY_FATAL},
        {"crit", SEVERITY_FATAL},       {"panic", SEVERITY_FATAL},     {"alert", SEVERITY_FATAL},
        {"emerg", SEVERITY_FATAL},      {"emergency", SEVERITY_FATAL}, {"notice", SEVERITY_INFO},
        {"information", SEVERITY_INFO}, {"severe", SEVERITY_ERROR},    {"dbg", SEVERITY_DEBUG},
    };
    for (unsigned i = SEVERITY_TRACE; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return (enum severity)i;
        }
    }
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcasecmp(name, others[i].name) == 0) {
            return others[i].severity;
        }
    }
    return SEVERITY_NONE;
}
