#include "steady.h"

#include "base/clock.h"

#define OFTEN 8                 /* so many times in a row something was new, and it will be */
#define LEAST (100 * NS_PER_MS) /* where reading does not wait any more, and they could not be read yet */

void steady_init(struct steady *s)
{
    TAILQ_INIT(&s->logs);
}

static void enter(struct steady *s, struct turn *turn, int64_t wait)
{
    if (TAILQ_EMPTY(&s->logs)) {
        s->due_ns = clock_monotonic() + wait;
    }
    TAILQ_INSERT_TAIL(&s->logs, turn, steady_link);
    turn->steady = true;
}

bool steady_note(struct steady *s, struct turn *turn, bool found, int64_t wait)
{
    turn->found = found && wait > 0 ? turn->found + 1 : 0;
    if (!turn->steady && turn->found >= OFTEN) {
        turn->found = 0; /* where it cannot be, that is asked again later */
        if (follow_set_untold(turn->follow, true)) {
            enter(s, turn, wait);
        }
    } else if (turn->steady && turn->found == 0) {
        return !steady_end(s, turn);
    }
    return true;
}

bool steady_end(struct steady *s, struct turn *turn)
{
    bool told = follow_set_untold(turn->follow, false);
    if (told) {
        steady_remove(s, turn);
        turn->found = 0;
    }
    return told;
}

bool steady_due(struct steady *s, int64_t wait)
{
    bool due = !TAILQ_EMPTY(&s->logs) && steady_left(s) <= 0;
    if (due) {
        s->due_ns = clock_monotonic() + (wait > 0 ? wait : LEAST);
    }
    return due;
}

int64_t steady_left(const struct steady *s)
{
    return s->due_ns - clock_monotonic();
}

void steady_remove(struct steady *s, struct turn *turn)
{
    if (turn->steady) {
        TAILQ_REMOVE(&s->logs, turn, steady_link);
        turn->steady = false;
    }
}
