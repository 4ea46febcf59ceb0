/* What keeps a container's lines from being collected as they should be: said once in the log and counted, and noted for
 * /status as long as it lasts. */
#ifndef SIDETAIL_SOURCE_JSON_FILE_SAY_H
#define SIDETAIL_SOURCE_JSON_FILE_SAY_H

#include "base/error.h"
#include "container.h"
#include "discover/metadata.h"

/* Where its log lies there is none that can be read; said where that has lasted from one look to the next. */
void container_say_fault(struct container *c, enum log_place_fault before);
/* Its metadata cannot be read. True: it is said for the first time. */
bool container_say_unread(struct container *c, const struct error *err);
/* Its driver writes no log that can be read here. The tags are the caller's. */
void container_say_no_files(struct container *c, const struct tags *tags, const struct metadata *meta);
/* Nothing is noted any more. */
void container_say_nothing(struct container *c);

#endif
