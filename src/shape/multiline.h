/* Which lines belong together. */
#ifndef SIDETAIL_SHAPE_MULTILINE_H
#define SIDETAIL_SHAPE_MULTILINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/regexp.h"
#include "base/slice.h"

struct config;

struct multiline;

/* NULL on error. */
struct multiline *multiline_new(const struct config *cfg, struct error *err);
/* The expressions of rule regex pay from the budget (base/regexp.h). */
void multiline_pay_from(struct multiline *m, struct regexp_budget *budget);
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

#endif
