#include "steady.h"

#include "base/clock.h"

#define LEAST                                                                                                \
    (3 * NS_PER_MS) /* between two reads, where reading does not wait: the pace of events, see watch.c */
#define OFTEN 8     /* so many times in a row something was new, within the time of little more reads */
#define REST  4     /* so many times in a row nothing was */

void steady_init(struct steady *s)
{
    TAILQ_INIT(&s->logs);
}

static int64_t pace(int64_t wait)
{
    return wait > LEAST ? wait : LEAST;
}

static void enter(struct steady *s, struct turn *turn, int64_t wait)
{
    if (TAILQ_EMPTY(&s->logs)) {
        s->due_ns = clock_monotonic() + pace(wait);
    }
    TAILQ_INSERT_TAIL(&s->logs, turn, steady_link);
    turn->steady = true;
    turn->missed = 0;
}

/* Was something new so often that most reads at the pace will find something? Below that, empty reads cost more than
 * events. */
static bool is_often(struct turn *turn, int64_t wait)
{
    int64_t now = turn->found == 0 || turn->found == OFTEN ? clock_monotonic() : 0;
    if (turn->found == 0) {
        turn->found_ns = now;
    }
    bool enough = turn->found++ == OFTEN;
    if (enough) {
        turn->found = 0; /* where it is not so, or cannot be, that is asked again later */
    }
    return enough && now - turn->found_ns < OFTEN * pace(wait) / 2 * 3;
}

bool steady_note(struct steady *s, struct turn *turn, bool found, int64_t wait)
{
    if (turn->steady) {
        turn->missed = found ? 0 : turn->missed + 1;
        return turn->missed < REST || !steady_end(s, turn);
    }
    if (!found) {
        turn->found = 0;
    } else if (is_often(turn, wait) && follow_set_untold(turn->follow, true)) {
        enter(s, turn, wait);
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
    bool due = !TAILQ_EMPTY(&s->logs) && steady_left(s) <= pace(wait) / 4;
    if (due) {
        s->due_ns = clock_monotonic() + pace(wait);
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
