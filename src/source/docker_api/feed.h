/* Shared by docker_api.c, api_feed.c and api_check.c only: one container's log, read from the Engine. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_FEED_H
#define SIDETAIL_SOURCE_DOCKER_API_FEED_H

#include "discover/engine_watch.h"
#include "source/docker_api/check.h"
#include "source/docker_api/cursor.h"
#include "source/source.h"

struct api_feed;

struct docker_api {
    struct source source; /* first member */
    const struct config *cfg;
    struct event_base *base;
    struct pipeline *pipeline;
    struct engine *engine;
    struct engine_watch *watch;
    struct event *tick; /* once a second, while there is a feed */
    struct api_feed *feeds;
    struct api_feed *queue, **queue_end; /* waiting to be opened */
    int opening;
    bool up;     /* the Engine answers */
    bool listed; /* all containers that were there at first are known */
    bool stopped;
    bool starved; /* a feed waits for the pipeline */
};

enum api_state {
    API_IDLE,    /* read to its end; the container does not run */
    API_QUEUED,  /* to be opened as soon as fewer than docker.max_opening are */
    API_OPENING, /* asked for */
    API_READING,
    API_CHECKING,   /* the stream ended: is there more? */
    API_LOOKING,    /* all was read: does the container run? */
    API_WAITING,    /* to be tried again after a while */
    API_UNREADABLE, /* its driver cannot be read back */
    API_ENDING,     /* removed, and read to its end: to be forgotten once nothing is held and the pipeline has
                       room */
};

/* Hashes of the pieces of the line being joined; of the last ones when it has more. */
#define API_PIECES 16
struct api_pieces {
    uint64_t hash[API_PIECES];
    unsigned count;
};

struct api_feed {
    struct docker_api *src;
    struct api_feed *next, **prev;      /* in src->feeds */
    struct api_feed *queued;            /* next in src->queue */
    struct engine_container *container; /* NULL: removed */
    char id[65];
    bool tty, bare_end, rotates;
    bool fragile;     /* this Engine's follower loses its way when the file rotates */
    bool since_skips; /* see engine_container_since_skips */
    bool own_times;   /* see engine_own_times */
    int64_t jump_ns;  /* fragile: after a silence longer than this it is checked whether lines are missing */
    struct tags *tags;
    struct feed *feed;
    struct api_cursor cursor;
    enum api_state state;
    struct log_stream *stream;
    struct api_check check;
    struct event *timer;
    int64_t backoff;
    int64_t opened_ns;  /* the Engine's clock when the stream was opened */
    int64_t since_ns;   /* the Engine leaves out what is older */
    int64_t ahead_ns;   /* the clock was set back: entries of up to this time may be of before that; else 0 */
    int64_t checked_ns; /* up to this time nothing is missing before an entry */
    unsigned idle;      /* ticks without an entry */
    unsigned paused;    /* ticks without room */
    unsigned check_after; /* ticks of idleness before the next check */
    unsigned patience; /* before the first one after opening: an Engine reads all files through for `since`,
                          silently, which takes long when they are large or it is busy */
    bool fresh;        /* the stream brought something new */
    bool again;        /* the container was started since the stream was opened */
    bool from_zero; /* the stream asked for the whole log, because `since` leaves lines out (since_skips) */
    bool want_zero; /* the next one shall */
    bool reached;   /* the stream brought an entry that was taken already, or there is none to expect: what
                       follows is next */
    bool hanging;   /* a check found more than the stream brought: if that stays so, it is opened anew */
    bool more[STREAM_COUNT];                /* the last entry was a piece of a line */
    struct api_pieces pieces[STREAM_COUNT]; /* only when fragile */
};

struct api_feed *api_feed_new(struct docker_api *src, struct engine_container *c, struct tags *tags);
void api_feed_free(struct api_feed *f);
void api_feed_retag(struct api_feed *f, struct tags *tags);

void api_feed_enqueue(struct api_feed *f); /* to be opened at its position */
void api_feed_open(struct api_feed *f);    /* from the queue */
void api_feed_started(struct api_feed *f);
void api_feed_looked(struct api_feed *f); /* the container's state is fresh */
void api_feed_gone(struct api_feed *f);   /* its container is removed */
void api_feed_tick(struct api_feed *f);
void api_feed_resume(struct api_feed *f);
void api_feed_stop(struct api_feed *f);               /* no further reading */
void api_feed_reopen(struct api_feed *f);             /* in place of a stream that is open */
unsigned api_feed_patience(const struct api_feed *f); /* of a stream that has brought entries */
void api_feed_retry(struct api_feed *f);              /* after a while, longer each time */

/* api_entry.c */
bool api_feed_entry(void *feed, const struct log_entry *e); /* log_calls.entry */
void api_feed_released(void *feed, enum stream stream);     /* feed_calls.released */
void api_feed_mark(
    struct api_feed *f); /* tells the pipeline the position, at once: what was put goes out with it */
/* The line being joined ends here, though its last piece had no newline. Only when pipeline_room. */
void api_feed_end_line(struct api_feed *f, enum stream stream);
/* All of a removed container is in the pipeline: its position is forgotten, and the feed freed. False: not
 * yet. */
bool api_feed_end(struct api_feed *f);
/* The stream brought nothing that was taken already: was it asked in a way that leaves lines out? Then it is
 * to be opened anew. */
bool api_feed_skipped(struct api_feed *f);

/* Has the log more than was taken? until_ns: see api_check.h. */
void api_feed_check(struct api_feed *f, int64_t until_ns);

void docker_api_kick(struct docker_api *src); /* opens what may be opened now */

#endif
