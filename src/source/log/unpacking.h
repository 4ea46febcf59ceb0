/* Archives in which a position may stand are unpacked up to there a piece at a time, with turns of the loop between: a
 * large one takes seconds. Zero-initialised is none. */
#ifndef SIDETAIL_SOURCE_LOG_UNPACKING_H
#define SIDETAIL_SOURCE_LOG_UNPACKING_H

#include "listing.h"

#define UNPACKING_MOST 4 /* archives of a log; where it has more, they are unpacked at once */

/* Only unpacking.c writes this. */
struct unpacking {
    struct segment **segs; /* between two pieces: UNPACKING_MOST of them at most; owned, as they are */
    unsigned count;
    bool due; /* it was put off once, so that nothing takes long where a log is only opened */
};

/* Unpacks a piece of those in the listing that begin like the position's file. True: there is more to do, with a listing
 * made anew, from which they are taken up. Else those that reach so far stand where the position does. */
bool unpacking_go_on(struct unpacking *u, struct listing *l, const struct file_pos *pos);
void unpacking_free(struct unpacking *u);

#endif
