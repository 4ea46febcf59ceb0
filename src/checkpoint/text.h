/* The text of the checkpoint's file (its form: checkpoint.h), both ways. */
#ifndef SIDETAIL_CHECKPOINT_TEXT_H
#define SIDETAIL_CHECKPOINT_TEXT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "entries.h"
#include "record/position.h"

/* Of the file, the newest that we know. 1: positions had neither `newest` nor `outline`; 2: none has a tear. */
#define TEXT_VERSION          3
#define TEXT_VERSION_NO_TEARS 2 /* is written where that is so: those who know no newer one can read it */

/* Writes the whole text into an empty file. `output` is of the kind POSITION_NONE where there is none; `now_s` (unix
 * seconds) is written for entries in use. 0 or -1 (errno). */
int text_write(int fd, const struct entries *entries, const struct position *output, int64_t now_s);

enum text_result {
    TEXT_READ,
    TEXT_DAMAGED, /* err says in what way */
    TEXT_NEWER,   /* *version says how new */
};

/* Fills `entries`, which is empty, and *output. Where the result is not TEXT_READ, they hold whatever was
 * read up to the fault. */
enum text_result text_read(struct slice text, struct entries *entries, struct position *output, int *version,
                           struct error *err);

#endif
