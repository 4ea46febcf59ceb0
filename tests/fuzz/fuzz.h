/* What the fuzz targets share. */
#ifndef SIDETAIL_FUZZ_H
#define SIDETAIL_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
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

/* What an input that is no text asks for: its bytes, one after the other, and 0 behind its end. */
struct asked {
    const uint8_t *at, *end;
};

static inline uint8_t asked_byte(struct asked *a)
{
    return a->at < a->end ? *a->at++ : 0;
}

static inline struct slice asked_bytes(struct asked *a, size_t most)
{
    size_t left = (size_t)(a->end - a->at), len = left < most ? left : most;
    struct slice bytes = {(const char *)a->at, len};
    a->at += len;
    return bytes;
}

/* Of as many bytes as the first one says. */
static inline uint64_t asked_number(struct asked *a)
{
    uint64_t number = 0;
    for (unsigned more = asked_byte(a) % 9; more > 0; more--) {
        number = number << 8 | asked_byte(a);
    }
    return number;
}

/* Makes a directory of the process's own, in memory where there is such a place. */
static inline void fuzz_directory(char *path, size_t size)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(path, size, "%s/sidetail-fuzz-XXXXXX", parent);
    CHECK(mkdtemp(path));
}

#endif
