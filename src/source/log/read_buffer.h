/* What is read into: one for all logs, since each is dealt with before the next one is read. */
#ifndef SIDETAIL_SOURCE_LOG_READ_BUFFER_H
#define SIDETAIL_SOURCE_LOG_READ_BUFFER_H

#include "base/buf.h"
#include "source/log/segment.h"

struct read_buffer {
    char *block; /* owned: room for FILE_TAIL_MAX bytes, and the data */
    char *data;  /* cap + DECODE_PAD bytes; NULL: there are none yet */
    size_t cap;
    struct buf scratch; /* the decoders' */
    /* What was read of a plain file, and what was read again before it. */
    struct segment_window window;
};

/* Grows to `cap` bytes; the window is on nothing then. 0 or -1 (memory). */
int read_buffer_grow(struct read_buffer *b, size_t cap);
void read_buffer_free(struct read_buffer *b);

#endif
