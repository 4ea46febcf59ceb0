/* What must not pass. */
#ifndef SIDETAIL_SHAPE_REDACT_H
#define SIDETAIL_SHAPE_REDACT_H

#include "base/buf.h"
#include "regexps.h"
#include "shape/shape.h"

#define REDACT_CONTEXT 4096 /* bytes of a piece that are kept to find what goes on in the next one */

struct redactor {
    struct regexps secrets;
    struct buf with;
    struct redaction *spans;
    size_t nspans, cap;
    struct buf subject, out, plain; /* scratch */
    bool far; /* of the last text: it was cut in what may be a secret that began before what is kept of it */
};

int redactor_init(struct redactor *r, const struct config *cfg, struct error *err);
void redactor_free(struct redactor *r);

/* Replaces what matches. `before` is what of the same line came in an earlier piece (empty: nothing); `cut`
 * says that the line goes on behind this text. *text is as it was when nothing matches, else it points into
 * r->out, and r->spans are what was replaced of it. 0, or -1 (memory). */
int redact(struct redactor *r, struct slice before, bool cut, struct slice *text);
/* Replaces the whole text, which cannot be judged, and counts it; r->spans is empty then. */
int redact_all(struct redactor *r, struct slice *text);

#endif
