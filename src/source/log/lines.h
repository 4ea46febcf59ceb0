/* From the bytes of a log to its lines: finds the format, decodes, cuts what is too long, and passes over holes and
 * what is damaged, which is counted and logged. */
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

/* Puts what the buffer holds: `len` bytes, which stand at the head's offset; where that is all the buffer takes, more
 * may follow. Moves the offset behind it and marks the position. `last`: nothing will come behind them.
 *
 * True: there is more to do, with what is read then. Something was taken, or the buffer was enlarged for a long line;
 * else the pipeline has no room. False: the file is read to its end as of now, and *rest, in the buffer, stands there
 * without a newline. A hole that reaches to the end is not counted to it: it may still be written into. */
bool lines_put(struct lines *l, struct read_buffer *b, size_t len, bool last, struct slice *rest);

/* Puts what stands without a newline at the head's offset, where nobody will go on with it: it is a line all the
 * same. */
void lines_put_rest(struct lines *l, struct slice rest);

#endif
