/* The rules of shaping, compiled: what shape_new makes of the configuration. */
#ifndef SIDETAIL_SHAPE_RULES_H
#define SIDETAIL_SHAPE_RULES_H

#include "multiline.h"
#include "rate.h"
#include "redact.h"
#include "shape/shape.h"

struct shape {
    unsigned refs;
    struct multiline *multiline; /* NULL: off */
    int64_t wait_ns;
    size_t line_max, held_max;
    size_t *held, own_held; /* held: where it is counted, own_held unless it is shared */
    struct regexps drop, keep;
    size_t never_join; /* a line that any of the first so many of `drop` match joins no group */
    struct rate rate;
    struct redactor redactor;
    bool detect, reads_text;     /* reads_text: some rule looks at the text */
    struct regexp_budget budget; /* of the expressions that labels gave */
    struct buf payload_key;      /* `,"message":`; empty: off */
    struct buf raw, payload;     /* scratch */
};

#endif
