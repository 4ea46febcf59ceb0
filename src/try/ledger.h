/* Which lines of the input make up a record that comes out: parts of a line are joined, and lines are grouped. */
#ifndef SIDETAIL_TRY_LEDGER_H
#define SIDETAIL_TRY_LEDGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/stream.h"

/* Per stream, the whole lines that have not come out yet, and at the end one whose parts have not all come. Each is an
 * object with `lines`, the numbers of its lines of the input, and what was decoded of the first one. */
struct ledger {
    json_t *lines[STREAM_COUNT];
    bool open[STREAM_COUNT]; /* the last one goes on */
};

void ledger_init(struct ledger *l);
void ledger_free(struct ledger *l);

/* Is everything out? */
bool ledger_empty(const struct ledger *l);

/* Begins a line with what was decoded of it. Takes the reference. */
void ledger_begin(struct ledger *l, enum stream stream, json_t *decoded);
/* The line of that number is a part of the last line. */
void ledger_add(struct ledger *l, enum stream stream, size_t number);
/* Whether the last line goes on. */
void ledger_end(struct ledger *l, enum stream stream, bool goes_on);

/* Takes so many lines, which come out as one record; 0: a piece of the first one, which goes on. New reference. */
json_t *ledger_take(struct ledger *l, enum stream stream, size_t count);

#endif
