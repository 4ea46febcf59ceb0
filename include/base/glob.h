/* The text of a glob: where its elements end, and which globs its {a,b} stand for. */
#ifndef SIDETAIL_BASE_GLOB_H
#define SIDETAIL_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* The length of the set at p, which is a `[`: [a-z], [!a-z], []], [[:digit:]], [\]]. 0: it is not closed
 * before the next slash. */
size_t glob_set_length(const char *p);

/* The length of the element at p: a set, a backslash with its character, else one byte. */
size_t glob_element_length(const char *p);

/* The length of what stands before the first element that is no character. */
size_t glob_fixed_length(const char *text);

/* The characters of a text that has no other elements. NULL: memory; to be freed. */
char *glob_unescape(const char *text, size_t len);

#define GLOB_EXPANDED_MAX 1000

/* Calls each() with every glob that one with {a,b}, also nested ones, stands for, in their order. Braces
 * without a comma are left as they are: they name a part. each() returns 0, or -1 with err set: then so does
 * this. -1, too: there are more than GLOB_EXPANDED_MAX, or memory is out. */
int glob_expand(const char *text, int (*each)(void *arg, const char *glob, struct error *err), void *arg,
                struct error *err);

#endif
