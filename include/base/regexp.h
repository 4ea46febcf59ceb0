/* Regular expressions (PCRE2 with JIT, UTF-8) that cannot hang: each search has a limit of steps and of time.
 * They know nothing of lines: ^ and $ are the ends of the text, unless they are asked to. One thread only. */
#ifndef SIDETAIL_BASE_REGEXP_H
#define SIDETAIL_BASE_REGEXP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct regexp;

/* `what` names the setting in the error, which says where in the text the fault is. NULL on error. */
struct regexp *regexp_new(const char *text, const char *what, struct error *err);
void regexp_free(struct regexp *re); /* NULL is fine */
/* From now on ^ and $ match at each line of the text, too. 0, or -1 (memory). */
int regexp_see_lines(struct regexp *re);
/* Bytes that it takes, at most. */
size_t regexp_size(const struct regexp *re);

/* Of what matches secrets: an expression that matches an empty text would match everywhere. 0, or -1 and what
 * is wrong with `text`, which it was made of, in the setting `what`. */
int regexp_refuse_empty(struct regexp *re, const char *text, const char *what, struct error *err);

/* Whether expressions to come are compiled to machine code (they are): valgrind cannot judge that. */
void regexp_use_jit(bool use);

/* What the searches of expressions that somebody else gave may take together: short ones do not count, the time of
 * others is a debt that is forgiven slowly. Where it is too high, no search is done until it is gone. {0} before. */
struct regexp_budget {
    int64_t debt_ns, at_ns; /* what is owed, as of then (monotonic) */
    unsigned watched;       /* searches to come whose processor time is measured */
    bool spent, said;       /* said: in the log */
    size_t size;            /* bytes that they take, at most */
};

/* From now on the expression's searches are paid from it; borrowed. */
void regexp_pay_from(struct regexp *re, struct regexp_budget *budget);

struct span {
    size_t start, end; /* end is past the last byte */
};

enum regexp_result {
    REGEXP_NONE,
    REGEXP_FOUND,
    REGEXP_LIMIT, /* given up, or not begun for want of budget: neither yes nor no */
};

/* The first match that begins at `from` (<= text.len) or later. The text is valid UTF-8 (text_utf8_valid). */
enum regexp_result regexp_find(struct regexp *re, struct slice text, size_t from, struct span *found);

/* Does the text, from `from` on, where it holds no whole match, end in what would be the beginning of one if
 * more text followed? `found` reaches from there to the end. */
enum regexp_result regexp_find_cut(struct regexp *re, struct slice text, size_t from, struct span *found);

#endif
