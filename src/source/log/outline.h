/* What the lines before an offset were, roughly: struct file_outline. */
#ifndef SIDETAIL_SOURCE_LOG_OUTLINE_H
#define SIDETAIL_SOURCE_LOG_OUTLINE_H

#include "record/position.h"

struct file_outline outline_of(const char *tail, size_t len);

/* Of a file that held a tail of `whole` bytes, `len` stand there now, which are no more than that. How many
 * of them are as they were? Up to behind a line's end, as far as the outline tells, or 0. */
size_t outline_known(const struct file_outline *outline, const char *bytes, size_t len);
/* Is the first half of the `whole` bytes there as it was? */
bool outline_half(const struct file_outline *outline, size_t whole, const char *bytes, size_t len);

#endif
