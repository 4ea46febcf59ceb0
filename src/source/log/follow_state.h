/* What a follow consists of. For follow.c, resume.c, leave.c and describe.c alone. */
#ifndef SIDETAIL_SOURCE_LOG_FOLLOW_STATE_H
#define SIDETAIL_SOURCE_LOG_FOLLOW_STATE_H

#include "begin.h"
#include "follow.h"
#include "last_line.h"
#include "lines.h"
#include "truncation.h"

struct follow {
    const struct follow_env *env;
    struct turn turn;
    const char *path; /* see struct follow_options */

    struct chain chain;         /* the files that are held open */
    struct ownership ownership; /* which files are this log's */
    struct intake intake;       /* from those to the chain */
    struct begin begin;
    struct truncation truncation;
    struct progress progress; /* from the chain to the pipeline */
    struct lines lines;
    struct last_line last_line;

    bool (*tell)(void *arg, enum told told, int fd); /* see struct follow_options */
    void *tell_arg;
    int64_t looked_ns;      /* monotonic: when all that tells of the live file was looked at last */
    int64_t grace_ns;       /* see struct follow_options */
    int64_t grace_since_ns; /* monotonic: since then the next file is written to; 0: it is not */
    bool failing;           /* a fault was logged and has not gone since */
    bool gone;              /* deleted: see follow_finish */
    /* There was no descriptor to begin with; or its file is closed for now, was written to since, as far as is known,
     * and was looked for, since its path does not name it any more. */
    bool deferred, stirred, sought;
    bool unread;       /* it was not found again, though there was something to read in it */
    bool mark_at_open; /* see struct follow_options */
    void (*finished)(void *arg);
    void *finished_arg;
};

static inline void follow_ready(struct follow *f)
{
    f->env->ready(f->env->arg, &f->turn);
}

#endif
