/* Following one log file through its rotations, from where the checkpoint says; many of them share one
 * tailer.
 *
 * Promises: every byte that exists is put into the pipeline once and in order, across renames (several
 * between two looks), .gz, truncation in place, deletion and reuse of inodes, while running and across
 * restarts. What could not be read is counted in metrics.lost_bytes or metrics.gaps and said. */
#ifndef SIDETAIL_SOURCE_LOG_FOLLOW_H
#define SIDETAIL_SOURCE_LOG_FOLLOW_H

#include <stdbool.h>
#include <sys/stat.h>

#include "decode/decode.h"
#include "source/source.h"

struct tailer;
struct follow;

/* Reads the follows that have something new, in turn, as long as the pipeline has room. NULL: memory. */
struct tailer *tailer_new(const struct source_env *env, struct error *err);
void tailer_resume(struct tailer *t);                       /* the pipeline has room again */
void tailer_stop(struct tailer *t);                         /* reads nothing more */
bool tailer_knows(const struct tailer *t, const char *key); /* is there a position of it? */
void tailer_free(struct tailer *t);                         /* after all its follows are closed */

struct follow_options {
    const char *key;               /* in the checkpoint */
    const char *path;              /* of the live file; it need not exist yet */
    const struct decoder *decoder; /* NULL: by the file's first line */
    struct tags *tags;
    bool from_end;               /* no position known: begin behind what is there now */
    const struct file_pos *from; /* no position known: begin there; NULL: at the beginning */
    /* A rotated file is read for so long after the next one was seen to be written to: not all of several
     * writers go over to the new one at once. 0: there is one writer. */
    int64_t grace_ns;
    bool claim; /* note from the start that it is followed, so that it stays a log of its own: see ownership.c */
};

/* Opens what there is to read and queues it. NULL: memory. */
struct follow *follow_open(struct tailer *t, const struct follow_options *options);
/* Stops reading where it is; the position stays in the checkpoint. */
void follow_close(struct follow *f);

/* The live file was written to. */
void follow_wake(struct follow *f);
/* Names in its directory changed, or a second has passed: rotated, truncated, created? Wakes it where need
 * be. */
void follow_look(struct follow *f);
/* The log is deleted: reads what is still open to its end, forgets the position, then calls done (from the
 * loop), which closes the follow. */
void follow_finish(struct follow *f, void (*done)(void *arg), void *arg);
/* It is there again: takes that back, where it has not come about yet. */
void follow_keep(struct follow *f);

/* Whose is the file at `path`, whose name is that of a rotated file of this log, with a number or date before
 * its ending? Where it is its own, some of it may have been read as this log's: up to `from`, where that has
 * a file. */
enum claim {
    CLAIM_OPEN,  /* internal: nothing is known */
    CLAIM_OWN,   /* a log of its own */
    CLAIM_LATER, /* cannot be told yet */
    CLAIM_LOG,   /* this log's, or read already */
};
enum claim follow_claim(struct follow *f, const char *path, struct file_pos *from);
/* Is this file open in it? */
bool follow_holds(const struct follow *f, const struct stat *st);

void follow_retag(struct follow *f, struct tags *tags);
/* Nothing of it has a name any more. *size: of what is open of it, for it may be written to all the same. */
bool follow_deleted(const struct follow *f, uint64_t *size);

#endif
