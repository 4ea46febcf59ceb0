/* A record: one line of a container on its way through. Slices into the read buffer, valid until the call
 * that was given the record returns; who wants to keep a record copies its text. */
#ifndef SIDETAIL_RECORD_H
#define SIDETAIL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/stream.h"

struct record {
    struct slice text;  /* without its final newline */
    struct slice time;  /* RFC 3339, checked; empty: the source knows none, the time of reading counts */
    enum stream stream; /* plain files have only stdout */
    /* Text is the inside of a JSON string, its escapes and UTF-8 checked: it may stand between quotes as it
     * is. Else text is raw bytes, any at all. */
    bool escaped;
    bool more;      /* decoders: the line goes on in the next record of this stream */
    bool begins;    /* it is no part of the unfinished line before it, which is whole */
    bool partial;   /* the line was cut here, its rest follows as a record of its own */
    bool malformed; /* decoders: not of the format; text is the line as it stood */
    uint8_t level;  /* enum severity (severity.h); 0: not detected */
    /* A JSON payload as a member of the line, with a comma before it: `,"message":{…}`. Empty: none. */
    struct slice extra;
};

#endif
