/* Does a stream that follows a log bring again what it brought already?
 *
 * An Engine from 23.0 on puts a log's new file in its place, and only then notes that it is there. A follower that opens
 * the file in between takes it for the old one: it reads the new file, learns of the rotation, and reads it again from its
 * beginning (moby daemon/logger/loggerutils/logfile.go rotate and WriteLogEntry, follow.go Do). What comes again is no later
 * than what came last of its stream, and so is what was written after the clock was set back. A check of the log tells the two
 * apart: does it have that last entry behind this one? Then the log is to be opened again. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_REPEAT_H
#define SIDETAIL_SOURCE_DOCKER_API_REPEAT_H

#include "engine/logs.h"
#include "source/docker_api/check.h"
#include "source/docker_api/cursor.h"
#include "source/docker_api/proof.h"

/* Of one log. Zero-initialised. Written by repeat.c alone. */
struct repeat {
    int64_t settled_ns; /* time of the entry that was settled last; 0: none was */
    enum stream stream;
};

/* May the entry, which the cursor does not pass over, have come before? `more`: of each stream, the last entry was a piece
 * of a line. */
bool repeat_suspects(const struct repeat *r, const struct proof *p, const struct api_cursor *c,
                     const bool *more, const struct log_entry *e);
/* What a check is asked then. CHECK_LEVEL: it came before. */
struct held_entry repeat_question(const struct log_entry *e);
/* That is answered, or a stream that is about to be opened does: if the entry comes again from that, it is new. */
void repeat_settled(struct repeat *r, enum stream stream, int64_t time_ns);
/* Is that the entry? */
bool repeat_is_settled(const struct repeat *r, const struct log_entry *e);

#endif
