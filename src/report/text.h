/* Texts and numbers for the columns of a terminal. Memory that runs out ends the process. */
#ifndef SIDETAIL_REPORT_TEXT_H
#define SIDETAIL_REPORT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SHORT_MAX 8 /* bytes of a short text, NUL included */

/* "999", "1.2k", "34M": of a number that is not negative. */
void short_number(double value, char out[SHORT_MAX]);
/* "5s", "12m", "3h", "9d": of a time that has passed. */
void short_span(double seconds, char out[SHORT_MAX]);

/* Appends a text of others, made safe for a terminal. NULL: a dash. */
void put_safe(struct buf *out, const char *text);
/* Columns that it takes then. */
unsigned safe_columns(const char *text);

enum side { LEFT, RIGHT };
/* Likewise, in exactly so many columns: filled with spaces; cut where it is longer, which "…" shows, at the end that
 * `keep` is not. */
void put_column(struct buf *out, const char *text, unsigned columns, enum side keep, enum side align);

/* Likewise, between words in lines of so many columns (0: in one), all but the first of which are indented. `used`: columns that
 * are taken of the first. Ends the line. */
void put_wrapped(struct buf *out, const char *text, unsigned columns, unsigned used, unsigned indent);

void put_bytes(struct buf *out, struct slice bytes); /* as they are */
void put(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
