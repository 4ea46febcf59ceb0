/* What the fuzz targets share. */
#ifndef SIDETAIL_FUZZ_H
#define SIDETAIL_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* A copy on the heap with exactly DECODE_PAD bytes behind it, so that ASan sees one read too far. */
static inline char *padded(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + DECODE_PAD);
    CHECK(copy);
    memcpy(copy, data, size);
    memset(copy + size, '"', DECODE_PAD);
    return copy;
}

#endif
