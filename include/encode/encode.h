/* Encoders: records → bytes. A record becomes one run of bytes that ends in a newline. */
#ifndef SIDETAIL_ENCODE_H
#define SIDETAIL_ENCODE_H

#include "base/buf.h"
#include "record/record.h"
#include "record/tags.h"

struct config;

struct encoder {
    const char *name;
    /* Appends the record to out. 0, or -1 when memory is out (out is as it was). `state` is what `open`
     * made, NULL where there is none. */
    int (*encode)(void *state, const struct tags *tags, const struct record *rec, struct buf *out);
    /* `terminal`: what it makes goes to stdout, which may be a terminal. Both may be NULL: no state. */
    void *(*open)(const struct config *cfg, bool terminal);
    void (*close)(void *state);
};

/* {"time":…,"service":…,"stream":…,"log":…,"project":…,…}: a superset of Docker's own line. */
extern const struct encoder encoder_json;
/* time=… service=… stream=… level=… msg="…" project=… …, label.KEY=… for labels, partial=true where cut; a
 * JSON payload (parse_json) is one value. base/logfmt.h says what stands in quotes. */
extern const struct encoder encoder_logfmt;
/* The text alone; on a terminal without what that would obey. The state may be NULL: it is none. */
extern const struct encoder encoder_raw;
/* `web_1  | text`, coloured by service on a terminal. */
extern const struct encoder encoder_pretty;

/* The one of that format, an enum format_kind. */
const struct encoder *encoder_choose(int format);

#endif
