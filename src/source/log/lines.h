/* From the bytes of a log to its lines: finds the format, decodes, cuts what is too long, and passes over what
 * is damaged, which is counted and logged. */
#ifndef SIDETAIL_SOURCE_LOG_LINES_H
#define SIDETAIL_SOURCE_LOG_LINES_H

#include "config/config.h"
#include "decode/decode.h"
#include "progress.h"
#include "read_buffer.h"

/* Set up by the log's follow; from then on only lines.c writes it. */
struct lines {
    const struct decoder *decoder; /* NULL: the format is not known yet */
    const struct config *cfg;
    struct progress *progress;
    const char *path;               /* of the log */
    bool utf16_logged;              /* it was logged that it is in UTF-16 */
    struct chain_offset hole_end;   /* where a hole was passed over last */
    struct chain_offset damage_end; /* where bytes were passed over last; offset UINT64_MAX: nowhere */
};

/* Puts the whole lines of the `len` bytes in the buffer, which begin at the head's offset; stops when the
 * pipeline has no more room, and at a hole. Returns the bytes that they took. `last`: nothing will come behind them. */
size_t lines_put(struct lines *l, struct read_buffer *b, size_t len, bool last);

/* How many bytes of a hole stand at the beginning of the `len` bytes in the buffer, as hole_length tells. They are
 * passed over, counted and logged. */
uint64_t lines_pass_hole(struct lines *l, const struct read_buffer *b, size_t len);

/* There is no whole line in the full buffer: enlarges that, or cuts off a piece of the line. */
void lines_put_long(struct lines *l, struct read_buffer *b);

/* Puts what stands without a newline at the end of a file that nobody will write to again: it is a line all
 * the same. */
void lines_put_rest(struct lines *l, const char *rest, size_t len);

#endif
