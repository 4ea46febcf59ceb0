/* Lines that prove what became of them.
 *
 *     @CCCCCCCC DDDDDDDD WRITER:RUN STREAM SEQ LENGTH PAYLOAD
 *
 * CCCCCCCC  CRC-32 (as zlib's), in hex, of all that follows the second checksum's space
 * DDDDDDDD  the same of what Docker's json-file driver makes of it: each byte that is not UTF-8 becomes
 *           U+FFFD, seen in pieces of 16 KiB, so that a character across two pieces is lost as well
 * WRITER    who writes; RUN tells one start of a writer from the next
 * STREAM    o (stdout), e (stderr) or f (file)
 * SEQ       counts from 0 within writer, run and stream
 * LENGTH    of PAYLOAD in bytes; beyond its first LINE_PERIOD bytes a payload repeats itself, so that one
 *           which was cut can still be checked */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>

enum {
    LINE_PERIOD = 4096,
    LINE_HEADER_MAX = 128,
    LINE_DOCKER_PIECE = 16384,
    LINE_WRITER_MAX = 64, /* WRITER:RUN */
};

struct line_style {
    unsigned classes;  /* of bytes, a bit each; 0 is plain ASCII */
    size_t length_min; /* of a payload, in bytes */
    size_t length_max;
    uint64_t long_every; /* one line of so many is long_length; 0 for none */
    size_t long_length;
    size_t piece; /* for the second checksum; 0 for no pieces */
};

/* Where the random choices come from; the same seed makes the same lines. */
struct line_random {
    uint64_t state;
};

uint64_t line_random(struct line_random *random);

/* The bit of a named class (ascii, utf8, nul, invalid, escape, ansi), 0 when there is none of that name. */
unsigned line_class(const char *name);

void line_init(uint64_t seed);

/* The most bytes that line_make can write. */
size_t line_max(const struct line_style *style);

/* Writes one line, without a newline, to `out` and returns its length. */
size_t line_make(char *out, const struct line_style *style, struct line_random *random, const char *writer,
                 char stream, uint64_t seq);

#endif
