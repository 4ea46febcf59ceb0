/* A queue of lines, one behind the other in a single buffer. */
#ifndef SIDETAIL_TAIL_LINE_QUEUE_H
#define SIDETAIL_TAIL_LINE_QUEUE_H

#include "base/buf.h"
#include "line.h"

/* Zero-initialised is empty and valid. Written by line_queue.c alone. */
struct line_queue {
    struct buf bytes;
    size_t at; /* of the first line in `bytes` */
};

void line_queue_free(struct line_queue *q); /* it is empty and valid again */

/* Appends a copy, with a reference of its writer. 0, or -1: memory, and nothing was appended. */
int line_queue_put(struct line_queue *q, const struct tail_line *line);
/* Bytes that its lines take; 0: it is empty. */
size_t line_queue_bytes(const struct line_queue *q);
/* The first line of one that is not empty. Its text is valid until the next put, also where it is dropped. */
struct tail_line line_queue_first(const struct line_queue *q);
/* The line at a place, 0 the first, which is moved on to the next line, or to line_queue_bytes. The same is
 * true of its text. */
struct tail_line line_queue_at(const struct line_queue *q, size_t *place);
/* The reference of its writer is the caller's now. */
void line_queue_drop(struct line_queue *q);

#endif
