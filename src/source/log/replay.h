/* What is read again after a start although it was delivered before: everything up to the position, but for
 * the lines that were unfinished there. */
#ifndef SIDETAIL_SOURCE_LOG_REPLAY_H
#define SIDETAIL_SOURCE_LOG_REPLAY_H

#include "base/stream.h"
#include "chain.h"

/* Entries before `until` are delivered already, but for those of a stream from `from` on. */
struct replay {
    bool active;
    struct chain_offset until;
    bool from_set[STREAM_COUNT];
    struct chain_offset from[STREAM_COUNT];
};

/* Where reading has to begin: at the earliest `from`, or at `until`. Active where that is before `until`. */
struct chain_offset replay_start(struct replay *r);
/* Was what stands at `at` read before? Ends the replay once it was not. */
bool replay_goes_on(struct replay *r, struct chain_offset at);
/* Was the entry of the stream that begins at `at` delivered already? Ends the replay likewise. */
bool replay_delivered(struct replay *r, enum stream stream, struct chain_offset at);

#endif
