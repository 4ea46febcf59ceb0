/* A client of the Docker Engine's HTTP API, on libevent; HTTP itself is parsed by http-parser.
 * Source of the API: docs.docker.com/reference/api/engine (moby api/docs), from 1.41 (Engine 20.10) on.
 *
 * All calls are asynchronous, on one event loop: what was asked for is answered by callbacks, never from
 * inside the call that asked. A callback may cancel or close what called it. */
#ifndef SIDETAIL_ENGINE_H
#define SIDETAIL_ENGINE_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "record/record.h"

struct config;
struct engine;

/* Highest version of the API that is asked for; a newer Engine is spoken to in this one. */
#define ENGINE_API_MAX_MINOR 51

/* Where the Engine is: docker.host, docker.cert_path and docker.tls_verify of the configuration; where those
 * are empty DOCKER_HOST, DOCKER_CERT_PATH, DOCKER_TLS_VERIFY and DOCKER_API_VERSION; where the first of those
 * is empty too, the docker client's context in use (engine_context.h). Nothing is connected yet. NULL: the
 * address or a certificate cannot be used, err says why. */
struct engine *engine_new(struct event_base *base, const struct config *cfg, struct error *err);
void engine_free(struct engine *e); /* after all its requests ended or were cancelled; NULL is fine */

/* Does anything say which Engine it is, or is it the default one? */
bool engine_is_chosen(const struct config *cfg);

const char *engine_address(const struct engine *e); /* as a user writes it: unix:///var/run/docker.sock */
bool engine_is_local(const struct engine *e);       /* over a unix socket: its clock is ours */
int engine_api_minor(const struct engine *e); /* negotiated: 41 is 1.41; 0 before engine_ping succeeded */

/* -- answers as JSON --------------------------------------------------------------------------- */

struct engine_call;

/* `err` is NULL when the Engine answered with a 2xx; `status` is 0 when it did not answer. `json` is
 * borrowed, NULL on error. */
typedef void (*engine_answer_fn)(void *arg, int status, const json_t *json, const struct error *err);

/* GET of a path without its version ("/containers/json?all=1"). NULL: memory. */
struct engine_call *engine_get(struct engine *e, const char *path, engine_answer_fn answer, void *arg);
void engine_cancel(struct engine_call *call); /* no answer any more; NULL is fine */

/* GET /_ping, and the version to speak: the lower one of ours and the Engine's. `json` is NULL. */
struct engine_call *engine_ping(struct engine *e, engine_answer_fn answer, void *arg);
/* The Engine's wall clock when it answered the last ping (whole seconds, rounded down); our own over a unix
 * socket. */
int64_t engine_clock(const struct engine *e);

/* -- events ------------------------------------------------------------------------------------ */

/* One event of a container; borrowed until the callback returns. */
struct engine_event {
    const char *action; /* start, die, destroy, rename */
    const char *id;
    const char *name; /* without slash; NULL when unknown */
    int exit_code;    /* of die; -1 else */
    int64_t time_ns;
};

struct event_calls {
    void (*opened)(void *arg); /* from now on nothing is missed (events since `since_ns` come as well) */
    void (*event)(void *arg, const struct engine_event *event);
    void (*end)(void *arg, const struct error *err); /* the stream is gone and freed; err is never NULL */
    void *arg;
};

struct event_stream;
struct event_stream *event_stream_open(struct engine *e, int64_t since_ns, const struct event_calls *calls);
void event_stream_close(struct event_stream *s); /* NULL is fine */

/* -- logs -------------------------------------------------------------------------------------- */

struct log_options {
    int64_t since_ns;   /* only entries of that time and later; 0: all */
    int64_t until_ns;   /* only entries up to that time; 0: all */
    int64_t tail;       /* only so many last entries; -1: all */
    bool follow;        /* go on as the container writes; ends by itself when it stops */
    bool tty;           /* the container has a terminal: one raw stream without frames */
    bool tty_unknown;   /* it is told from the first byte: with times, a stream of frames begins otherwise */
    bool bare_end;      /* quirk of the driver: the last piece of a long line comes without its newline
                           (engine_bare_end) */
    bool own_times;     /* likewise: the pieces of a long line do not bear its first one's time
                           (engine_own_times) */
    int64_t started_ns; /* the container's last start, 0 unknown: tells lines of a terminal apart that lack
                           their newline */
    int64_t known_ns;   /* time of the last line already taken, 0 none: likewise */
};

/* An entry: one message of the container's log driver, which is a line or a piece of one. Borrowed until the
 * callback returns. */
struct log_entry {
    enum stream stream;
    int64_t time_ns;
    struct slice time; /* RFC 3339, UTC, fraction without trailing zeros; empty when malformed */
    struct slice text; /* without its newline */
    bool more;         /* the line goes on in the next entry of this stream; unless own_times, that bears the
                          same time */
    bool malformed;    /* came without a time */
};

enum log_end {
    LOG_END_WHOLE,      /* the Engine ended it: all was sent, or the container stopped */
    LOG_END_BROKEN,     /* it broke, or could not be opened: try again at the position */
    LOG_END_GONE,       /* no such container */
    LOG_END_UNREADABLE, /* its log driver cannot be read back */
};

struct log_calls {
    void (*opened)(void *arg); /* the Engine accepted; entries follow */
    /* False: not now; the same entry is told again after log_stream_resume. */
    bool (*entry)(void *arg, const struct log_entry *entry);
    void (*end)(void *arg, enum log_end end,
                const struct error *err); /* gone and freed; err is NULL for LOG_END_WHOLE */
    void *arg;
};

struct log_stream;
/* NULL: memory. */
struct log_stream *log_stream_open(struct engine *e, const char *id, const struct log_options *options,
                                   const struct log_calls *calls);
bool log_stream_tty(const struct log_stream *s); /* as given, or as told once an entry came */
void log_stream_resume(struct log_stream *s);
void log_stream_close(struct log_stream *s); /* NULL is fine */

/* Does this driver, at this version, leave out the newline of a long line's last piece? (the local driver
 * before Engine 23) */
bool engine_bare_end(const struct engine *e, const char *driver);
/* Does this driver give each piece of a long line a time of its own? (journald: that of its arrival there) */
bool engine_own_times(const char *driver);

#endif
