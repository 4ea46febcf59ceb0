/* A container's log as the Engine sends it: a stream of entries, up to what is there now or as it grows. */
#ifndef SIDETAIL_ENGINE_LOGS_H
#define SIDETAIL_ENGINE_LOGS_H

#include "base/clock.h"
#include "engine/engine.h"
#include "record/record.h"

struct log_options {
    int64_t since_ns; /* only entries of that time and later; 0: all */
    int64_t until_ns; /* only entries up to that time; 0: all */
    int64_t tail;     /* only so many last entries; -1: all */
    bool follow;      /* go on as the container writes; the stream ends by itself when the container stops */
    bool gather;      /* entries may be read LOG_GATHER_NS late, with those of other logs, while few come */
    bool tty;         /* the container has a terminal: one raw stream, without frames */
    bool tty_unknown; /* the first byte tells whether it has: a frame's is none of a text with times */
    bool bare_end;    /* the driver's quirk of engine_bare_end */
    bool own_times;   /* the driver's quirk of engine_own_times */
    /* These tell apart the lines of a terminal that lack their newline. */
    int64_t started_ns; /* the container's last start; 0: unknown */
    int64_t known_ns;   /* time of the last entry that was taken already; 0: none */
};

#define LOG_GATHER_NS (4 * NS_PER_MS)

/* An entry: one message of the container's log driver, which is a line or a piece of one. Borrowed until the
 * callback returns. */
struct log_entry {
    enum stream stream;
    int64_t time_ns;
    struct slice time; /* RFC 3339, UTC, fraction without trailing zeros; empty when malformed */
    struct slice text; /* without its newline */
    bool more;      /* the line goes on in the next entry of this stream, of the same time unless own_times */
    bool malformed; /* came without a time */
};

enum log_end {
    LOG_END_WHOLE,      /* the Engine ended it: all was sent, or the container stopped */
    LOG_END_BROKEN,     /* it broke, or could not be opened: to be tried again, from the position on */
    LOG_END_GONE,       /* no such container, or it is being removed at this moment */
    LOG_END_UNREADABLE, /* its log driver cannot be read back */
};

struct log_calls {
    /* The Engine accepted, or is Podman, which may refuse yet; entries follow. May be NULL. */
    void (*opened)(void *arg);
    /* False: not now. The same entry comes again after log_stream_resume. */
    bool (*entry)(void *arg, const struct log_entry *entry);
    /* The last call: the stream is gone and freed. err is NULL for LOG_END_WHOLE. */
    void (*end)(void *arg, enum log_end end, const struct error *err);
    void *arg;
};

struct log_stream;

/* NULL: memory. */
struct log_stream *log_stream_open(struct engine *e, const char *id, const struct log_options *options,
                                   const struct log_calls *calls);
/* Has the container a terminal? As the options said; with tty_unknown as was found, once an entry came. */
bool log_stream_tty(const struct log_stream *s);
/* Goes on after `entry` said no; entries come from the loop, not from inside this call. */
void log_stream_resume(struct log_stream *s);
/* No call comes any more. NULL is fine. */
void log_stream_close(struct log_stream *s);

/* Does the Engine, at its version, send the last piece of a long line without its newline? So do those before
 * API 1.42 for the local driver, and for all whose logs they read back from a cache in its format. */
bool engine_bare_end(const struct engine *e, const char *driver);
/* Does each piece of a long line have a time of its own? With journald it does, that of its arrival, and with
 * Podman, which begins a new piece with each read (conmon src/ctr_logging.c). */
bool engine_own_times(const struct engine *e, const char *driver);
/* May the Engine crash when it is asked for the last entries of a log? One before API 1.45 does where an entry in the local
 * driver's format is damaged (moby daemon/logger/local/read.go, getTailReader: it wraps no error, and returns no reader). So
 * does 26.0.0, of API 1.45 already. With one before 23.0 it takes no more than a container that ends while a file which was
 * unpacked for another reader is older than its name says. */
bool engine_tail_harms(const struct engine *e, const char *driver);
/* All of a log, with the driver's quirks and the terminal: where to begin is for the caller to set. */
struct log_options log_options_for(const struct engine *e, const char *driver, bool tty);

#endif
