/* logfmt: `key=value key="a value"`. No standard defines it; what is written here is read alike by go-logfmt
 * (so by Loki), Fluent Bit and Vector. */
#ifndef SIDETAIL_BASE_LOGFMT_H
#define SIDETAIL_BASE_LOGFMT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/* Appends a key. Readers know no escapes in keys: each character that may not stand in one becomes `_`.
 * 0, or -1 when memory is out (out is as it was). */
int logfmt_add_key(struct buf *out, struct slice key);

/* Appends a value: as it is where all readers take it so (printable ASCII without spaces, quotes, `=` and
 * `\`), else in quotes with the escapes of a JSON string; an empty one is `""`. Invalid UTF-8 becomes U+FFFD.
 * 0, or -1 when memory is out (out is as it was). */
int logfmt_add_value(struct buf *out, struct slice value);

/* Takes the next `key=value` off the front of a line that was written by the above; quotes and escapes stay.
 * False at the line's end. */
bool logfmt_next(struct slice *line, struct slice *pair);

#endif
