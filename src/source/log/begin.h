/* Where reading of a log begins: where its position says, at the end, or at the beginning. */
#ifndef SIDETAIL_SOURCE_LOG_BEGIN_H
#define SIDETAIL_SOURCE_LOG_BEGIN_H

#include "intake.h"
#include "replay.h"

struct begin {
    /* Where no position is known: behind what is there now, or at this position, or else (NONE) at the
     * beginning. The log's follow sets both. begin.c clears from_end once reading has begun, for what appears
     * later is new. */
    bool from_end;
    struct position initial;
    bool framed; /* the log has no lines: its end is where its file ends. Set by its follow */

    bool done; /* found; else it is to be tried again at the next look */
    struct replay replay;
    bool mid_line; /* as of struct position */
};

/* Tries to find where to begin, and fills the chain from there on. `known`: the log's position; NULL: it has
 * none. Files that are gone or cannot be read are counted and logged. */
void begin_try(struct begin *b, struct intake *in, const struct position *known);

#endif
