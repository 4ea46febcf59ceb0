/* What of one stream of a feed is held by the pipeline, and since which place: an unfinished line (join), and
 * before it a group of lines that may go on (multiline). Sources keep one for each stream and turn it into
 * position.held. */
#ifndef SIDETAIL_RECORD_PENDING_H
#define SIDETAIL_RECORD_PENDING_H

#include "record/position.h"
#include "record/put.h"

struct pending {
    bool joining, grouping;
    union source_offset join, group; /* where the first entry of each begins */
};

/* Accounts for the result of putting the entry that begins at `place`. */
static inline void pending_update(struct pending *h, unsigned result, const union source_offset *place)
{
    if (result & PUT_CUT) {
        h->joining = h->grouping = false;
    }
    if (!h->joining) {
        h->join = *place;
    }
    h->joining = (result & ~PUT_CUT) == PUT_JOINING;
    switch (result & ~PUT_CUT) {
    case PUT_DONE:
        h->grouping = false;
        break;
    case PUT_HELD:
        if (h->grouping) {
            break;
        }
        /* fall through */
    case PUT_HELD_NEW:
        h->grouping = true;
        h->group = h->join;
        break;
    }
}

static inline bool pending_any(const struct pending *h)
{
    return h->joining || h->grouping;
}

/* Where to read again from. Only when pending_any. */
static inline const union source_offset *pending_since(const struct pending *h)
{
    return h->grouping ? &h->group : &h->join;
}

#endif
