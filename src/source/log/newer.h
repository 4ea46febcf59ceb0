/* What rotation adds to a log while it is followed. */
#ifndef SIDETAIL_SOURCE_LOG_NEWER_H
#define SIDETAIL_SOURCE_LOG_NEWER_H

#include "truncation.h"

/* Looks at the path: takes up the files that a rotation made since. True: there is something new to read. */
bool newer_look(struct truncation *t, struct intake *in);
/* There are newer files than the chain holds: takes up those that there is room for, and returns how many. A
 * gap between them and the chain is counted and logged. */
size_t newer_take(struct intake *in);
/* Do newer files wait on the disk, one of which was written to as of the last look, where the chain holds as many as it may? */
bool newer_crowded(const struct intake *in);

#endif
