/* Following one log file through its rotations, from where the checkpoint says.
 *
 * Promises: every byte that exists is put into the pipeline once and in order, across renames (several between two
 * looks, to any name that the source finds), compression, truncation in place, deletion and reuse of inodes, while
 * running and across restarts. What could not be read is counted in metrics.lost_bytes or metrics.gaps, and logged. */
#ifndef SIDETAIL_SOURCE_LOG_FOLLOW_H
#define SIDETAIL_SOURCE_LOG_FOLLOW_H

#include <sys/queue.h>

#include "base/watch.h"
#include "checkpoint/checkpoint.h"
#include "config/config.h"
#include "decode/decode.h"
#include "ownership.h"
#include "read_buffer.h"

struct follow;

/* How follow_wake comes to be called. */
enum told {
    TOLD_BY_DIRECTORY,
    TOLD_BY_FILE, /* by the file itself, which costs less; as long as nothing happens to names */
    UNTOLD,       /* it need not be, for it is read each so often */
};

struct follow_options {
    const char *key; /* in the checkpoint */
    /* Both outlive the follow, or follow_move, by which they may have gone. */
    const char *path;              /* of the live file, without links; it need not exist yet */
    const char *alias;             /* a link to it that names it: rotated files may bear its name; or NULL */
    const struct decoder *decoder; /* NULL: by the file's first line */
    struct tags *tags;
    bool from_end;               /* no position known: begin behind what is there now */
    const struct file_pos *from; /* no position known: begin there; NULL: at the beginning */
    /* A rotated file is read for so long after the next one was seen to be written to: not all of several
     * writers go over to the new one at once. 0: there is one writer. */
    int64_t grace_ns;
    /* How it is told from now on that the live file, open as `fd`, is written to; what was written till then need not be
     * told of any more. False: not so. NULL: it is always told of by its directory. */
    bool (*tell)(void *arg, enum told told, int fd);
    void *arg;
    /* Put a position into the checkpoint at once, so that it stays a log of its own: see ownership.h */
    bool mark_at_open;
};

/* -- for the sources --------------------------------------------------------------------------- */

/* The live file was written to. */
void follow_wake(struct follow *f);
/* Names in its directory changed, or a second has passed: rotated, truncated, created? Wakes it where need
 * be. */
void follow_look(struct follow *f);
/* As of the last look: would `watch` tell of all that may happen to its files? Where that has told of nothing but
 * writing since, and follow_rests, follow_look need not be called each second. */
bool follow_is_told(const struct follow *f, const struct watch *watch);
/* Is all of it read, as far as is known, and waits nothing for another look? */
bool follow_rests(struct follow *f);
/* Its link leads elsewhere now: what is there comes behind what was read, as after a rotation. See
 * struct follow_options. */
void follow_move(struct follow *f, const char *path, const char *alias);
/* Does what writes the log run no more, and when had it ended last (0: never, or unknown)? A last line without its
 * end is delivered then: see last_line.h. A log that is deleted needs no such word. */
void follow_ended(struct follow *f, bool ended, int64_t run_end_ns);
/* The log is deleted: reads what is still open to its end, forgets the position, then calls done (from the
 * loop), which closes the follow. */
void follow_finish(struct follow *f, void (*done)(void *arg), void *arg);
/* It is there again: takes that back, where it has not come about yet. */
void follow_keep(struct follow *f);

/* Whose is the file at `path`, whose name is that of a rotated file of this log? See ownership_of. */
enum owner follow_owner(const struct follow *f, const char *path, struct file_pos *from);
/* Is this plain file open in it? */
bool follow_holds(const struct follow *f, dev_t dev, ino_t ino);
/* Has another log's plain file its name? It is taken up once that has left it. */
bool follow_awaits(const struct follow *f, dev_t dev, ino_t ino);
/* Is this a plain file that it has read and left? *end: up to where. */
bool follow_has_left(const struct follow *f, struct segment *seg, struct file_pos *end);
/* Does the file, which has FILE_ID_HEAD or more, begin as this log does or did? *read: up to where that was read. NULL:
 * does the log hold so much that any file could? */
bool follow_begins_so(const struct follow *f, struct segment *seg, struct file_pos *read);
/* Does or did the log hold so much in a file that begins so, and read that, or will? */
bool follow_has_had(const struct follow *f, const struct segment *seg);

void follow_retag(struct follow *f, struct tags *tags);
/* Nothing of it has a name any more. *size: bytes of what is open of it, which may still be written to. */
bool follow_deleted(const struct follow *f, uint64_t *size);

/* -- for the tailer, which opens, reads and closes them ---------------------------------------- */

/* A follow's place in the tailer's queue. Only tailer.c writes it, but for `follow`. */
struct turn {
    struct follow *follow;
    /* So many times in a row it was read to its end, and something was new, or, where it is steady, nothing; see
     * steady.h. */
    unsigned found, missed;
    int64_t found_ns; /* monotonic: the first of those times */
    bool steady;
    bool queued, waiting; /* in the queue, or among those that wait for a descriptor: in queue_link */
    bool open;            /* its follow has a file open */
    int64_t opened_ns;    /* monotonic: since then */
    TAILQ_ENTRY(turn) queue_link, all_link, open_link, steady_link;
};

/* What all follows of a tailer share. */
struct follow_env {
    struct pipeline *pipeline;
    struct checkpoint *checkpoint;
    const struct config *cfg;
    struct read_buffer *buffer;
    struct followed_logs others;
    struct open_files *open;
    /* May one more file be opened? Closes that of a silent log, where need be. */
    bool (*room)(void *arg);
    /* There is something to read: follow_read is due. */
    void (*ready)(void *arg, struct turn *turn);
    /* follow_read is due again in `ns`, where follow_in_grace is true then. */
    void (*ready_later)(void *arg, int64_t ns);
    void *arg; /* of all three */
};

/* Opens what there is to read and calls `ready`. The env outlives it. NULL: memory. */
struct follow *follow_open(const struct follow_env *env, const struct follow_options *options);
/* Stops reading where it is; the position stays in the checkpoint. */
void follow_close(struct follow *f);

enum follow_state {
    FOLLOW_MORE,
    FOLLOW_IDLE,
    FOLLOW_DONE,  /* it is closed, see follow_finish */
    FOLLOW_WAITS, /* for a descriptor: there is no room for another open file */
};
/* Reads one chunk; only while the pipeline has room. */
enum follow_state follow_read(struct follow *f);

/* Closes its file, which is opened again when it is written to or looked for. False: it has to stay open. */
bool follow_shelve(struct follow *f);
bool follow_has_open(const struct follow *f);

/* See base/fetch.h: it is the one after the next that will be read, and the next one. */
void follow_fetch_soon(const struct follow *f);
void follow_fetch_now(const struct follow *f);

struct turn *follow_turn(struct follow *f);
/* Up to where it was read. */
struct chain_offset follow_place(const struct follow *f);
/* See struct follow_options. */
bool follow_tell(struct follow *f, enum told told);
const char *follow_key(const struct follow *f);
const char *follow_path(const struct follow *f);
/* Does it wait for the last writers of a rotated file? */
bool follow_in_grace(const struct follow *f);
/* The process ends: reads what of a log that is deleted, or of which the writer has ended, is unread, with its
 * last line, while the pipeline has room. It may be closed by now, see follow_finish. */
void follow_put_last_line(struct follow *f);
/* The process ends: what is open and has no name any more goes with it. What of that was not delivered is
 * lost: counted and logged. */
void follow_report_lost(const struct follow *f);

#endif
