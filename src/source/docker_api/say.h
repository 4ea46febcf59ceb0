/* What the source says of one container's log, and counts with it. `container`: its name, or its id where it
 * has none any more. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_SAY_H
#define SIDETAIL_SOURCE_DOCKER_API_SAY_H

/* Lines were rotated away unread: a gap. */
void say_rotated_away(const char *container);
/* The clock was set back: a gap, for all that can be known. */
void say_clock_back(const char *container);
/* Its stream is opened again, for it skipped lines, hangs, or broke. */
void say_skipped(const char *container);
void say_hangs(const char *container);
void say_broke(const char *container, const char *error);

#endif
