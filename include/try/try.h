/* `sidetail try`: what would become of these lines? They go through the decoder and the pipeline that `sidetail run`
 * uses, but to no sink, and no position is kept. */
#ifndef SIDETAIL_TRY_TRY_H
#define SIDETAIL_TRY_TRY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

struct try_options {
    const char *config, *service, *container, *format, *time, *expect; /* borrowed; NULL: not given */
    json_t *labels;                                                    /* owned; an object, or NULL */
    bool json, help;
};

extern const char try_usage[];

/* 0, or -1 and err. try_options_free is owed in either case. */
int try_options_parse(int argc, char **argv, struct try_options *out, struct error *err);
void try_options_free(struct try_options *o);

/* Tries the lines of standard input until it ends. `cfg` is changed, so that lines come out at once. Returns an enum
 * exit_code: EXIT_FAULT when what came of them is not what was expected. */
int try_run(const struct try_options *o, struct config *cfg);

#endif
