/* A log whose end never reached the disk: the machine lost its power, the checkpoint was on the disk already.
 * */
#ifndef SIDETAIL_SOURCE_LOG_CUT_H
#define SIDETAIL_SOURCE_LOG_CUT_H

#include "decode/decode.h"
#include "source/log/segment.h"

/* Is this plain file the one that the position was taken in, and was it cut off before the offset? It is
 * shorter than that, or filled up with zeros; or something else stands there by now. By its first KiB it is
 * known, a smaller one by what is left of its lines. *end: where what was written since begins: at the first
 * line that is newer than those that were read, where lines have times and those are known; else behind the
 * zeros, or behind the last line that is as it was read, and what is left of the next one. `decoder`: NULL:
 * by its first line. */
bool cut_find(struct segment *seg, const struct position *pos, const struct decoder *decoder, uint64_t *end);

#endif
