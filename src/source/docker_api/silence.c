#include "source/docker_api/silence.h"

static unsigned doubled(unsigned seconds)
{
    return seconds * 2 < SILENCE_CHECK_AFTER_MAX ? seconds * 2 : SILENCE_CHECK_AFTER_MAX;
}

void silence_init(struct silence *s, unsigned patience)
{
    *s = (struct silence){.patience = patience};
}

static unsigned unbegun(const struct silence *s)
{
    return s->patience > SILENCE_CHECK_OPENED ? s->patience : SILENCE_CHECK_OPENED;
}

void silence_opened(struct silence *s)
{
    s->seconds = 0;
    s->heard = false;
    s->began = false;
    s->check_after = unbegun(s);
    s->hanging = false;
}

void silence_broken(struct silence *s, unsigned patience)
{
    if (!s->began) {
        s->check_after = patience;
    }
    s->heard = s->began = true;
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
    s->patience = doubled(s->began ? s->patience : unbegun(s));
}
