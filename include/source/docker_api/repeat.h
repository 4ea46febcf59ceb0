/* Does a stream that follows a log bring again what it brought already?
 *
 * An Engine from 23.0 on puts a log's new file in its place, and only then notes that it is there. A follower that opens
 * the file in between takes it for the old one: it reads the new file, learns of the rotation, and reads it again from its
 * beginning (moby daemon/logger/loggerutils/logfile.go rotate and WriteLogEntry, follow.go Do). What comes again is no later
 * than what came last of its stream, and so is what was written after the clock was set back. A new stream tells the two
 * apart, since it reads the files in order: the entry comes next, behind all that was taken, or it does not. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_REPEAT_H
#define SIDETAIL_SOURCE_DOCKER_API_REPEAT_H

#include "engine/logs.h"
#include "source/docker_api/cursor.h"
#include "source/docker_api/proof.h"

/* Of one log. Zero-initialised: nothing was suspected. Written by repeat.c alone. */
struct repeat {
    int64_t time_ns; /* of the entry that was suspected, while nothing was taken since; 0: none */
    enum stream stream;
    bool equal_times; /* entries of one time are usual: the Engine's clock is coarse */
};

/* May the entry, which the cursor does not pass over, have come before? Then the log is to be opened again: asked of the
 * same entry once more, the answer is no. `more`: of each stream, the last entry was a piece of a line. */
bool repeat_suspects(struct repeat *r, const struct proof *p, const struct api_cursor *c, const bool *more,
                     const struct log_entry *e);
/* An entry was taken. */
void repeat_taken(struct repeat *r);

#endif
