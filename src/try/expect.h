/* Outcomes beside those that are expected. */
#ifndef SIDETAIL_TRY_EXPECT_H
#define SIDETAIL_TRY_EXPECT_H

#include <jansson.h>

#include "base/error.h"

struct expect {
    json_t *outcomes; /* that were not met yet, in their order */
    size_t count, met, differences;
};

/* Reads a file of one object a line; empty lines, and those that begin with #, do not count. 0, or -1 and err.
 * expect_free is owed in either case. */
int expect_load(struct expect *e, const char *path, struct error *err);
void expect_free(struct expect *e);

/* Says on stdout what differs between the outcome and the one expected, if anything does. */
void expect_meet(struct expect *e, const json_t *outcome);
/* No further outcome will come. Says what was expected besides, and how much differs. Returns how much. */
size_t expect_end(struct expect *e);

#endif
