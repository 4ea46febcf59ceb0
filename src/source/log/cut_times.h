/* Where the new lines of a cut log begin, by the times of its lines. */
#ifndef SIDETAIL_SOURCE_LOG_CUT_TIMES_H
#define SIDETAIL_SOURCE_LOG_CUT_TIMES_H

#include "decode/decode.h"
#include "source/log/segment.h"

/* What is known before the times are asked, as offsets. */
struct cut_range {
    uint64_t from;  /* where a line begins; all before it is old */
    uint64_t sure;  /* lines that end before or here are old */
    uint64_t limit; /* lines that begin here or behind are new */
    /* `from` is behind this one. Where it is not the entry that was read there, all from there on is new. NULL: nothing
     * is known of a tear there. */
    const struct file_tear *tear;
};

enum cut_times {
    TIMES_NONE,  /* its lines have no times */
    TIMES_TELL,  /* *go_on: behind what is old */
    TIMES_SILENT /* no line is old by its time, and none begins behind a tear, or a clock that was set back */
};

/* `newest_ns`: the newest time of what is old: see struct position. A line that is not newer is old, but
 * where a clock that was behind may have written it: behind a tear, or where times fall, and then go no
 * further than they were. */
enum cut_times cut_times_find(struct segment *seg, const struct decoder *decoder,
                              const struct cut_range *range, int64_t newest_ns, uint64_t *go_on);

#endif
