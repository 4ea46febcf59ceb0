/* Reads the last lines of a container's log, which costs the Engine little, and compares them with what was
 * taken. So a stream that hangs, one that ended too early, and one that skipped lines are told from a
 * container that is silent. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_CHECK_H
#define SIDETAIL_SOURCE_DOCKER_API_CHECK_H

#include "engine/engine.h"
#include "source/docker_api/cursor.h"

#define CHECK_LINES 64

enum check_result {
    CHECK_LEVEL,  /* all of it was taken */
    CHECK_BEHIND, /* no, or it cannot be told */
    CHECK_FAILED, /* no answer */
};

/* Zero-initialised: none is under way. */
struct api_check {
    struct log_stream *stream; /* NULL: none is under way */
    /* Set by the owner, who keeps what is borrowed until the check is over. */
    const struct api_cursor *cursor; /* what was taken */
    const bool *more;                /* of each stream: the last entry was a piece of a line */
    int64_t until_ns; /* 0: the very last line is compared; else: is there anything before an entry of that
                         time? */
    bool strict; /* when what was read goes not back to a line that was taken, there may be more before it:
                    behind, then */
    void (*done)(void *arg, enum check_result result); /* it is over; another may be started */
    void *arg;
    /* Its own. */
    bool behind, reached;
};

/* Begins; one that is under way is given up. Of the options tty, bare_end and own_times count. 0, or -1:
 * memory. */
int api_check_start(struct api_check *c, struct engine *e, const char *id, const struct log_options *options);
void api_check_stop(struct api_check *c); /* no call any more; none under way is fine */

#endif
