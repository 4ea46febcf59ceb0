/* A pipeline as the collector runs it, whose records go to somebody who is told what became of each line. */
#ifndef SIDETAIL_TRY_TRIAL_H
#define SIDETAIL_TRY_TRIAL_H

#include <jansson.h>

#include "config/config.h"
#include "record/record.h"
#include "try/try.h"

struct trial;

/* What became of some lines: an object whose members the manual lists, and for a record that came out its bytes,
 * without the last newline. Both are valid until the call returns. */
struct trial_calls {
    void (*outcome)(void *arg, const json_t *outcome, struct slice encoded);
    void *arg;
};

/* Borrows all; `cfg` is changed, so that a line comes out as soon as it may. NULL: err. */
struct trial *trial_new(const struct try_options *o, struct config *cfg, struct trial_calls calls,
                        struct error *err);
void trial_free(struct trial *t); /* NULL is fine */

/* Would the configuration have such a container collected? */
bool trial_wanted(const struct trial *t);

/* Puts a record that was decoded of the line of that number, as `format`. */
void trial_put(struct trial *t, struct record *rec, size_t number, const char *format);
/* Lets go of what was held long enough, as time has passed without a line. */
void trial_pass_time(struct trial *t);
/* Lets go of all: no line will come. */
void trial_end(struct trial *t);
/* Is something held that trial_pass_time may let go of? */
bool trial_holds(const struct trial *t);

#endif
