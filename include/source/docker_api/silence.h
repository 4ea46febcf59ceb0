/* How long a stream of a container's log has been silent, and when that is to be checked: the container may
 * be silent, or the stream may hang. Counted in seconds, by a tick of the owner's. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_SILENCE_H
#define SIDETAIL_SOURCE_DOCKER_API_SILENCE_H

#include <stdbool.h>

#define SILENCE_CHECK_AFTER     5   /* seconds before the first check of a stream */
#define SILENCE_CHECK_AFTER_MAX 300 /* before each further one it doubles, up to this */
/* Before the first check of a stream that has brought nothing yet, at least. An Engine reads all files through for
 * `since`, silently: some ten seconds for each GB. */
#define SILENCE_CHECK_OPENED 10

struct silence {
    unsigned seconds;     /* without an entry */
    bool heard;           /* an entry came since the last tick, whether it was taken or passed over */
    unsigned check_after; /* of those before the next check */
    bool began;           /* an entry came since the stream was opened */
    /* Before the first check of the next stream. It doubles with each stream that was found hanging before
     * its first entry, for that may be one that the Engine still reads files for. Opened anew each time, such a stream
     * would never get on. */
    unsigned patience;
    bool hanging; /* a check found more than the stream brought, and nothing has come since */
};

/* `patience`: in seconds, for the first stream. */
void silence_init(struct silence *s, unsigned patience);
/* A stream is opened. */
void silence_opened(struct silence *s);
/* The stream brought an entry. From now on the patience is the one given. */
void silence_broken(struct silence *s, unsigned patience);
/* A second went by. Is a check due? It is after `at_most` silent seconds in any case. Then they are counted anew. */
bool silence_tick(struct silence *s, unsigned at_most);
/* A check is over: the next one is due after twice the time. */
void silence_checked(struct silence *s);
/* The stream hangs, and is about to be opened anew. */
void silence_reopening(struct silence *s);

#endif
