/* Truncation in place, and the copies that copytruncate leaves behind. */
#ifndef SIDETAIL_SOURCE_LOG_TRUNCATION_H
#define SIDETAIL_SOURCE_LOG_TRUNCATION_H

#include "intake.h"

/* Only truncation.c writes this. */
struct truncation {
    bool undecided; /* the live file was truncated, and where its copies are cannot be told yet */
    /* Of the live file, as last seen before it was truncated: */
    uint64_t unread; /* bytes */
    int64_t mtime_ns;
};

/* Notes what is seen of the live file before it is looked at anew. */
void truncation_note(struct truncation *t, const struct segment *live);
/* The live file was read, and is not truncated. */
void truncation_none(struct truncation *t);

/* The live file, which is all of the chain, was truncated: reading goes on in its copies, and behind them at
 * its beginning. What is lost is counted and logged. Unless DONE, nothing has changed, and it is to be called
 * again at the next look. */
enum intake_result truncation_follow(struct truncation *t, struct intake *in);
/* Nothing was read of the live file, with which the chain ends, and it was empty and has been written to (segment_was_empty),
 * or holds something else by now (segment_is_anew): reading goes on in its copies, or they come behind what the chain holds,
 * where it was copied and truncated in between. Unless DONE, as above. */
enum intake_result truncation_of_unread(struct truncation *t, struct intake *in);

#endif
