/* The first stage: joins the parts of a line that come as entries of their own, and cuts lines longer than
 * line_max into pieces. Whole lines pass by. */
#ifndef SIDETAIL_PIPELINE_JOINER_H
#define SIDETAIL_PIPELINE_JOINER_H

#include "base/clock.h"
#include "shaper.h"

struct joiner {
    const struct config *cfg; /* borrowed */
    size_t held;              /* bytes of unfinished lines of all feeds … */
    size_t held_max;          /* … and how many there may be: an eighth of memory_max */
    struct buf room;          /* of a line that is over, for the next one; empty */
};

/* A line whose parts have not all come. Its text is copied here. */
struct join {
    bool active;
    bool escaped; /* of the text: as in struct record */
    struct buf text;
    size_t length; /* bytes of what it stands for, not escaped */
    char time[CLOCK_TEXT_MAX];
    size_t time_len;
};

struct joiner_feed {
    struct joiner *stage;
    struct join *joins; /* of each stream; made for the first part of a line, and kept; NULL: none came */
    struct shaper_feed *next;
};

void joiner_configure(struct joiner *j, const struct config *cfg);
void joiner_free(struct joiner *j); /* after its feeds are closed */

/* `f` is the caller's memory, and so is `next`; both stay until joiner_close. */
void joiner_open(struct joiner *j, struct joiner_feed *f, struct shaper_feed *next);
/* Drops what is held of the unfinished line of that stream. */
void joiner_drop(struct joiner_feed *f, enum stream stream);
void joiner_close(struct joiner_feed *f); /* unfinished lines are dropped */
void joiner_flush(struct joiner_feed *f); /* unfinished lines go on as they are */

/* Takes one entry. Returns an enum put_result, with PUT_CUT. */
unsigned joiner_put_part(struct joiner_feed *f, struct record *rec);       /* of a line that is not whole */
unsigned joiner_put_long(struct joiner_feed *f, const struct record *rec); /* a line over line_max */
static inline unsigned joiner_put(struct joiner_feed *f, struct record *rec)
{
    if (rec->more || (f->joins && f->joins[rec->stream].active)) {
        return joiner_put_part(f, rec);
    }
    if (rec->text.len > (size_t)f->stage->cfg->line_max) {
        return joiner_put_long(f, rec);
    }
    return shaper_put(f->next, rec);
}

#endif
