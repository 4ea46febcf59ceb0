/* Regular expressions (PCRE2 with JIT, UTF-8) that cannot hang: each search has a limit of steps and of time.
 * They know nothing of lines: ^ and $ are the ends of the text. One thread only. */
#ifndef SIDETAIL_REGEXP_H
#define SIDETAIL_REGEXP_H

#include <stdbool.h>

#include "error.h"
#include "slice.h"

struct regexp;

/* `what` names the setting in the error, which says where in the text the fault is. NULL on error. */
struct regexp *regexp_new(const char *text, const char *what, struct error *err);
void regexp_free(struct regexp *re); /* NULL is fine */

/* Whether expressions to come are compiled to machine code (they are): valgrind cannot judge that. */
void regexp_use_jit(bool use);

struct span {
    size_t start, end; /* end is past the last byte */
};

enum regexp_result {
    REGEXP_NONE,
    REGEXP_FOUND,
    REGEXP_LIMIT, /* given up: neither yes nor no */
};

/* The first match that begins at `from` (<= text.len) or later. The text is valid UTF-8 (text_utf8_valid). */
enum regexp_result regexp_find(struct regexp *re, struct slice text, size_t from, struct span *found);

/* Does the text, from `from` on, where it holds no whole match, end in what would be the beginning of one if
 * more text followed? `found` reaches from there to the end. */
enum regexp_result regexp_find_cut(struct regexp *re, struct slice text, size_t from, struct span *found);

#endif
