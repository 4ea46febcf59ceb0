/* Reads the last entries of a container's log, which costs the Engine little, and compares them with what was
 * taken. That tells a stream that hangs, one that ended too early, and one that skipped lines from a
 * container that is silent. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_CHECK_H
#define SIDETAIL_SOURCE_DOCKER_API_CHECK_H

#include "engine/logs.h"
#include "source/docker_api/cursor.h"

#define CHECK_LINES 64 /* entries that are read, where more than the very last is of interest */

enum check_result {
    CHECK_LEVEL,  /* all of the log was taken */
    CHECK_BEHIND, /* not all was, or that cannot be told */
    CHECK_FAILED, /* the Engine did not answer */
};

/* Zero-initialised: none is under way. */
struct api_check {
    struct log_stream *stream; /* NULL: none is under way */
    /* Set by the owner, who keeps what is borrowed until the check is over. */
    const struct api_cursor *cursor; /* what was taken */
    const bool *more;                /* of each stream: the last entry was a piece of a line */
    /* 0: compare the very last entry. Else: is there any before an entry of that time that was not taken? */
    int64_t until_ns;
    /* When what was read does not go back to an entry that was taken, there may be more before it: behind. */
    bool strict;
    void (*done)(void *arg, enum check_result result); /* the check is over; another may be started */
    void *arg;
    /* Its own. */
    bool behind, reached;
};

/* Begins; a check that is under way is given up. Of the options tty, bare_end and own_times count. 0, or -1:
 * memory. */
int api_check_start(struct api_check *c, struct engine *e, const char *id, const struct log_options *options);
/* `done` is not called any more. None under way is fine. */
void api_check_stop(struct api_check *c);

#endif
