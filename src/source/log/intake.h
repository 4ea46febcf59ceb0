/* From what a log has on the disk to what is held open of it: the files of a listing are opened and appended
 * to the chain, oldest first, no more of them at a time than the setting hold_files allows. The others wait
 * on the disk. A rotation may go on meanwhile, and a file may not be readable. */
#ifndef SIDETAIL_SOURCE_LOG_INTAKE_H
#define SIDETAIL_SOURCE_LOG_INTAKE_H

#include "chain.h"
#include "config/config.h"
#include "listing.h"
#include "ownership.h"

enum intake_result {
    INTAKE_DONE,
    INTAKE_AGAIN, /* names changed: list again, no more than INTAKE_TRIES times */
    INTAKE_LATER, /* at the next look. That a file cannot be opened has been logged then */
};
#define INTAKE_TRIES 5

/* Set up by the log's follow; from then on only intake.c writes it. */
struct intake {
    const char *path;  /* of the log */
    const char *alias; /* a link to it that names it, or NULL */
    const struct config *cfg;
    const struct ownership *ownership; /* which files are the log's */
    struct chain *chain;
    struct strays *strays; /* more of them, while they are looked for; owned; NULL: none */

    /* Device and inode of another log's file that has the log's name; 0: none has. */
    struct inode foreign;
    struct inode *seen; /* the files of the last listing that was acted on */
    uint32_t seen_count;
    uint32_t most;          /* that may be held open */
    struct file_id next_up; /* the oldest of those that are `behind`, where that is known */
    int64_t waiting_since;  /* monotonic: a file could not be opened since then; 0: none */
    bool alone;  /* at the last look, its path, and no other name, was that of the file the chain ends with */
    bool behind; /* newer files are there than the chain holds */
    bool filled; /* and one of them was, where nothing is in what is newer in the chain: looked for then */
    bool unlisted; /* its directory could not be listed, which was logged */
    bool unsure;   /* the order of its rotated files is a guess, which was logged */
};

/* Was the file there when the log's files were last listed? */
bool intake_has_seen(const struct intake *in, const struct generation *at);
void intake_free(struct intake *in);

/* The log has another file, which its name does not tell: lists that too from now on. Takes the path over.
 * False: there are too many of them. */
bool intake_add_stray(struct intake *in, char *path);
/* Likewise one that was copied from the log when that had been read to `pos`, where it is not in the listing and
 * there is one. */
bool intake_add_copy(struct intake *in, const struct listing *l, const struct file_pos *pos);
void intake_drop_strays(struct intake *in);

/* How many more files may be held open, as it was measured last: by this, or by intake_list. */
void intake_measure(struct intake *in);
size_t intake_room(const struct intake *in);

/* As listing_read. A failure is counted, and logged once. */
int intake_list(struct intake *in, struct listing *l);
/* As listing_arrange: where the file is then. That lines may come twice is logged once. */
size_t intake_arrange(struct intake *in, struct listing *l, size_t at, const struct file_pos *pos);
/* Files from … to - 1 that could not be opened: DONE where there is nothing to hope for from any of them. */
enum intake_result intake_check(struct intake *in, const struct listing *l, size_t from, size_t to);
/* Opens the oldest of the newest `count` files, as many as may be held. DONE: they may be taken. */
enum intake_result intake_prepare(struct intake *in, struct listing *l, size_t count);
/* Appends what was prepared, and returns how many files; the rest stays behind. A file that cannot be read is
 * a gap: counted and logged. */
size_t intake_take(struct intake *in, struct listing *l, size_t count);

/* Counts and logs that a file cannot be read: what it holds is lost. */
void intake_give_up(const struct intake *in, const struct listed *file);
/* Nothing is waited for any more: the next file that cannot be opened is logged again. */
void intake_stop_waiting(struct intake *in);

#endif
