/* What the lines before an offset were, roughly: struct file_outline. */
#ifndef SIDETAIL_SOURCE_LOG_OUTLINE_H
#define SIDETAIL_SOURCE_LOG_OUTLINE_H

#include "record/position.h"

struct file_outline outline_of(const char *tail, size_t len);

/* How many bytes are as they were, up to behind a line's end: so many are, or 0, where one time in 256 it is another
 * line that has the sum; so many at least, by two sums; and no more than that may be. */
struct outline_known {
    size_t sure, surer, maybe;
};

/* Of a file that held a tail, `len` bytes stand there now, which are no more than the tail had. */
struct outline_known outline_known(const struct file_outline *outline, const char *bytes, size_t len);
/* Is the first half of the `whole` bytes of the tail there as it was? */
bool outline_half(const struct file_outline *outline, size_t whole, const char *bytes, size_t len);

#endif
