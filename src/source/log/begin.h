/* Where reading of a log begins: where its position says, at the end, or at the beginning. */
#ifndef SIDETAIL_SOURCE_LOG_BEGIN_H
#define SIDETAIL_SOURCE_LOG_BEGIN_H

#include "decode/decode.h"
#include "intake.h"
#include "replay.h"
#include "unpacking.h"

struct begin {
    /* Where no position is known: behind what is there now, or at this position, or else at the beginning. The
     * log's follow sets both. begin.c clears from_end once reading has begun, for what appears
     * later is new. */
    bool from_end;
    bool done;    /* found; else it is to be tried again at the next look, or … */
    bool unpacks; /* … in the next turn of the loop, for there is more to unpack */
    /* What was seen of the position's file was read: where it is gone, nothing is known to be lost. Set by the follow,
     * taken back by begin.c. */
    bool complete;
    int64_t saved_ns; /* what was made since is new, too: checkpoint_saved_before. Set by the follow */
    struct file_pos *initial;      /* owned; NULL: none */
    struct unpacking unpacking;    /* in begin.c's hands */
    const struct decoder *decoder; /* of the log; NULL: not known yet, it has lines. Set by its follow */
};

/* What was found, besides where to read from. */
struct begun {
    struct replay replay;
    bool cut;      /* it begins in a file that was cut off: the position is to be marked at once */
    bool gone;     /* the log has the position's file no more, which may be another log's by now */
    bool mid_line; /* as of struct position, and so are these */
    struct file_tears tears;
};

/* Tries to find where to begin, and fills the chain from there on. `known`: the log's position; NULL: it has
 * none. Files that are gone or cannot be read are counted and logged. */
void begin_try(struct begin *b, struct intake *in, const struct position *known, struct begun *out);
void begin_free(struct begin *b);

/* Where a log ends now, behind its last whole line or record, but for files that are new (`saved_ns` as above):
 * `begin.initial` for one that is followed later. `o`: what it allows is looked at; NULL: anything. False: there is
 * nothing yet, or it cannot be read. */
bool begin_note_end(const char *path, const struct ownership *o, const struct decoder *decoder,
                    int64_t saved_ns, struct file_pos *end);

#endif
