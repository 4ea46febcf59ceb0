/* Text of others, made safe to show: a log line must not move the cursor, set the title or ask the terminal
 * for an answer. */
#ifndef SIDETAIL_ENCODE_TERMINAL_H
#define SIDETAIL_ENCODE_TERMINAL_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends raw bytes without newlines. Control characters but tabs become visible (`^[`, and `<U+009B>` for
 * those above ASCII, with those that turn the direction of writing), invalid UTF-8 becomes U+FFFD. Colours
 * (ECMA-48 SGR, `ESC [ … m`) stay when `colors` and are left out otherwise; *colored is set (never cleared)
 * when one stayed, so that the caller can end them. 0 or -1 (memory). */
int terminal_put(struct buf *out, struct slice raw, bool colors, bool *colored);

/* Of the JSON or logfmt that was appended from that length on: writes as `\u009b` what a terminal would obey,
 * which both allow as it is. The values in quotes stay the same. 0 or -1 (memory). */
int terminal_escape(struct buf *out, size_t from);

/* Columns that valid UTF-8 takes: two for each wide character, none for one that joins the one before. */
unsigned terminal_columns(struct slice text);

#endif
