/* What is proven of a log that the Engine's stream follows: before which entries is surely none missing?
 *
 * A stream that follows a log lags while the log is written fast. When the log is rotated more than once meanwhile, the
 * stream skips whole files: it reads the one that it has open to its end, then goes on with the one that is written now.
 * Only the Engine's own log says so (moby daemon/logger/loggerutils/follow.go, 23.0 to 29; older Engines lose lines around a
 * rotation for other reasons). A request that does not follow reads all files as they were when it came, and skips nothing.
 *
 * So an entry is doubted, and a check of the log settles that (check.h) before the entry is taken, when
 * - since the entry before as much time went by as filling a file takes at the least, where the log has long lines but for
 *   one of these, whose pieces all bear the time of its beginning; or
 * - it begins a line while another one is unfinished; or
 * - it ends a line that may be longer than a file, and comes late. If a piece is missing, the line is read again from its
 *   first one.
 *
 * The check also reads what the log has behind that entry. While this comes as it was read, it needs no further check; if
 * something else comes, that is doubted.
 *
 * A trickle of lines would mean a check for each line. There, whole lines are taken on credit: while the stream does not
 * lag, which only an Engine on this machine can be told by, and only so few bytes that hardly a file ends among them. What was
 * taken since the last proof is kept in mind, so the next check settles these too. If it finds one missing, or a new stream is
 * opened first, the log is read again from the last proof on, and what was taken since is passed over: the missing lines come late,
 * but they come. A process that ends with a credit has no more of it: what the Engine skipped just then is lost.
 *
 * Times are the Engine's, in ns since 1970. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_PROOF_H
#define SIDETAIL_SOURCE_DOCKER_API_PROOF_H

#include "discover/engine_container.h"
#include "engine/logs.h"
#include "source/docker_api/cursor.h"

#define PROOF_CREDIT 128 /* entries kept in mind */
#define PROOF_NEXT   128 /* and of those that are to come */

/* Times, streams and kinds of entries that follow each other in the log. Zero-initialised: none are known. */
struct known_next {
    uint64_t key[PROOF_NEXT];
    unsigned at, count; /* those from `at` on are still to come */
};

/* Of one log. Written by proof.c alone, but for piece_twice, which the owner sets. */
struct proof {
    const struct engine *engine;
    bool wanted;           /* the log is kept in files that are rotated */
    bool since_skips;      /* see engine_container_since_skips: the log cannot be asked for all of a line */
    bool own_times;        /* see engine_own_times */
    bool tail_harms;       /* see engine_tail_harms: a check is dear */
    int64_t max_size;      /* of a file, in bytes */
    int64_t prompt_ns;     /* as long as it takes to fill a file, at the least */
    int64_t jump_ns;       /* the same, less a long line's part of it */
    int64_t opened_ns;     /* the stream brings all that was written up to then */
    bool live;             /* since then it brought something that was written later */
    int64_t checked_ns;    /* nothing is missing before an entry of up to this time */
    int64_t bytes;         /* taken since the last proof */
    int64_t since_longest; /* bytes taken since; after two files' worth it is forgotten */
    int64_t longest;       /* line of the log, in bytes */
    int64_t line[STREAM_COUNT]; /* bytes of the unfinished one */
    bool prompt;                /* the entry taken last came at once */
    bool owed;                  /* something was taken on credit */
    /* What the log had behind the last proof: the entries that are to come next, in order. */
    struct known_next next;
    /* Two pieces of the unfinished line are the same, or one came twice. */
    bool piece_twice[STREAM_COUNT];
    struct api_pos proven[STREAM_COUNT];
    uint64_t entries; /* taken in all */
    /* Times and streams of the entries taken since. `count` of PROOF_CREDIT says that more were, or pieces, or that the
     * array is in use for those to be passed over: nothing is taken on credit then. */
    uint64_t taken[PROOF_CREDIT];
    unsigned count;
    /* After the log was set back to what is proven, those of `taken` that are still to be passed over. */
    unsigned passing;
};

void proof_init(struct proof *p, const struct engine *e, const struct engine_container *c);
/* May the stream's entries be read LOG_GATHER_NS late? What is on credit has to come soon after its time. */
bool proof_may_gather(const struct proof *p);
/* A time of the Engine's clock that is surely not later than now: another machine's is known to the second only. */
int64_t proof_clock(const struct engine *e);
/* A stream is about to be opened at the cursor's position, which goes back to what is proven if there is credit. */
void proof_opening(struct proof *p, struct api_cursor *c, int64_t opened_ns);

/* May entries be missing before this one, which the cursor does not pass over? `more`: of each stream, the last entry was
 * a piece of a line. */
bool proof_doubts(struct proof *p, const struct api_cursor *c, const bool *more, const struct log_entry *e);
/* Was the entry taken before the cursor went back? It counts as passed over now. */
bool proof_passes(struct proof *p, const struct log_entry *e);
/* The entry, which the cursor does not pass over, is about to be taken: the clock may have been set back before it. */
void proof_follows(struct proof *p, const struct api_cursor *c, const struct log_entry *e);
/* The entry was taken. */
void proof_taken(struct proof *p, const struct log_entry *e);
/* A check found that nothing is missing up to the cursor's position, nor then before an entry of `until_ns` and earlier. What
 * follows in the log is `next`; NULL: that is not known. */
void proof_given(struct proof *p, const struct api_cursor *c, int64_t until_ns,
                 const struct known_next *next);
/* Another entry that the log has behind those; as many are kept as there is room for. */
void proof_note_next(struct known_next *next, const struct log_entry *e);

/* Was what came last hardly there yet when the stream was opened, of a log that rotates as the Engine's stream follows it? */
bool proof_reads_live(const struct proof *p, const struct api_cursor *c);

/* Was the entry, with all of its line, surely in the log's files when the stream was opened? */
bool proof_is_of_files(const struct proof *p, const struct log_entry *e);

/* Is the entry one of `count` of them, kept as in `taken`? Takes it out then. */
bool proof_match(uint64_t *taken, unsigned *count, const struct log_entry *e);

#endif
