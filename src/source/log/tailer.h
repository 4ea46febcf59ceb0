/* The tailer reads the logs that a source follows: those that have something new, in turn, as long as the
 * pipeline has room. */
#ifndef SIDETAIL_SOURCE_LOG_TAILER_H
#define SIDETAIL_SOURCE_LOG_TAILER_H

#include "follow.h"
#include "source/source.h"

/* Only tailer.c writes this. */
TAILQ_HEAD(turns, turn);
struct tailer {
    struct follow_env env;
    struct read_buffer buffer;
    struct turns queue; /* have something to read */
    struct turns all;
    struct event *run;   /* reads the first of the queue */
    struct event *later; /* queues those that are in grace */
    bool stopped;
};

/* NULL: memory. */
struct tailer *tailer_new(const struct source_env *env, struct error *err);
void tailer_resume(struct tailer *t);                       /* the pipeline has room again */
void tailer_stop(struct tailer *t);                         /* reads nothing more */
bool tailer_knows(const struct tailer *t, const char *key); /* is there a position of it? */
void tailer_free(struct tailer *t);                         /* after all its follows are closed */

/* Follows a log. NULL: memory. */
struct follow *tailer_follow(struct tailer *t, const struct follow_options *options);
/* Stops following it; NULL is fine. Its position stays in the checkpoint. */
void tailer_unfollow(struct tailer *t, struct follow *f);

#endif
