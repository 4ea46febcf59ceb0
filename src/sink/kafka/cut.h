/* Cutting a record that is too long for its topic. Pure. */
#ifndef SIDETAIL_SINK_KAFKA_CUT_H
#define SIDETAIL_SINK_KAFKA_CUT_H

#include "base/buf.h"
#include "base/slice.h"
#include "config/config.h"

/* The pieces of one record, one after the other in `out`. Zeroed: none. */
struct kafka_pieces {
    struct buf out;
    size_t *ends; /* of each piece in out */
    size_t count, cap;
};

#define KAFKA_PIECE_MIN 256 /* bytes; every broker takes as much */

/* Cuts an encoded record (without its newline) into pieces of at most `max` bytes. JSON and logfmt: each
 * piece is the record with a part of its text, and all but the last are marked partial. A record that is
 * long by more than its text is cut as text itself. 0, or -1 (no memory, or max is less than KAFKA_PIECE_MIN). */
int kafka_cut(struct kafka_pieces *pieces, enum format_kind format, struct slice record, size_t max);
void kafka_pieces_free(struct kafka_pieces *pieces);

#endif
