#include "source/docker_api/silence.h"

static unsigned doubled(unsigned seconds)
{
    return seconds * 2 < SILENCE_CHECK_AFTER_MAX ? seconds * 2 : SILENCE_CHECK_AFTER_MAX;
}

void silence_init(struct silence *s, unsigned patience)
{
    *s = (struct silence){.patience = patience};
}

void silence_opened(struct silence *s)
{
    s->seconds = 0;
    s->heard = false;
    s->check_after = s->patience;
    s->hanging = false;
}

void silence_broken(struct silence *s, unsigned patience)
{
    s->heard = true;
    s->patience = patience;
    s->hanging = false;
}

bool silence_tick(struct silence *s, unsigned at_most)
{
    s->seconds = s->heard ? 0 : s->seconds + 1; /* whole ones: a stream that is read through is not silent */
    s->heard = false;
    if (s->seconds < s->check_after && s->seconds < at_most) {
        return false;
    }
    s->seconds = 0;
    return true;
}

void silence_checked(struct silence *s)
{
    s->check_after = doubled(s->check_after);
}

void silence_reopening(struct silence *s)
{
    s->patience = doubled(s->patience);
}
