/* What the rules decided about records, in their order, until each is told with the lines that it is made of. */
#ifndef SIDETAIL_TRY_DECISION_H
#define SIDETAIL_TRY_DECISION_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "config/config.h"
#include "record/batch.h"
#include "shape/shape.h"

struct decision {
    STAILQ_ENTRY(decision) link;
    json_t *told; /* members of the outcome */
    enum stream stream;
    uint32_t lines; /* as in shape_verdict */
    bool notice, emitted;
    struct buf encoded; /* once it is in a batch */
    bool in_batch;
};

STAILQ_HEAD(decisions, decision);

/* Adds what shaping has decided. */
void decisions_add(struct decisions *list, const struct shape_verdict *verdict);
/* Adds to the next emitted one how it was encoded; to a new one where there are no rules to decide. */
void decisions_encode(struct decisions *list, const struct item *item, struct slice text,
                      enum format_kind format);
/* Takes the first; NULL: there is none. The caller frees it. */
struct decision *decisions_take(struct decisions *list);
void decision_free(struct decision *d);

#endif
