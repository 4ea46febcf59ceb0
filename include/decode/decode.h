/* Decoders: bytes → records. Stateless; one decoder serves every file. */
#ifndef SIDETAIL_DECODE_H
#define SIDETAIL_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/record.h"

/* Bytes that must be readable (any value) behind `end`, so that a decoder may load whole words. */
#define DECODE_PAD 64

/* Bytes without a newline after which Docker cuts a line, those of an entry. What is shorter is what a stream
 * ended with (moby daemon/logger/copier.go; some drivers have more). */
#define PIECE_MIN 16384

/* Of a format whose records bear their length and are not lines. */
struct framing {
    size_t longest; /* bytes that a record takes at most; what says more is damaged */

    /* Asked where `next` finds no whole record at p: how many bytes belong to none, up to the next one. 0: what
     * is there is the beginning of one, whose rest may come. `last`: nothing will come, so that is damaged too. */
    size_t (*damaged)(const char *p, const char *end, bool last);
};

struct decoder {
    const char *name;

    /* Decodes the line that starts at p. Returns the bytes that it takes, its newline included; 0 when [p,
     * end) holds no whole line. The record's slices point into [p, end) or into scratch (owned by the caller,
     * overwritten by the next call). Never fails: what is not of the format comes back as text with
     * `malformed` set. A line without text of its own (an empty one) is a record with empty text. */
    size_t (*next)(const char *p, const char *end, struct record *out, struct buf *scratch);

    const struct framing *framing; /* NULL: the records are lines */
};

/* Docker's json-file: {"log":"text\n","stream":"stdout","time":"2026-11-24T05:00:39.668510088Z"}
 * Source of the format: moby daemon/logger/jsonfilelog/jsonlog. A `log` without a final \n sets `more`, unless
 * it is shorter than PIECE_MIN.
 *
 * The shape as Docker writes it is decoded in place (decode/json_file/fast.c), `attrs` of log options too. Every
 * other valid JSON object with a string `log` is decoded by jansson (decode/json_file/any.c): other key order,
 * spaces, escapes that Docker does not write. */
extern const struct decoder decoder_json_file;

/* Docker's driver local: a length (32 bits, big endian), a protobuf message, and the length again. Text is raw
 * bytes. The pieces of a long line set `more`, but for the last, and for one shorter than PIECE_MIN. Only
 * whole records are taken: what is damaged is left to `framing`. Source of the format: moby
 * daemon/logger/local, api/types/plugins/logdriver/entry.proto. */
extern const struct decoder decoder_local;

/* One line, one record, stdout, no time. */
extern const struct decoder decoder_plain;

/* Kubernetes' container runtime interface: `2016-10-06T00:17:09.669794202Z stdout P text`, F for a full line
 * or the last part of one, P sets `more`. Source: kubernetes/design-proposals-archive,
 * kubelet-cri-logging.md. */
extern const struct decoder decoder_cri;

/* Passes over up to `most` whole records at p of a format with framing, and over what is damaged between
 * them. Returns the bytes, *found the records. Where that were fewer, what remains is a record's beginning. */
size_t decoder_pass(const struct decoder *d, const char *p, const char *end, int64_t most, int64_t *found);

/* The decoder of that name ("json-file", "plain", "cri"), or NULL. */
const struct decoder *decoder_find(const char *name);

/* Which decoder fits a file whose first bytes are given: by its first whole line; NULL when there is none
 * yet. */
const struct decoder *decoder_guess(const char *p, const char *end);

/* The raw line [p, p+len) as a record, for lines too long for their decoder. */
void decode_as_text(const char *p, size_t len, struct record *out);

/* Only the in-place decoder of Docker's own shape: bytes taken, or 0 when the line is torn or of another
 * shape. */
size_t decode_json_fast(const char *p, const char *end, struct record *out);

/* Only the jansson one, on one line without its newline. 0, or -1 when it is not valid. */
int decode_json_any(const char *line, size_t len, struct record *out, struct buf *scratch);

#endif
