/* A growable byte buffer. The owner of the struct owns the bytes. Zero-initialised is empty and valid. */
#ifndef SIDETAIL_BASE_BUF_H
#define SIDETAIL_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/slice.h"

struct buf {
    char *data; /* cap bytes, of which len are in use; NULL while cap is 0 */
    size_t len;
    size_t cap;
};

/* Makes room for `more` further bytes. 0, or -1 when memory is out (the buffer is as it was). */
int buf_reserve(struct buf *b, size_t more);

/* Gives back what room there is beyond `spare` further bytes. */
void buf_fit(struct buf *b, size_t spare);

/* Appends; 0, or -1 when memory is out (nothing was appended). */
int buf_add(struct buf *b, const void *bytes, size_t len);
int buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` bytes (len <= b->len). */
void buf_consume(struct buf *b, size_t len);

/* Frees the bytes; the buffer is empty and valid again. */
void buf_free(struct buf *b);

/* Appends where the caller has reserved the room already. */
static inline void buf_put(struct buf *b, const char *bytes, size_t len)
{
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
}

static inline int buf_add_slice(struct buf *b, struct slice s)
{
    return buf_add(b, s.ptr, s.len);
}

#endif
