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
    s->check_after = s->patience;
    s->hanging = false;
}

void silence_broken(struct silence *s, unsigned patience)
{
    s->seconds = 0;
    s->patience = patience;
    s->hanging = false;
}

bool silence_tick(struct silence *s, unsigned at_most)
{
    s->seconds++;
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
