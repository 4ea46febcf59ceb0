/* Files of a log that have lost all their names, and are there for as long as they are held open. */
#ifndef SIDETAIL_SOURCE_LOG_DELETED_H
#define SIDETAIL_SOURCE_LOG_DELETED_H

#include "chain.h"

/* Has nothing in the chain a name any more? *size: bytes of what is open, which may still be written to. */
bool deleted_all(const struct chain *c, uint64_t *size);
/* The bytes of those that lie behind the delivered position, which go with them; `delivered`: NULL: there is none. */
uint64_t deleted_undelivered(const struct chain *c, const struct file_pos *delivered);

#endif
