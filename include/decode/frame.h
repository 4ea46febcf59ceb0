/* The Engine's log streams, cut into messages.
 *
 * Without a terminal, each message is a frame: one byte of stream (0 stdin, 1 stdout, 2 stderr, 3 an error of
 * the Engine's own), three zero bytes, four bytes of length (big endian), the payload. Source: moby
 * pkg/stdcopy. With a terminal the payloads follow each other bare. With timestamps=1 a payload begins with
 * an RFC 3339 time of nine fraction digits and a space. It ends in a newline unless it is a piece of a longer
 * line; the pieces of a line all bear its first one's time (journald's each their own). */
#ifndef SIDETAIL_DECODE_FRAME_H
#define SIDETAIL_DECODE_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "decode/decode.h"

#define FRAME_HEADER 8
#define FRAME_MAX    (2u << 20) /* bytes of a payload; drivers cut lines at 16 KiB, a few at 256 KiB */

enum frame_stream { FRAME_STDIN, FRAME_STDOUT, FRAME_STDERR, FRAME_ENGINE_ERROR };

/* Slices point into the bytes that were given, here and below. */
struct frame {
    enum frame_stream stream;
    struct slice payload;
};

/* The frame that starts at p. Returns the bytes that it takes. 0: [p, end) does not hold all of it; *need (1
 * or more) further bytes are missing, or are missing to know more. -1: that is no frame, err says why. */
ssize_t frame_next(const char *p, const char *end, struct frame *out, size_t *need, struct error *err);

/* A payload taken apart. */
struct message {
    int64_t time_ns;
    struct slice time; /* as it was written, without its space; empty: there was none */
    struct slice text; /* without its newline */
    bool newline;      /* it had one */
};

/* False: the payload begins with no time. Then text is all of it, and time_ns 0. */
bool message_parse(struct slice payload, struct message *out);

/* Cuts a terminal's stream apart. */
struct tty_cutter {
    bool bare_end, own_times;     /* as in struct log_options (engine/logs.h) */
    int64_t started_ns, known_ns; /* likewise */
    bool continued;               /* state: the message before was a piece of this line */
};

/* The message that starts at p. Returns the bytes that it takes. 0: its end has not come yet. -1: it has none
 * within FRAME_MAX bytes. With `last` no more will come, and what is left is a message too. */
ssize_t tty_next(struct tty_cutter *cut, const char *p, const char *end, bool last, struct message *out,
                 struct error *err);

#endif
