/* Takes the entries that the Engine's stream of a container's log brings: tells which of them are new, puts
 * those into the pipeline, and keeps where reading stands after them. It opens no stream. What the stream is
 * to do next is a result, for the owner to act on. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_INTAKE_H
#define SIDETAIL_SOURCE_DOCKER_API_INTAKE_H

#include "discover/engine_container.h"
#include "engine/logs.h"
#include "pipeline/pipeline.h"
#include "source/docker_api/check.h"
#include "source/docker_api/cursor.h"
#include "source/docker_api/proof.h"
#include "source/docker_api/repeat.h"

/* Hashes of the pieces of the line being joined: of its last INTAKE_PIECES ones. */
#define INTAKE_PIECES 16
struct line_pieces {
    uint64_t hash[INTAKE_PIECES];
    unsigned count;
};

/* Where the last entry taken stands in the log. */
enum last_entry {
    LAST_UNKNOWN,
    LAST_AHEAD, /* still to come: what comes before it was taken long ago */
    LAST_GONE,  /* rotated away */
};

/* Of one container. Times are the Engine's, in ns since 1970. Written by intake.c alone. */
struct api_intake {
    struct engine *engine;
    struct pipeline *pipeline;
    struct feed *feed;
    struct tags *tags;
    struct api_cursor cursor;
    bool more[STREAM_COUNT]; /* the last entry was a piece of a line */
    bool own_times;          /* see engine_own_times */
    bool follow_repeats;     /* see engine_container_follow_repeats */
    bool since_skips;        /* see engine_container_since_skips */
    struct proof proof;      /* before which entries is none missing? */
    int64_t since_ns;        /* the stream leaves out what is older; 0: nothing */
    int64_t ahead_ns; /* the clock was set back: entries up to this time may be of before that; else 0 */
    bool from_zero;   /* since_skips: the stream was asked for the whole log all the same */
    bool want_zero;   /* the next one will be */
    bool reached;     /* an entry that was taken already came, or none is expected: what follows is next */
    bool fresh;       /* the stream brought something new */
    struct repeat repeat;
    enum last_entry last[STREAM_COUNT]; /* while the cursor misses it */
    struct held_entry doubted;          /* INTAKE_DOUBT: what a check is to settle */
    struct line_pieces pieces[STREAM_COUNT];
};

enum intake_result {
    INTAKE_TAKEN,
    INTAKE_TAKEN_AFTER_GAP, /* and entries before it were rotated away before they could be read */
    INTAKE_PASSED,          /* it was taken already */
    /* The entry was not taken, and is to come again: */
    INTAKE_NO_ROOM, /* once the pipeline has room */
    INTAKE_DOUBT,   /* once a check settled what is `doubted`, see intake_checked and intake_sought */
    INTAKE_REOPEN,  /* from a stream that is opened anew */
};

/* Opens the container's feed in the pipeline, at the position that is known of it. Where none is: at the
 * log's beginning, or with `at_end` at what is written from now on. Takes a reference of the tags. */
void intake_init(struct api_intake *in, struct engine *engine, struct pipeline *pipeline,
                 const struct engine_container *c, struct tags *tags, bool at_end);
void intake_close(struct api_intake *in);
/* The tags may have changed. Takes a reference of the new ones where they have. */
void intake_retag(struct api_intake *in, struct tags *tags);

/* Before intake_open: was the clock set back, to before the last entry taken? Then entries from now on are
 * taken all the same; some that were written about then may be missing, or come twice. */
bool intake_catch_clock(struct api_intake *in);
/* A stream is about to be opened. Returns since when to ask for entries; 0: all. */
int64_t intake_open(struct api_intake *in);
/* Was the clock set back since, so that the stream leaves out what is written now? */
bool intake_is_behind_clock(const struct api_intake *in);
/* The stream brought an entry. */
enum intake_result intake_entry(struct api_intake *in, const struct log_entry *e);
/* A check found that all of the log before an entry of that time was taken; 0: all of the log. */
void intake_checked(struct api_intake *in, int64_t until_ns, const struct known_next *next);
/* Entries are missing before the held one: the next stream is asked for the whole log where it would leave them out
 * again. A line of which a piece is missing is taken anew. */
void intake_missed(struct api_intake *in, const struct held_entry *held);
/* A check looked for the last entry taken: it is still to come, so what comes before it is passed over; or it is gone. False:
 * the held one came before, and the stream is to be opened again. */
bool intake_sought(struct api_intake *in, const struct held_entry *held, bool to_come);
/* Was the stream asked in a way that leaves entries out, so that it brought none of those taken already? Then
 * the next one, which is to be opened, is asked for the whole log. */
bool intake_was_misled(struct api_intake *in);

/* Does the last entry of a stream wait for the rest of its line? */
bool intake_is_unfinished(const struct api_intake *in);
/* That rest will not come: ends those lines. False: no room in the pipeline, to be called again. */
bool intake_end_lines(struct api_intake *in);
/* All of a removed container was taken: its position is forgotten. False: likewise. */
bool intake_forget(struct api_intake *in);

#endif
