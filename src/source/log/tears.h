/* The tears of a file behind which was read: struct file_tears. */
#ifndef SIDETAIL_SOURCE_LOG_TEARS_H
#define SIDETAIL_SOURCE_LOG_TEARS_H

#include <stdbool.h>

#include "base/clock.h"
#include "record/position.h"

/* What a machine may not have written to the disk yet: vm.dirty_expire_centisecs, and the time that it
 * takes. */
#define UNWRITTEN (35 * NS_PER_S)

/* There is one, behind which nothing with a time was read yet; `before` is what stands before the offset. Of several
 * such on end the first and the last are kept; where there are too many, this takes the place of the last one. */
void tears_begin(struct file_tears *tears, uint64_t offset, struct file_tail before);
/* Where the last one is such, and at that offset: that stands before it. */
void tears_note(struct file_tears *tears, uint64_t offset, struct file_tail before);
/* Is the last one such? */
bool tears_open(const struct file_tears *tears);
/* Then: the first entry that was read behind it stands at the offset. Forgets those that cannot be needed any more. */
void tears_end(struct file_tears *tears, uint64_t offset, struct file_tail before, int64_t time_ns);
/* Forgets those that stand behind the offset. */
void tears_drop(struct file_tears *tears, uint64_t offset);

#endif
