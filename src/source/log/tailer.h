/* The tailer reads the logs that a source follows: those that have something new, in turn, as long as the
 * pipeline has room. Where there are fewer descriptors than logs, the file of one that is silent is closed for
 * another, the longest silent first; where none is silent, they take turns. */
#ifndef SIDETAIL_SOURCE_LOG_TAILER_H
#define SIDETAIL_SOURCE_LOG_TAILER_H

#include "follow.h"
#include "source/source.h"
#include "steady.h"

/* What a source knows of files whatever they are called, as in struct followed_logs. Each may be NULL. */
struct tailer_calls {
    bool (*allowed)(void *arg, const char *key, const char *path);
    char *(*stray)(void *arg, const char *key);
    bool (*read_before)(void *arg, const char *key, struct segment *seg, struct file_pos *to);
    void (*left)(void *arg, const struct file_pos *end, const char *copied);
    void *arg;
};

/* Only tailer.c writes this. */
struct tailer {
    struct follow_env env;
    struct tailer_calls calls;
    struct open_files open;
    bool any_left; /* was any file read and left? */
    struct read_buffer buffer;
    struct turns queue;   /* have something to read */
    struct turns waiting; /* likewise, but there is no descriptor for them; in the order in which they came */
    struct turns all;
    struct steady steady;
    struct turns opened;   /* have a file open; where files get scarce, the one read longest ago first */
    int64_t full_until_ns; /* monotonic: till then none is closed for another */
    int64_t said_ns;       /* monotonic: when it was said last that logs wait; 0: never */
    bool served;           /* one of those that wait was read last */
    bool closing_logged;
    struct event *run;   /* reads the first of the queue */
    struct event *later; /* queues those that are in grace */
    bool stopped;
};

/* NULL: memory. */
struct tailer *tailer_new(const struct source_env *env, struct error *err);
void tailer_set_calls(struct tailer *t, struct tailer_calls calls); /* before anything is followed */
void tailer_resume(struct tailer *t);                               /* the pipeline has room again */
void tailer_stop(struct tailer *t);                                 /* reads nothing more */
bool tailer_knows(const struct tailer *t, const char *key);         /* is there a position of it? */
void tailer_free(struct tailer *t);                                 /* after all its follows are closed */

/* Follows a log. NULL: memory. */
struct follow *tailer_follow(struct tailer *t, const struct follow_options *options);
/* Stops following it; NULL is fine. Its position stays in the checkpoint. */
void tailer_unfollow(struct tailer *t, struct follow *f);

/* The follow that reads the plain file at `path`, see chain_of; NULL: none. */
struct follow *tailer_holder(const struct tailer *t, dev_t dev, ino_t ino, const char *path);
/* The follow that has read the plain file and left it, up to *end; NULL: none. */
struct follow *tailer_leaver(const struct tailer *t, struct segment *seg, struct file_pos *end);

#endif
