/* Whose is a file? Who it is, its device, inode and content tell: where a log has it open, has read and left it,
 * or has its position in it, it is that log's, whatever it is called. Only where these tell nothing, its name
 * does.
 *
 * Whose is a file with a number or date before its ending, app-2026-11-25.log beside app.log? Rotation makes
 * such names (Logback, Log4j, logrotate's `extension`), but others write logs of their own under them.
 *
 * It is app.log's where app.log was that file, or where it was complete before the app.log of now was made.
 * All else is a log of its own. A file that was complete, and is written to all the same, becomes one from
 * there on. */
#ifndef SIDETAIL_SOURCE_LOG_OWNERSHIP_H
#define SIDETAIL_SOURCE_LOG_OWNERSHIP_H

#include "chain.h"
#include "pipeline/pipeline.h"
#include "source/log/rotation.h"

enum owner {
    OWNER_ITSELF,  /* a log of its own */
    OWNER_LOG,     /* the log's: a rotated file of it, or read already */
    OWNER_UNKNOWN, /* it cannot be told yet: ask again later */
};

/* What is known of all logs that are followed. */
struct followed_logs {
    bool (*known)(void *arg, const char *path); /* is the log followed, or was it? */
    /* May the log of that key be read from what lies at `path` now? To be asked each time before that is opened. */
    bool (*allowed)(void *arg, const char *key, const char *path);
    /* Is the plain file in any chain? See chain_of. */
    bool (*open)(void *arg, dev_t dev, ino_t ino, const char *path);
    /* Where the file lies in which the position of that key was taken, where neither its name nor its directory
     * tells; to be freed. NULL: nobody knows. */
    char *(*stray)(void *arg, const char *key);
    /* How far was the plain file read as a log's other than that of the key? False: not at all. */
    bool (*read_before)(void *arg, const char *key, struct segment *seg, struct file_pos *to);
    /* A plain file was read to its end and is about to be closed; it may have a name that is followed. `copied`:
     * the key of its log, of which it is a copy with a number or date before its ending; NULL: it is none. */
    void (*left)(void *arg, const struct file_pos *end, const char *copied);
    void *arg;
};

/* What tells of one log's files. Set up by its follow. */
struct ownership {
    const char *path; /* of the log */
    const char *key;  /* of its position */
    const struct chain *chain;
    struct pipeline *pipeline;
    const struct followed_logs *others;
};

/* Whose is the file at `path`, whose name is that of a rotated file of this log? Where it is its own, some of
 * it may have been read as this log's: up to *from, if that has a file. */
enum owner ownership_of(const struct ownership *o, const char *path, struct file_pos *from);

/* May what lies at `path` now be opened as the log's? */
bool ownership_allows(const struct ownership *o, const char *path);
/* As listing_filter.wanted, of a struct ownership: is the file to be read as one of this log's? */
bool ownership_wanted(void *arg, const struct generation *gen);
/* How far was the file read as another log's? False: not at all. */
bool ownership_read_before(const struct ownership *o, struct segment *seg, struct file_pos *to);
/* Where the file of the log's position is, whatever it is called: in the log's directory, or where the source
 * knows it to be. To be freed; NULL: nowhere. */
char *ownership_find(const struct ownership *o, const struct file_pos *pos);

/* The plain file beside the log that was copied from it when it had been read to `pos` or further, as before it is
 * truncated, whatever the copy is called. To be freed; NULL: there is none. One that begins alike is no copy: it was
 * made since, has what stood before the position, too, and is followed as no other log. */
char *ownership_find_copy(const struct ownership *o, const struct file_pos *pos);

#endif
