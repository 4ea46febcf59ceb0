#include "replay.h"

struct chain_offset replay_start(struct replay *r)
{
    struct chain_offset start = r->until;
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (r->from_set[s] && chain_offset_compare(r->from[s], start) < 0) {
            start = r->from[s];
        }
    }
    r->active = chain_offset_compare(start, r->until) != 0;
    return start;
}

bool replay_goes_on(struct replay *r, struct chain_offset at)
{
    r->active = r->active && chain_offset_compare(at, r->until) < 0;
    return r->active;
}

bool replay_delivered(struct replay *r, enum stream stream, struct chain_offset at)
{
    return replay_goes_on(r, at) && (!r->from_set[stream] || chain_offset_compare(at, r->from[stream]) < 0);
}
