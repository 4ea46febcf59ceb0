/* How a follow begins to read, and goes on where its file was closed for want of descriptors. */
#ifndef SIDETAIL_SOURCE_LOG_RESUME_H
#define SIDETAIL_SOURCE_LOG_RESUME_H

#include "follow_state.h"

/* Begins; not where there is no descriptor left: then once there is. Where a log ended at the start is noted all the
 * same. */
void resume_begin(struct follow *f);
/* Goes on with that, where begin.unpacks is true. */
void resume_unpack(struct follow *f);
/* Opens what was closed for want of descriptors, or could not be opened. False: there are none. */
bool resume_open(struct follow *f);
/* Looks at a log that has not begun, or whose file is closed: is it to be opened? */
void resume_look(struct follow *f);

/* Where no position is known, it is to begin there: not where nothing is known of the file. */
void resume_note_initial(struct follow *f, const struct file_pos *pos);

/* Logs a fault of reading once, until it has gone. errno says which. */
void resume_fault(struct follow *f, const char *what);

#endif
