/* Taking up files of TLS that somebody renewed (files.h), which takes another producer. They are looked at when
 * there is something to send, once a second at the most: a process with nothing to do does not wake up for it, and
 * looks before its next line. The producer is not given up before the worker has made a client of the new files, for
 * they may be of no use. Loop thread. */
#ifndef SIDETAIL_SINK_KAFKA_RENEWAL_H
#define SIDETAIL_SINK_KAFKA_RENEWAL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/worker.h"

#include "files.h"
#include "settings.h"

struct kafka_renewal {
    struct job job; /* first member */
    struct worker *worker;
    const struct kafka_settings *settings;
    struct event *tried;     /* who waits for the job is called by it */
    bool any;                /* there are such files */
    struct kafka_files used; /* as the producer has them, or as they were tried in vain */
    struct kafka_files tried_files;
    int64_t looked_ns; /* monotonic */
    bool trying;       /* whether they are of use: the job is under way */
    bool due;          /* they are: a new producer is to be made */
    struct error err;  /* the job's own; "": they are of use */
};

/* `tried` is made active once the worker has tried new files. */
void kafka_renewal_init(struct kafka_renewal *r, const struct kafka_settings *settings, struct worker *worker,
                        struct event *tried);

/* There is something to send: looks whether the files are others than the producer's. */
void kafka_renewal_look(struct kafka_renewal *r);

/* There is a new producer, made of those files. */
void kafka_renewal_made(struct kafka_renewal *r, const struct kafka_files *files);

#endif
