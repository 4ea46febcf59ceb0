/* Lines as Docker's json-file driver writes them, made up: half of an access log, three in ten JSON, the rest
 * plain words, some with colours, Cyrillic and escapes. The same for the same seed. */
#ifndef SIDETAIL_BENCH_LINES_H
#define SIDETAIL_BENCH_LINES_H

#include <stdint.h>

#include "base/buf.h"

/* Appends the lines numbered from `first` on, `count` of them. 0 or -1 (memory). */
int lines_make(struct buf *out, unsigned first, unsigned count, uint64_t seed);

#endif
