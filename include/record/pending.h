/* What the pipeline holds of one stream of a feed, and where that begins: an unfinished line (join), and
 * before it a group of lines that may go on (multiline). A source keeps one for each stream and turns it into
 * position.held. */
#ifndef SIDETAIL_RECORD_PENDING_H
#define SIDETAIL_RECORD_PENDING_H

#include "record/position.h"
#include "record/put.h"

struct pending {
    bool joining, grouping;
    union source_offset join, group; /* where the first entry of each begins */
};

/* Accounts for the result of putting the entry that begins at `at`. */
static inline void pending_update(struct pending *p, unsigned result, const union source_offset *at)
{
    if (result & PUT_CUT) {
        p->joining = p->grouping = false;
    }
    if (!p->joining) {
        p->join = *at;
    }
    p->joining = (result & ~PUT_CUT) == PUT_JOINING;
    switch (result & ~PUT_CUT) {
    case PUT_DONE:
        p->grouping = false;
        break;
    case PUT_HELD:
        if (p->grouping) {
            break;
        }
        /* fall through */
    case PUT_HELD_NEW:
        p->grouping = true;
        p->group = p->join;
        break;
    }
}

static inline bool pending_any(const struct pending *p)
{
    return p->joining || p->grouping;
}

/* Where to read again from. Only when pending_any. */
static inline const union source_offset *pending_since(const struct pending *p)
{
    return p->grouping ? &p->group : &p->join;
}

#endif
