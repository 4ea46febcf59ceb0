/* Where descriptors are scarce, the one file that a log is read from may be closed while the log is silent, and is
 * opened again when there is something to read. All that is known of it stays (segment_shelve). */
#ifndef SIDETAIL_SOURCE_LOG_SHELF_H
#define SIDETAIL_SOURCE_LOG_SHELF_H

#include "intake.h"

/* Closes the one file of the chain. False: it stays open, for rotated ones are being read, or `path` does not name
 * it, so that it might not be found again. */
bool shelf_put(struct chain *c, const char *path);
/* Is the file of the chain closed for now? */
bool shelf_holds(const struct chain *c);

/* The log's path does not name its closed file any more. Has it another name, in the log's directory or where the
 * source has met it? That is remembered. */
bool shelf_seek(struct chain *c, const struct intake *in);

enum shelf_result {
    SHELF_OPEN,
    SHELF_GONE,    /* it is nowhere, or was packed: to be found by its position */
    SHELF_REFUSED, /* its path names it, and it may not be opened now: see ownership_allows */
    SHELF_LATER,   /* errno: it cannot be opened now */
};
/* Opens it again, whatever it is called by now, where it may still be opened. */
enum shelf_result shelf_take(struct chain *c, const struct intake *in);

#endif
