/* The level that a line tells of. */
#ifndef SIDETAIL_RECORD_SEVERITY_H
#define SIDETAIL_RECORD_SEVERITY_H

#include "base/slice.h"

enum severity {
    SEVERITY_NONE,
    SEVERITY_TRACE,
    SEVERITY_DEBUG,
    SEVERITY_INFO,
    SEVERITY_WARN,
    SEVERITY_ERROR,
    SEVERITY_FATAL
};

/* The level that a line of text tells of: a "level" of a JSON payload, logfmt level=…, or a word like ERROR
 * or [warn] near its beginning; SEVERITY_NONE when it tells none. ANSI colours are passed over. */
enum severity severity_detect(struct slice raw);
const char *severity_name(enum severity s);    /* "info"; "" for none */
enum severity severity_find(const char *name); /* also "warning", "err", "critical", …; NONE when unknown */

#endif
