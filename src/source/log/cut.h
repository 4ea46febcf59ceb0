/* A log whose end never reached the disk: the machine lost its power, the checkpoint was on the disk already. */
#ifndef SIDETAIL_SOURCE_LOG_CUT_H
#define SIDETAIL_SOURCE_LOG_CUT_H

#include "source/log/segment.h"

/* Is this plain file the one that the position was taken in, by its beginning, and shorter than that, or filled
 * up with zeros? *end: where what was written since begins, behind its end as it was then, or behind the zeros. */
bool cut_find(struct segment *seg, const struct file_pos *pos, uint64_t *end);

#endif
