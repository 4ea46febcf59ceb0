/* What follow.c, chain.c and tailer.c share; nobody else includes this. */
#ifndef SIDETAIL_SOURCE_LOG_FOLLOW_INTERNAL_H
#define SIDETAIL_SOURCE_LOG_FOLLOW_INTERNAL_H

#include <sys/queue.h>

#include "config/config.h"
#include "follow.h"
#include "listing.h"
#include "record/pending.h"

#define FOLLOW_DONE_IDS 16 /* files read to their end that are remembered */

/* A place in the chain of a log's files. */
struct spot {
    uint64_t order, offset;
};

/* After a start, entries before `until` are delivered already, but for those of a stream from `from` on. */
struct replay {
    bool active;
    struct spot until;
    bool from_set[STREAM_COUNT];
    struct spot from[STREAM_COUNT];
};

/* What was seen of the live file at the last look. */
struct file_seen {
    uint64_t unread;
    int64_t mtime_ns;
};

struct follow {
    struct tailer *tailer;
    TAILQ_ENTRY(follow) dirty_link;
    bool dirty; /* is in the tailer's queue */
    TAILQ_ENTRY(follow) all_link;

    struct feed *feed;
    char *path;
    const struct decoder *decoder;
    struct segment *head, *tail; /* being read … newest */
    unsigned segments;
    uint64_t next_order;
    struct file_pos done[FOLLOW_DONE_IDS]; /* their ends; a ring */
    unsigned done_next;

    int64_t grace_ns;        /* see struct follow_options */
    struct position initial; /* where to begin, where no position is known */
    bool begun;              /* where reading begins was found */
    bool from_end;           /* and is the end, where no position is known */
    bool behind;             /* newer files are there than the chain holds … */
    struct file_id next_up;  /* … of which this is the oldest, where that is known */
    int64_t waiting_since;   /* monotonic: a file could not be opened since then; 0: none */
    bool unlisted;           /* its directory could not be listed, which was said */
    bool unsettled;          /* the live file was truncated, and where its copies are cannot be told yet */
    struct file_seen seen;   /* of the live file, at the last look before that */
    int64_t leaving_ns; /* monotonic: since then the next file is written to, see follow_read; 0: it is not */

    struct pending holds[STREAM_COUNT];
    struct replay replay;
    bool mid_line; /* a line too long for the buffer is being cut */
    bool moved;    /* something was put since the last mark */
    bool failing;  /* a fault was said and has not gone since */
    bool gone;     /* deleted: see follow_finish */
    void (*finished)(void *arg);
    void *finished_arg;
};

struct tailer {
    struct event_base *base;
    struct pipeline *pl;
    struct checkpoint *checkpoint;
    const struct config *cfg;
    struct event *run;
    TAILQ_HEAD(follow_list, follow) dirty;
    struct follow_list all;
    struct event *later; /* see tailer_look_again */
    bool stopped;
    char *buf; /* cap + DECODE_PAD bytes */
    size_t cap;
    struct buf scratch;
};

/* follow.c */
enum follow_state { FOLLOW_MORE, FOLLOW_IDLE };
enum follow_state follow_read(struct follow *f); /* one chunk; only while the pipeline has room */

/* ownership.c */
bool claim_wanted(void *arg, const struct generation *gen); /* is it a file of this follow's log? */

/* begin.c */
/* Of the files from `from` on the one in which a position was taken, by content: a copy, or gzipped. -1:
 * there is none. */
ssize_t chain_find_content(struct listing *l, size_t from, const struct file_pos *pos);
void chain_begin(
    struct follow *f); /* finds where to begin, and queues; tried again by chain_look where it fails */

/* From a listing to the chain. A rotation may go on meanwhile, and a file may not be readable. */
enum taking {
    TAKE_NOW,
    TAKE_AGAIN, /* names changed: list again, no more than TAKE_TRIES times */
    TAKE_LATER, /* at the next look; said, where a file cannot be opened */
};
#define TAKE_TRIES 5

/* chain.c */
void chain_look(struct follow *f);                 /* appends what a rotation made */
void chain_take_newer(struct follow *f);           /* there is more: appends what there is room for */
void chain_drop_head(struct follow *f, bool read); /* read: to its end, remember its identity */
void chain_remember(struct follow *f, struct segment *seg); /* as read to its end */
void chain_remember_end(struct follow *f, const struct file_pos *end);
bool chain_knows(struct follow *f, struct segment *seg); /* does it end with this, or was it read before? */
void chain_give_up(struct follow *f, const struct listed *file); /* counts and says that it cannot be read */
void chain_close(struct follow *f);

int chain_list(struct follow *f, struct listing *l); /* as listing_read */
/* May the files from … to - 1 be done without, where they could not be opened? */
enum taking chain_tried(struct follow *f, const struct listing *l, size_t from, size_t to);
/* Opens the oldest of the newest `count` files, as many as may be held. */
enum taking chain_prepare(struct follow *f, struct listing *l, size_t count);
/* Appends what was prepared, and returns how many files; the rest is taken up later. What cannot be read is a
 * gap: counted and said. */
size_t chain_take(struct follow *f, struct listing *l, size_t count);

/* truncation.c */
/* The live file, which is all of the chain, was truncated: goes on in its copies, and takes it up anew behind
 * them. Unless TAKE_NOW, nothing has changed, and it is to be called again at the next look. */
enum taking chain_truncated(struct follow *f, const struct file_seen *before);
/* The live file, likewise, was empty and has been written to. Was it so all the time, or copied and
 * truncated? Likewise. */
enum taking chain_was_empty(struct follow *f);

static inline bool same_inode(const struct file_id *id, dev_t dev, ino_t ino)
{
    return id->ino == ino && id->dev == dev;
}

/* tailer.c */
void tailer_queue(struct follow *f);
void tailer_look_again(struct tailer *t, int64_t ns); /* queues those that are leaving_ns, in so long */
int tailer_grow(struct tailer *t, size_t cap);        /* the read buffer; 0 or -1 (memory) */

#endif
