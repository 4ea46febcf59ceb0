/* Reading on in a log that is busy: one call to the kernel brings what is new and the proof that it came behind what was
 * read before. */
#ifndef SIDETAIL_SOURCE_LOG_READ_ON_H
#define SIDETAIL_SOURCE_LOG_READ_ON_H

#include <sys/types.h>

#include "read_buffer.h"

/* Reads what stands behind the offset of a plain file of which segment_note has noted what stands before it, and notes
 * its size. `alike`: its lines have no times, so what stands before the offset may stand there in another file too: its
 * beginning is asked as well. Returns the bytes read, and the buffer's window is on them and on those before. -1: it
 * cannot be read, or is another one by now, or was truncated: look at the whole of it. */
ssize_t read_on(struct segment *seg, struct read_buffer *b, bool alike);

#endif
