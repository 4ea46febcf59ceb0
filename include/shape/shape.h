/* Shaping of whole lines between joining and encoding. In this order: multiline joining, drop and keep rules,
 * rate limit, level, redaction, JSON payload. Each is off by default; when all are off there is no shaper and
 * no cost.
 *
 * Rules see text as its writer wrote it, without the escapes of Docker's JSON, and as valid UTF-8 (what was
 * not is U+FFFD). A line that none of them changes goes on as it came. A line cut into pieces
 * (record.partial) shares the fate of its first piece, and what is redacted is found across the cuts. */
#ifndef SIDETAIL_SHAPE_H
#define SIDETAIL_SHAPE_H

#include <stddef.h>

#include "base/error.h"
#include "record/record.h"

struct config;
struct shape;       /* what the configuration asks for, compiled; counted references */
struct shape_state; /* what is known of one feed */

/* What was replaced of a record: where it stood in the text before, in bytes, and which pattern of `redact` found
 * it. */
struct redaction {
    size_t start, end, rule;
    const char *pattern;
};

/* What the rules decided about a finished record. */
struct shape_verdict {
    const struct record *rec; /* as it is emitted, or what is left out */
    uint32_t lines;           /* whole lines that end with it; 0: a piece, or the notice of the rate limit */
    bool notice;
    const char *left_out; /* the key that left it out: drop, keep or rate_limit; NULL: it is emitted next */
    const char *pattern;  /* the one of `drop` that matched, and its place there; else NULL */
    size_t rule;
    const struct redaction *redactions; /* in the order of their places */
    size_t nredactions;
    bool all_redacted; /* the text could not be judged: all of it was replaced */
};

/* Somebody who wants to know (sidetail try). All is valid until `told` returns. */
struct shape_watch {
    void (*told)(void *arg, const struct shape_verdict *verdict);
    void *arg;
};

/* Where finished records go. The record and its slices are valid until `emit` returns; they may point into
 * the record that was given to shape_put. */
struct shape_out {
    void (*emit)(void *arg, const struct record *rec);
    void *arg;
};

/* Does the configuration ask for any shaping? */
bool shape_wanted(const struct config *cfg);

/* With one reference; the configuration may go. NULL on error, which names the key. */
struct shape *shape_new(const struct config *cfg, struct error *err);
/* What its feeds hold is counted in *held, with what those of other shapes hold; called before shape_open. */
void shape_share(struct shape *s, size_t *held);
/* Bytes that the expressions take which labels gave; and whether they were too slow (regexp_budget). */
size_t shape_hinted_size(const struct shape *s);
bool shape_hints_slow(const struct shape *s);
void shape_unref(struct shape *s); /* NULL is fine */

/* Takes a reference of the shaper. NULL when memory is out. */
struct shape_state *shape_open(struct shape *s);
void shape_close(struct shape_state *st); /* what is held is dropped; NULL is fine */
/* Who is told of what is decided from now on; borrowed. NULL: nobody, as at first. */
void shape_set_watch(struct shape_state *st, const struct shape_watch *watch);

/* Takes a whole line (or a cut piece of one) and emits what is finished by it. Returns PUT_DONE, PUT_HELD or
 * PUT_HELD_NEW (put.h): a group that may go on is held. -1 when memory is out. */
int shape_put(struct shape_state *st, const struct record *rec, struct shape_out out);

/* When shape_tick wants to be called: monotonic time, INT64_MAX for never. It changes with each put. */
int64_t shape_due(const struct shape_state *st);

/* Emits the groups that have waited long enough at `now` (monotonic; INT64_MAX: all) and the notice of the
 * rate limit. Returns the streams that hold nothing any more and did before, as bits 1 << stream; -1 when
 * memory is out. */
int shape_tick(struct shape_state *st, int64_t now, struct shape_out out);

/* Bytes held in groups of all feeds; at most an eighth of memory_max. */
size_t shape_memory(const struct shape *s);

#endif
