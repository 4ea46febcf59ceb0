/* The rotated files beside an output at P, and what they are called: P.1 is the youngest, P.2 the one before
 * it; once compressed, they are P.1.gz and P.2.gz. */
#ifndef SIDETAIL_SINK_FILE_ROTATED_H
#define SIDETAIL_SINK_FILE_ROTATED_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "location.h"

/* Flags, for a number may have both for a while. */
enum rotated_kind { ROTATED_PLAIN = 1, ROTATED_GZIP = 2 };

#define ROTATED_NAME_MAX 300 /* a name of at most 255 bytes, and what is put behind it */

/* The name, in the directory of the output, of P.<number> or P.<number>.gz. */
void rotated_name(const struct location *at, int64_t number, enum rotated_kind kind,
                  char out[ROTATED_NAME_MAX]);

/* Which of the two exist: enum rotated_kind, or 0. */
int rotated_exists(const struct location *at, int64_t number);

/* Does a collector write this file still, who was left with it by whoever moved it away (before SIGUSR1)? It must not be
 * compressed or removed. */
bool rotated_is_written(const struct location *at, const char *name);

/* Do we rotate? Else files of such names are somebody else's, and left alone. */
bool rotated_are_ours(const struct config *cfg);

#endif
