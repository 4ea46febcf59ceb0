/* What the collector does now, for who asks it: its two ends, the logs that it follows, and what it leaves out. Who
 * follows a log enters it here, with a function that describes it; nothing is done until somebody asks. Loop thread
 * only. */
#ifndef SIDETAIL_BASE_STATUS_H
#define SIDETAIL_BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/error.h"

/* -- source, sink and checkpoint --------------------------------------------------------------- */

struct status_part {
    const char *name;  /* json-file, kafka … */
    bool open;         /* it is in use */
    bool failing;      /* it does not work, and has not since the error */
    int64_t error_ns;  /* wall clock: when the last error was seen last; 0: there was none */
    struct error last; /* that error */
};

struct status {
    struct status_part source, sink, checkpoint;
};
extern struct status status;

/* It does not work, or not wholly, for that reason; it does again. */
void status_fails(struct status_part *part, const char *format, ...) __attribute__((format(printf, 2, 3)));
void status_works(struct status_part *part);

/* -- logs -------------------------------------------------------------------------------------- */

enum status_position { STATUS_NOWHERE, STATUS_OFFSET, STATUS_TIME };

/* A log, as it is now. Texts are borrowed, and NULL where unknown. */
struct status_log {
    const char *service, *project, *container, *id; /* `id`: 12 digits */
    const char *file;                               /* its path; NULL: it is read from the Engine */
    const char *driver;                             /* the log driver, or the file's format */
    enum status_position position;
    uint64_t offset; /* STATUS_OFFSET: of the next byte to be read, in the file that is being read */
    unsigned unread; /* files to be read after that one, as far as they are open */
    int64_t time_ns; /* STATUS_TIME: of the last line taken */
    bool lag_known;
    uint64_t lag_bytes;  /* written and not yet read, as of the last look */
    int64_t lag_ns;      /* how old the last line is, where something is unread; else 0 */
    int64_t last_ns;     /* wall clock, or the Engine's: the time of its last line; 0: unknown */
    uint64_t lines;      /* taken since it is followed */
    double rate;         /* lines taken per second, see status_rate */
    const char *problem; /* what keeps it from being read, or what is wrong with it; NULL: nothing */
};

/* A place in the list of logs, or of what is left out. Only status.c writes `link`. */
struct status_entry {
    TAILQ_ENTRY(status_entry) link;
    bool (*describe)(void *owner, struct status_log *log); /* false: the log is not to be told of */
    void *owner;                                           /* never NULL */
};

void status_enter(struct status_entry *entry);
void status_leave(struct status_entry *entry);

/* What a rate is made of; `since_ns` is set when counting begins. */
struct status_rate {
    int64_t since_ns; /* monotonic */
    uint32_t lines;   /* modulo 2^32 */
    float rate;
};
/* Lines per second since that was asked last. Within a second of that: what was told then. */
double status_rate(struct status_rate *rate, uint64_t lines);

/* -- what is left out -------------------------------------------------------------------------- */

struct status_left {
    const char *service, *container, *id, *file; /* NULL: unknown */
    const char *reason; /* one word: excluded, own, driver, metadata, link or directory; a literal */
    const char *detail; /* which rule, which driver, what error … */
    bool problem;       /* nobody wanted that */
};

/* Notes what is left out, and why. NULL: it is not left out any more. `*note` is what was noted before, NULL: nothing;
 * owned by the caller. Where memory is out, it is not noted. */
struct status_note;
void status_note(struct status_note **note, const struct status_left *left);

/* -- asking ------------------------------------------------------------------------------------ */

/* A walk through both lists that may be left and gone on with later, whatever is entered and left meanwhile. */
struct status_walk {
    struct status_entry here;
    bool notes; /* through what is left out */
};

/* Somebody asks. Returns how many seconds the rates are over, which is when somebody had asked before; 0: nobody had, so
 * that each is over all the time since its log is followed. */
double status_ask(void);

void status_walk_logs(struct status_walk *walk);
void status_walk_left(struct status_walk *walk);
/* The next one; false: there is none. */
bool status_next_log(struct status_walk *walk, struct status_log *log);
const struct status_left *status_next_left(struct status_walk *walk); /* NULL: likewise */
/* Owed once for each walk that was begun. */
void status_walk_end(struct status_walk *walk);

#endif
