/* Reads the last entries of a container's log, which costs the Engine little (but see engine_tail_harms), and compares them
 * with what was taken. That tells a stream that hangs, one that ended too early, and one that skipped lines. Where the entries
 * read do not go back far enough, more are read. It also tells whether an entry is one of those taken long ago. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_CHECK_H
#define SIDETAIL_SOURCE_DOCKER_API_CHECK_H

#include "engine/logs.h"
#include "source/docker_api/cursor.h"
#include "source/docker_api/proof.h"

enum check_result {
    CHECK_LEVEL,  /* all of the log was taken; `returned`: it has */
    CHECK_BEHIND, /* not all was, or that cannot be told; `returned`: it has not */
    CHECK_FAILED, /* the Engine did not answer */
};

/* An entry that came, and is held until the check is over. */
struct held_entry {
    bool piece; /* the last one of a line: did as many come before it as the log has? */
    bool whole; /* it is a line: are there no pieces of its time before it? */
    /* cursor_misses: does the log have the awaited last entry behind it? Only that is asked then. */
    bool returned;
    bool again; /* likewise: it is older than the awaited one, and may have come before */
    enum stream awaited;
    enum stream stream;
    int64_t time_ns; /* 0: no entry is held */
};

/* Zero-initialised: none is under way. */
struct api_check {
    struct log_stream *stream; /* NULL: none is under way */
    /* Set by the owner, who keeps what is borrowed until the check is over. */
    const struct api_cursor *cursor; /* what was taken */
    const struct proof *proof;
    const bool *more; /* of each stream: the last entry was a piece of a line */
    /* None: compare the very last entry. Else: is there any before the held one that was not taken? */
    struct held_entry held;
    /* When what was read does not go back to an entry that was taken, there may be more before it: behind. */
    bool strict;
    void (*done)(void *arg, enum check_result result); /* the check is over; another may be started */
    void *arg;
    /* When it is over: it found the log level with what was taken, going back far enough, and nothing was taken
     * meanwhile. Of a piece that is held it says that its line is whole. */
    bool proves;
    /* Its own. */
    struct engine *engine;
    char id[65];
    struct log_options options;
    bool owed;                   /* as in the proof when it began */
    uint64_t entries_before;     /* that were taken when it began */
    unsigned ticks, patience;    /* seconds */
    int64_t entries;             /* read */
    bool behind[STREAM_COUNT];   /* one was not taken */
    bool reached;                /* one is of before what is compared */
    bool began;                  /* the first piece of an unfinished line came, or another one of it */
    struct known_next next;      /* the held entry, and those behind it */
    bool over;                   /* the held one came: what follows was written later */
    bool is_piece;               /* and is the piece of a line */
    uint32_t same[STREAM_COUNT]; /* entries read with exactly the time of the stream's last one */
    uint64_t unmatched[PROOF_CREDIT];
    unsigned unmatched_count;
};

/* Remembers the entry as the one that is held. */
struct held_entry held_entry(const struct api_cursor *cursor, const bool *more, const struct log_entry *e);

/* Begins; a check that is under way is given up. Of the options those of log_options_for count. 0, or -1: memory. */
int api_check_start(struct api_check *c, struct engine *e, const char *id, const struct log_options *options);
/* A second went by: one that gets no answer for long fails. Is it still under way? */
bool api_check_tick(struct api_check *c);
/* `done` is not called any more. None under way is fine. */
void api_check_stop(struct api_check *c);

#endif
