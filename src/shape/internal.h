/* What the files of shaping share; nobody else includes this. */
#ifndef SIDETAIL_SHAPE_INTERNAL_H
#define SIDETAIL_SHAPE_INTERNAL_H

#include "buf.h"
#include "clock.h"
#include "config.h"
#include "regexp.h"
#include "shape.h"

/* Several expressions of one setting. */
struct regexps {
    struct regexp **items;
    size_t count;
};

/* -- multiline.c: which lines belong together -------------------------------------------------- */

struct multiline;

/* NULL on error. */
struct multiline *multiline_new(const struct config *cfg, struct error *err);
void multiline_free(struct multiline *m);

/* Where a group stands: which rule it follows, and in which of its states. */
struct progress {
    uint8_t rule, state;
};

/* May the line begin a group? Then *at is where it stands. */
bool multiline_begins(const struct multiline *m, struct slice line, struct progress *at);
/* Does the line go on with the group? Then *at moves. */
bool multiline_goes_on(const struct multiline *m, struct slice line, struct progress *at);
/* Do groups of more than one line tell of an error (the built-in rules: stack traces)? */
bool multiline_is_trace(const struct multiline *m);

/* -- rate.c: how many lines -------------------------------------------------------------------- */

struct rate {
    int64_t limit, burst; /* lines a second; 0: no limit */
};

struct bucket {
    double tokens;
    int64_t last_ns; /* time of the last line looked at; 0: none yet */
    /* What was dropped and not said yet. */
    uint64_t dropped;
    int64_t first_ns, latest_ns; /* times of the first and the latest of those lines */
    int64_t due_ns;              /* monotonic: say it then */
    enum stream stream;
};

/* May a record of so many lines, written at that time, pass? */
bool rate_pass(const struct rate *r, struct bucket *b, int64_t time_ns, uint32_t lines);
void rate_dropped(struct bucket *b, int64_t time_ns, uint32_t lines, enum stream stream);
/* Is it time for a notice, by the lines' own time? */
bool rate_notice_due(const struct bucket *b);
/* Writes the notice and begins to count anew. Returns its length. */
#define RATE_NOTICE_MAX 128
size_t rate_notice(struct bucket *b, char text[RATE_NOTICE_MAX]);

/* -- redact.c: what must not pass -------------------------------------------------------------- */

#define REDACT_CONTEXT 4096 /* bytes of a piece that are kept to find what goes on in the next one */

struct redactor {
    struct regexps secrets;
    struct buf with;
    struct span *spans;
    size_t nspans, cap;
    struct buf subject, out, plain; /* scratch */
    bool far; /* of the last text: it was cut in what may be a secret that began before what is kept of it */
};

int redactor_init(struct redactor *r, const struct config *cfg, struct error *err);
void redactor_free(struct redactor *r);

/* Replaces what matches. `before` is what of the same line came in an earlier piece (empty: nothing); `cut`
 * says that the line goes on behind this text. *text is as it was when nothing matches, else it points into
 * r->out. 0, or -1 (memory). */
int redact(struct redactor *r, struct slice before, bool cut, struct slice *text);
/* Replaces the whole text, which cannot be judged, and counts it. */
int redact_all(struct redactor *r, struct slice *text);

/* -- shape.c ----------------------------------------------------------------------------------- */

int regexps_new(struct regexps *list, const struct string_list *texts, const char *what, struct error *err);
void regexps_free(struct regexps *list);

#endif
