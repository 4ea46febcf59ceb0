/* Text between JSON's escaped form and raw bytes. */
#ifndef SIDETAIL_BASE_TEXT_H
#define SIDETAIL_BASE_TEXT_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends raw bytes as the inside of a JSON string. Invalid UTF-8 becomes U+FFFD as in Docker's own encoder.
 * 0 or -1 (memory). */
int text_escape(struct buf *out, struct slice raw);

/* Appends the bytes that an escaped text (checked before, see struct record) stands for, as UTF-8. 0 or -1
 * (memory). */
int text_unescape(struct buf *out, struct slice escaped);

/* The same as text_unescape and text_escape in turn: only what JSON cannot hold otherwise stays escaped, so
 * `\u003c` becomes `<`. 0 or -1 (memory). */
int text_reescape(struct buf *out, struct slice escaped);

/* Takes the escape at p (a backslash; p < end): writes what it stands for, 4 bytes at most, to *to and moves
 * that behind it. Returns the bytes taken. */
size_t text_take_escape(const char *p, const char *end, char **to);

/* How many bytes text_unescape makes of it. */
size_t text_unescaped_length(struct slice escaped);

/* Is it valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool text_utf8_valid(struct slice raw);

#endif
