/* A JSON object as a log line: the parts of it that a reader looks for, as slices of its text. */
#ifndef SIDETAIL_ENCODE_PRETTY_PAYLOAD_H
#define SIDETAIL_ENCODE_PRETTY_PAYLOAD_H

#include <stdbool.h>

#include "base/slice.h"

#define PAYLOAD_FIELDS 64 /* members told apart; an object with more is not taken apart */

struct payload_field {
    struct slice key;   /* inside of a JSON string */
    struct slice value; /* as it stands, quotes included */
};

struct payload {
    struct slice level;                          /* inside of a string, or a number; empty: none */
    struct slice message;                        /* inside of a JSON string; ptr NULL: none */
    struct payload_field fields[PAYLOAD_FIELDS]; /* all others but the time, in their order */
    unsigned count;
};

/* Takes one JSON object (RFC 8259; valid UTF-8) apart. Level is the first of the members level, severity,
 * lvl, levelname, loglevel, log.level; message the first of message, msg, event, log, text, error. The time
 * (time, ts, timestamp, @timestamp) is left out, for the line has one of its own. False: it is no object, has
 * more members than fit, or neither level nor message. */
bool payload_parse(struct slice text, struct payload *out);

/* Is it the whole of a JSON string with its quotes? */
bool payload_is_string(struct slice value);

#endif
