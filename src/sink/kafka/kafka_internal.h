/* What the files of the Kafka sink share; nobody else includes this. */
#ifndef SIDETAIL_SINK_KAFKA_KAFKA_INTERNAL_H
#define SIDETAIL_SINK_KAFKA_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/worker.h"
#include "config/config.h"
#include "record/batch.h"
#include "sink/kafka.h"
#include "sink/sink.h"

#define KAFKA_TOPIC_MAX                                                                                      \
    249 /* bytes of a topic's name; its characters: letters, digits, ._- (Kafka's org.apache.kafka…Topic) */

/* -- kafka_settings.c -------------------------------------------------------------------------- */

/* What the sink needs of the configuration, which may be replaced while it runs. */
struct kafka_settings {
    char *brokers, *topic, *positions_topic, *dead_letter_topic;
    char *identity; /* NULL: at least once, where nothing is kept under it */
    enum kafka_key key;
    enum kafka_delivery delivery;
    enum kafka_oversize oversize;
    int64_t commit_age; /* ns */
    int64_t retention;  /* ns; of positions nobody asks for */
    size_t commit_bytes;
    int timeout_ms; /* of a transaction */
    int partitions, replication;
    rd_kafka_conf_t *producer, *reader; /* copied for each client */
    size_t message_max;                 /* message.max.bytes: librdkafka takes no larger message */
    size_t batch_max;                   /* batch.size; lowered when a topic takes less */
    atomic_bool ending;                 /* the sink is being closed: whoever waits gives up */
};

struct kafka_settings *kafka_settings_new(const struct config *cfg, struct error *err); /* NULL on error */
void kafka_settings_free(struct kafka_settings *s);

/* A producer, or a consumer that reads committed records only. Its log goes to its main queue. NULL on error.
 */
rd_kafka_t *kafka_client(const struct kafka_settings *s, rd_kafka_type_t type, struct error *err);

/* -- kafka_admin.c: blocking, on the worker's thread ------------------------------------------- */

/* What a topic has to be, or was found to be. */
struct kafka_topic_facts {
    bool created;
    int partitions;
    size_t message_max;         /* its max.message.bytes; 0: may not be asked */
    int64_t older_ms, newer_ms; /* how far from now its messages' times may be; INT64_MAX: not known */
    char cleanup_policy[64];    /* "": may not be asked; "compact", "delete", or both with a comma */
};

/* Makes sure that the topic is there, by making it where it is missing; `compact`: as a topic of positions.
 * One try of some seconds. A handle by which it can be produced to at once; NULL: err says why not. */
rd_kafka_topic_t *kafka_topic_ensure(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                     bool compact, struct kafka_topic_facts *facts, struct error *err);

enum kafka_topic_state {
    KAFKA_TOPIC_THERE,       /* facts are filled in */
    KAFKA_TOPIC_MAY_BE_MADE, /* not there; it would be made */
    KAFKA_TOPIC_MISSING,     /* and may not be made: err says why */
    KAFKA_TOPIC_UNKNOWN,     /* it may not be asked: err says why */
};

/* What kafka_topic_ensure would find, without making anything. */
enum kafka_topic_state kafka_topic_probe(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                         bool compact, struct kafka_topic_facts *facts, struct error *err);

/* The topic as the brokers know it: its error, or none and its number of partitions when each has a leader.
 */
rd_kafka_resp_err_t kafka_topic_look(rd_kafka_t *rk, rd_kafka_topic_t *topic, int *partitions);

/* What is wrong with its cleanup.policy, and what to do; NULL: nothing. */
const char *kafka_topic_fault(const struct kafka_topic_facts *facts, bool compact);

/* Is a topic that this producer has a handle of no longer there? `name` tells which. Without asking,
 * librdkafka finds out only when what was produced to it is too old. */
bool kafka_topic_gone(rd_kafka_t *rk, char name[KAFKA_TOPIC_MAX + 1]);

/* -- kafka_positions.c ------------------------------------------------------------------------- */

#define KAFKA_POSITIONS_PARTITIONS 8 /* of a positions topic that sidetail makes */
#define KAFKA_SESSION_LEN          32

/* Which of the topic's partitions holds this identity's records. Topics may grow: partitions beyond the first
 * KAFKA_POSITIONS_PARTITIONS are not used. */
int32_t kafka_positions_partition(const char *identity, int partitions);

/* The key of a feed's position, or (feed NULL) of the head: ["identity","feed"], ["identity"], or, of a feed
 * whose name is not UTF-8, ["identity","escaped","%"]. Appends; 0 or -1 (memory). */
int kafka_positions_key(struct buf *out, const char *identity, const char *feed);
/* The same for the head that a session writes first. */
int kafka_session_key(struct buf *out, const char *identity);
int kafka_position_value(struct buf *out, const struct position *pos);
int kafka_head_value(struct buf *out, const char *session, uint64_t transaction);

/* What reading an identity's records found. */
struct kafka_past {
    const char *identity, *session; /* whose; our own session */
    uint64_t until;                 /* stop at our own head with this number; 0: at the end */
    uint64_t in_doubt;              /* a transaction's number, or 0 */
    bool committed;                 /* the one in doubt was */
    bool stranger;                  /* the last head is not of our session */
    bool ours;                      /* a head of our session was seen (in: what is read comes after one) */
    bool overtaken;                 /* after one of ours, there was a stranger's */
    bool ended;                     /* `until` was reached */
    int64_t head_offset;            /* of the last head; -1: none seen */
    bool failed;                    /* memory was out */
    json_t *positions; /* feed's key as position_key_write has it → [position, unix seconds when
                          written]; NULL: not wanted */
};

/* Takes up one record, written at that time (unix seconds); value NULL is a tombstone. */
void kafka_past_take(struct kafka_past *past, struct slice key, const struct slice *value, int64_t offset,
                     int64_t written);

/* Reads the partition from the offset on (RD_KAFKA_OFFSET_BEGINNING too), committed records only. Blocks as
 * long as others' transactions are open in between. 0; -1 on error or when the worker ends. */
int kafka_past_read(struct kafka_past *past, const struct kafka_settings *s, int32_t partition, int64_t from,
                    struct worker *worker, struct error *err);

/* What was read (NULL: nothing), into the checkpoint that sources ask. One that cannot be read is said. 0 or
 * -1 (memory). */
int kafka_positions_restore(json_t *positions, struct checkpoint *checkpoint);

/* -- kafka_session.c --------------------------------------------------------------------------- */

/* What the worker tells while a job goes on. */
enum kafka_note { KAFKA_NOTE_INFO, KAFKA_NOTE_WARN, KAFKA_NOTE_TROUBLE };

enum kafka_outcome { KAFKA_OPENED, KAFKA_FENCED, KAFKA_ENDED };

/* A producer's making, at the start and after each failure. */
struct kafka_session {
    struct job job;
    struct worker *worker;
    struct kafka_settings *settings;
    char id[KAFKA_SESSION_LEN + 1]; /* random, of this process */
    int delay_ms;                   /* to wait first */
    uint64_t in_doubt;              /* number of the transaction whose commit failed, or 0 */
    uint64_t number;                /* of the transaction that the session writes its own head with */
    bool resumed;                   /* positions are known already */
    rd_kafka_t *rk; /* in: to be destroyed (not used yet: to be taken). Out: in a transaction */
    bool used;
    /* out */
    enum kafka_outcome outcome;
    bool committed;          /* the one in doubt was */
    bool topic_created;      /* the positions topic was not there */
    rd_kafka_topic_t *topic; /* of positions; its owner is whose rk is */
    int32_t partition;
    int64_t head_offset;      /* of a head of ours; in: from which on to look */
    json_t *positions;        /* as in kafka_past, when not resumed; owned by who takes it */
    struct error err;         /* the last thing that went wrong */
    struct error broker_err;  /* and what was last said of a broker */
    struct error undelivered; /* why the head was not */
};

/* How long a fenced producer waits before it looks who did it: until the other has written its head. */
#define KAFKA_FENCED_MS 1000

void kafka_session_run(struct job *job);

/* Commits, and begins the next transaction. */
struct kafka_commit {
    struct job job;
    struct worker *worker;
    rd_kafka_t *rk;
    int timeout_ms;
    /* out */
    bool committed; /* else the outcome is not known */
    bool begun, fenced;
    struct error err;
};

void kafka_commit_run(struct job *job);

/* -- kafka_record.c ---------------------------------------------------------------------------- */

/* Fills the template in. Parts that are not known are "none"; other characters become '-'; a name that would
 * be too long ends in a hash of the whole. */
void kafka_topic_name(const char *template, const struct tags *tags, enum stream stream,
                      char out[KAFKA_TOPIC_MAX + 1]);

/* A record cut into pieces. */
struct kafka_pieces {
    struct buf out;
    size_t *ends; /* of each piece in out */
    size_t count, cap;
};

#define KAFKA_PIECE_MIN 256 /* bytes; no broker takes less */

/* Cuts an encoded record (no newline) into pieces of at most `max` bytes. JSON and logfmt: each is the
 * record with a part of its text, all but the last marked partial; a record that is long by more than its
 * text is cut as text itself. 0 or -1 (memory; or max is less than KAFKA_PIECE_MIN). */
int kafka_cut(struct kafka_pieces *pieces, enum format_kind format, struct slice record, size_t max);
void kafka_pieces_free(struct kafka_pieces *pieces);

/* -- kafka_route.c ----------------------------------------------------------------------------- */

struct kafka_topic {
    UT_hash_handle hh;
    unsigned routes;            /* that lead to it */
    bool kept;                  /* though none does */
    rd_kafka_topic_t *handle;   /* NULL until ready */
    bool ready;                 /* known to be there, by this producer */
    size_t limit;               /* bytes of a record with all that belongs to it */
    int64_t older_ms, newer_ms; /* how far from now a message's time may be; INT64_MAX: as far as one likes */
    bool time_said;             /* that a line's time was too far */
    bool fault_said;            /* see kafka_topic_fault */
    char name[KAFKA_TOPIC_MAX + 1];
};

/* Where the records of one container go, and what they carry. */
struct kafka_route {
    UT_hash_handle hh; /* by tags */
    TAILQ_ENTRY(kafka_route) by_use;
    int64_t used_ns; /* monotonic */
    uint64_t batch;  /* seq of the last batch that has records for it */
    struct tags *tags;
    struct kafka_topic *topics[STREAM_COUNT];
    rd_kafka_headers_t *headers[STREAM_COUNT];
    size_t overhead; /* bytes that key, headers and framing add to a record, at the most */
};

struct kafka_routes;
struct kafka_routes *kafka_routes_new(const struct kafka_settings *s); /* NULL: memory */
void kafka_routes_free(struct kafka_routes *routes);

/* For records of the batch `seq`; the route and its topics are good until that is acknowledged. NULL: memory.
 */
struct kafka_route *kafka_route_find(struct kafka_routes *routes, struct tags *tags, uint64_t seq,
                                     int64_t now_ns);
/* Batches up to this one are: what was not used for a while is let go, some of it at each call. */
void kafka_routes_acked(struct kafka_routes *routes, uint64_t seq, int64_t now_ns);

/* A topic that is kept until kafka_routes_free. NULL: memory. */
struct kafka_topic *kafka_topic_find(struct kafka_routes *routes, const char *name);
/* NULL: it is not known (any more). */
struct kafka_topic *kafka_topic_known(struct kafka_routes *routes, const char *name);

/* The producer knows so many topics which were let go that it should be replaced. */
bool kafka_routes_stale(const struct kafka_routes *routes);

/* Drops all handles, for their producer is about to go: no topic is ready any more. */
void kafka_routes_detach(struct kafka_routes *routes);

/* -- kafka_produce.c --------------------------------------------------------------------------- */

/* The producer and where it is in the batch that is being produced. Loop thread. */
struct kafka_out {
    const struct kafka_settings *settings;
    rd_kafka_t *rk;
    struct kafka_routes *routes;
    const struct kafka_route *route; /* of `mark` in the batch; NULL: to be found */
    uint32_t mark;
    uint32_t prepared;          /* marks of the batch whose topics are ready */
    int64_t now_ns, now_ms;     /* when this turn began: monotonic, and unix time */
    struct kafka_pieces pieces; /* of the item that batch->sent stands at; none: count 0 */
    size_t piece;               /* next of them */
};

enum kafka_progress {
    KAFKA_ALL,  /* the batch is produced */
    KAFKA_BUSY, /* time is up: go on at the next turn of the loop */
    KAFKA_FULL, /* librdkafka's queue (or memory) is full: go on after some deliveries, or somewhat later */
    KAFKA_NEEDS_TOPIC, /* *missing must be made ready first; nothing of the batch was produced yet */
    KAFKA_BROKEN,      /* the producer takes no more: err says why */
};

/* Produces items of the batch from batch->sent on. The payload stays in the batch; each message's opaque is
 * the batch, and kafka_undelivered counts them. */
enum kafka_progress kafka_produce(struct kafka_out *out, struct batch *batch, struct kafka_topic **missing,
                                  struct error *err);
static inline uintptr_t kafka_undelivered(const struct batch *batch)
{
    return (uintptr_t)batch->sink_data;
}

/* No batch is being produced any more. */
void kafka_out_reset(struct kafka_out *out);

/* The time that a message to the topic carries: the line's, or now where the topic would refuse that. */
int64_t kafka_message_time(const struct kafka_topic *topic, int64_t line_ms, int64_t now_ms);
/* It did refuse one. */
void kafka_topic_take_less_time(struct kafka_topic *topic);

/* The batch is to be produced from its beginning (again); nothing is under way in it. */
void kafka_rewind(struct batch *batch);

/* -- kafka_marks.c ----------------------------------------------------------------------------- */

/* The positions that a transaction's batches reach, and its head, as messages. */
struct kafka_marks;
struct kafka_marks *kafka_marks_new(const struct kafka_settings *s, const char *session); /* NULL: memory */
void kafka_marks_free(struct kafka_marks *marks);

/* A new producer: the partition to write to. */
void kafka_marks_setup(struct kafka_marks *marks, int32_t partition);

/* Gathers what the batches reach (a list by `next`), and before that, where `all` is given, everything in it.
 * 0 or -1 (memory). */
int kafka_marks_gather(struct kafka_marks *marks, const struct batch *batches, struct checkpoint *all,
                       uint64_t number);

/* The feed's position is to be forgotten: a tombstone for it goes with each gathering until
 * kafka_marks_committed after one that had it. 0 or -1 (memory). */
int kafka_marks_forget(struct kafka_marks *marks, const char *feed);
void kafka_marks_committed(struct kafka_marks *marks);

/* Produces what was gathered, from where it stopped; the head comes last, and has `marks` as its opaque. */
enum kafka_progress kafka_marks_produce(struct kafka_marks *marks, rd_kafka_t *rk, rd_kafka_topic_t *topic,
                                        struct error *err);

/* -- kafka_flow.c: the states of the sink ------------------------------------------------------ */

enum kafka_state {
    KAFKA_OPENING,    /* the worker makes a producer; `session` is its */
    KAFKA_PRODUCING,  /* in a transaction (or needing none) */
    KAFKA_SEALING,    /* the positions of the transaction are being produced */
    KAFKA_COMMITTING, /* `commit` is the worker's */
    KAFKA_CLOSED,     /* fenced off, or out of memory */
};

struct kafka_list {
    struct batch *head, **tail;
};

/* Getting a topic ready, on the worker. */
struct kafka_topic_job {
    struct job job;
    struct kafka *kafka;
    rd_kafka_t *rk;
    struct kafka_topic *topic; /* the worker sees but its name; NULL: no job is under way */
    rd_kafka_topic_t *handle;  /* NULL: err says why there is none */
    struct kafka_topic_facts facts;
    struct error err;
};

struct kafka {
    struct sink sink;
    struct sink_env env;
    struct kafka_settings *settings;
    bool exactly;
    enum kafka_state state;
    struct kafka_list waiting, open;
    size_t open_bytes;
    size_t commit_bytes; /* that are committed at once: fewer after failures, see kafka_flow.c */
    unsigned open_batches;
    uint64_t number;     /* of the open transaction */
    uint64_t learned_in; /* the one in which a topic was last found to take less than was thought */
    int64_t head_offset; /* of its head, once that is delivered */
    struct kafka_out out;
    struct kafka_marks *marks;
    struct worker *worker;
    struct kafka_session session;
    struct kafka_commit commit;
    struct kafka_topic_job topic_job;
    rd_kafka_queue_t *queue; /* the producer's main queue; NULL: there is none */
    int queue_fd;            /* readable when something is in it */
    struct event *queue_event, *pump_event, *commit_timer, *retry_timer, *expiry_timer, *stall_timer;
    bool ready;          /* the owner knows */
    bool due;            /* the transaction is old enough */
    bool draining;       /* what there is is to be delivered now */
    bool broken;         /* this producer is given up */
    bool rewrite;        /* the positions topic is new: all positions are to be written */
    bool in_trouble;     /* it was said that Kafka takes nothing */
    bool topic_said;     /* it was said that a topic is not ready */
    unsigned failures;   /* in a row */
    struct error reason; /* of the failure at hand */
    struct error broker; /* what was last said of a broker */
};

/* Sets jobs and lists up, and has the worker make the first producer. 0 or -1 (memory). */
int kafka_flow_start(struct kafka *k);
/* Goes on with what can be gone on with. */
void kafka_flow_pump(struct kafka *k);
void kafka_flow_submit(struct kafka *k, struct batch *batch);
/* The producer, or what it was given, failed: it is thrown away. */
void kafka_flow_fail(struct kafka *k, const char *reason);
/* Gives the producer away that was given up. */
void kafka_flow_replace(struct kafka *k);
/* After deliveries, at least once: acknowledges what is delivered in full, in order. */
void kafka_flow_acknowledge(struct kafka *k);
/* What has to be said once. */
void kafka_say_trouble(struct kafka *k, const char *reason);
void kafka_say_well(struct kafka *k);

/* kafka_ready.c */
void kafka_topic_job_start(struct kafka *k);
void kafka_topic_get_ready(struct kafka *k, struct kafka_topic *topic);

/* kafka.c: whether the loop looks at the producer's queue. */
void kafka_watch(struct kafka *k, bool on);
/* Before a producer is given up: takes up what it has to say of why it failed. */
void kafka_hear_out(struct kafka *k);

#endif
