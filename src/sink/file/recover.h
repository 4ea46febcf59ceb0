/* At a start: finds the file that the saved checkpoint names, and cuts off what that does not know. */
#ifndef SIDETAIL_SINK_FILE_RECOVER_H
#define SIDETAIL_SINK_FILE_RECOVER_H

#include <stdbool.h>

#include "base/error.h"
#include "location.h"
#include "output.h"
#include "record/position.h"

/* `out` was just opened at the path; `known` is the checkpoint's output, NULL where it has none. The file
 * that `known` means is cut to known->offset: it is `out`, or was moved away and may have any other name in
 * the directory. Where it is gone, that is logged. *settled: `known` names `out` as it is now. 0 or -1. */
int recover_output(const struct location *at, const struct file_pos *known, struct output *out, bool *settled,
                   struct error *err);

#endif
