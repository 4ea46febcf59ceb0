/* How far a log has got: puts its records into the pipeline and marks the position behind them. */
#ifndef SIDETAIL_SOURCE_LOG_PROGRESS_H
#define SIDETAIL_SOURCE_LOG_PROGRESS_H

#include "chain.h"
#include "pipeline/pipeline.h"
#include "record/pending.h"
#include "replay.h"

/* What few logs have at a time: unfinished lines, what is read again for their sake, and tears. */
struct held {
    struct pending holds[STREAM_COUNT];
    int64_t since_ns[STREAM_COUNT]; /* the time of the unfinished line's first piece; 0: unknown */
    struct replay replay;
    struct file_tears tears; /* as of struct position, of the head */
};

/* Only progress.c writes this. */
struct progress {
    struct pipeline *pipeline;
    struct feed *feed;
    const struct chain *chain;
    /* Made when there is something to hold for the first time, and kept. NULL: there never was. */
    struct held *held;
    int64_t newest_ns;  /* as of struct position */
    int64_t run_end_ns; /* when what writes the log had ended last; 0: never, or unknown */
    bool mid_line;      /* the head's offset lies inside a line too long for the buffer, which is being cut */
    bool moved;         /* something was put since the last mark */
    bool marked;        /* there is a mark, of whenever */
};

/* `p` stays where it is until progress_close. `key`: the log's name in the checkpoint. The chain's head is
 * what is being read. */
void progress_open(struct progress *p, struct pipeline *pipeline, const char *key, struct tags *tags,
                   const struct chain *chain);
void progress_close(struct progress *p);

/* Reading begins at the head's offset, as the position said; `newest_ns` as there. */
void progress_begin(struct progress *p, const struct replay *replay, bool mid_line, int64_t newest_ns);
/* Likewise: the position's, as far as they hold. */
void progress_begin_torn(struct progress *p, const struct file_tears *tears);
/* What comes next begins with a line. */
void progress_start_line(struct progress *p);
/* What comes next is in another file, or in a copy of it. */
void progress_start_file(struct progress *p);

/* Puts the record that was made of the next `len` bytes of the head, and moves the head's offset behind them.
 * `cut`: the line goes on there. Records that are delivered already are left out. */
void progress_put(struct progress *p, struct record *rec, size_t len, bool cut);
/* Was what comes next at the head's offset read before the start, to where the position said? */
bool progress_rereads(struct progress *p);
/* Moves the head's offset behind the next `len` bytes, which make no record. */
void progress_skip(struct progress *p, size_t len);
/* Does the pipeline hold an unfinished line? */
bool progress_holds(const struct progress *p);
/* Nothing more will come of what the pipeline holds: it goes on as it is. */
void progress_flush(struct progress *p);
/* Marks the position: all before the head's offset is put, but for what the pipeline holds. */
void progress_mark(struct progress *p);
/* Are lines read again, or does the pipeline hold a group of them, which it lets go in a moment? */
bool progress_pending(const struct progress *p);
/* Forgets the unfinished lines that the pipeline holds: they are read again, from where the position says. */
void progress_drop(struct progress *p);
/* Sees to it that there is a mark of where the head stands. */
void progress_keep(struct progress *p);
/* The log is gone: emits what the pipeline holds and forgets the position. */
void progress_forget(struct progress *p);

#endif
