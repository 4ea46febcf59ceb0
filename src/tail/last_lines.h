/* The last N lines of a log that has to be read as a whole: each line put drops what is too much of those
 * before it.
 *
 * At most N lines are kept, in at most so many bytes (beside each text some 30 more count, and some more for
 * each writer), but always what was put last. A line that was put in parts is one line: it comes whole or not
 * at all. Its parts are those of its stream that its writer put one behind the other. Its place is where it
 * begins. */
#ifndef SIDETAIL_TAIL_LAST_LINES_H
#define SIDETAIL_TAIL_LAST_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"

/* About what a writer takes whose lines are kept, with its tags. */
#define LAST_LINES_WRITER 1200

struct last_lines;

/* None yet. `most`: lines to keep, at least 1. NULL: memory. */
struct last_lines *last_lines_new(int64_t most);
void last_lines_free(struct last_lines *l); /* NULL is fine */

/* Puts a copy of a line, of a part of one (`partial`: the next part of its stream follows), or of a notice,
 * which stays among the lines between which it was put. Then drops the oldest while there are too many, or
 * more than `bytes_max` bytes. 0, or -1: memory. */
int last_lines_put(struct last_lines *l, const struct tail_line *line, size_t bytes_max);

/* Lines that are kept; not to be asked once one was taken. */
int64_t last_lines_count(const struct last_lines *l);
/* Would lines that come before all of these be kept? */
bool last_lines_has_room(const struct last_lines *l);
/* Those are fewer than `most`, and there were more: they took too many bytes. */
bool last_lines_cut_short(const struct last_lines *l);

/* Takes the oldest, with the reference of its writer. Its text is valid until the next call. False: there is
 * none left. Nothing is put after this. */
bool last_lines_take(struct last_lines *l, struct tail_line *out);

/* Where a line, or a part of one, belongs in the order of time. */
struct last_line {
    /* Its time, or that of a line which its writer put before it where that is later; of a part, its line's. */
    int64_t key_ns;
    size_t begins; /* the place of its line's first part */
    size_t place;
    unsigned owner; /* the caller's */
};

/* Of lines that have no notices among them: lists all in the order in which they were put. `to` has room for
 * last_lines_entries. Returns their number. Nothing is put or taken after this. */
size_t last_lines_entries(const struct last_lines *l);
size_t last_lines_list(struct last_lines *l, unsigned owner, struct last_line *to);
/* The one at that place, which stays. Borrowed. */
struct tail_line last_lines_at(const struct last_lines *l, size_t place);

#endif
