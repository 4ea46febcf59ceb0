/* The order of a log's rotated files, by the rule that rotation.h states. */
#ifndef SIDETAIL_SOURCE_LOG_ROTATION_ORDER_H
#define SIDETAIL_SOURCE_LOG_ROTATION_ORDER_H

#include "source/log/rotation.h"

/* Newest first; sets `unsure`. */
void rotation_sort(struct generation *list, size_t count);

/* As far as its times tell: was it made after a position was taken, when the file of that had this mtime? Of
 * a file that kept the time of what it was made from: was that written to since? */
bool rotation_made_since(const struct generation *gen, int64_t mtime_ns);

#endif
