/* `sidetail tail`: shows what containers write, for somebody at a terminal. */
#ifndef SIDETAIL_TAIL_TAIL_H
#define SIDETAIL_TAIL_TAIL_H

#include "config/config.h"
#include "tail/options.h"

/* Runs until the end, on a loop of its own. Borrows both. Returns what to exit with (enum exit_code), or
 * minus the number of the signal that ended it. */
int tail_run(const struct tail_options *o, const struct config *cfg);

#endif
