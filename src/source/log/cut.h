/* A log whose end never reached the disk: the machine lost its power, the checkpoint was on the disk
 * already. The file is as it was up to somewhere before the position; behind that there may be zeros, and
 * what was written since. */
#ifndef SIDETAIL_SOURCE_LOG_CUT_H
#define SIDETAIL_SOURCE_LOG_CUT_H

#include "decode/decode.h"
#include "source/log/segment.h"

enum cut_kind {
    CUT_NOT,  /* another file, or one that was emptied and written anew: all that it holds is new */
    CUT_SURE, /* it was cut, and all that was written since stands from `go_on` on */
    /* Cut, or emptied and written anew with the same first KiB, or it does not tell where it was cut. From
     * `go_on` on it has to be read, where lines may come again. */
    CUT_UNSURE,
};

struct cut {
    enum cut_kind kind;
    uint64_t go_on;
    /* UNSURE: bytes before `go_on` that may be new, which are too many to be read again: they may be lost */
    uint64_t passed;
    unsigned tears; /* so many of the position's first ones are still in it */
};

/* What became of a file in which the position does not stand any more. A plain file is known by its inode
 * and its first KiB, a smaller one by what is left of its lines; where lines have times, these and the
 * first KiB do, also of a copy or an archive. `decoder`: NULL: by its first line. The segment stands where
 * it stood; an archive at its beginning. */
struct cut cut_find(struct segment *seg, const struct position *pos, const struct decoder *decoder);

#endif
