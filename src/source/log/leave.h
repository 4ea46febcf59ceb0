/* How a follow goes from one file to the next: when the one that it reads may be left, and what is to be done then. */
#ifndef SIDETAIL_SOURCE_LOG_LEAVE_H
#define SIDETAIL_SOURCE_LOG_LEAVE_H

#include "follow_state.h"

/* Is the head the log, for its renaming was undone? Then it is still written to, and comes again behind what is newer. */
bool leave_is_back(const struct follow *f);
/* May the head be left, once it is read to its end? Where its last writers are waited for, it is asked for again after
 * that. */
bool leave_may(struct follow *f);
/* Closes the head, which was read to its end. `ended`: nothing more will come of it. */
void leave_head(struct follow *f, bool ended);

#endif
