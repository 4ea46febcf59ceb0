#include "steady.h"

#include "base/clock.h"
#include "base/watch.h"

#define OFTEN 8 /* so many times in a row something was new, within the time of little more reads */
#define BUSY  (2 * NS_PER_S) /* within so long, so often, and it may well be told of by its file */
#define REST  4              /* so many times in a row nothing was */

void steady_init(struct steady *s)
{
    TAILQ_INIT(&s->logs);
}

static int64_t pace(int64_t wait)
{
    return wait > WATCH_PACE ? wait : WATCH_PACE; /* where reading does not wait, that of events */
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

/* Something was new. How long did it take to be so often? INT64_MAX: it was not yet. */
static int64_t time_taken(struct turn *turn)
{
    int64_t now = turn->found == 0 || turn->found == OFTEN ? clock_monotonic() : 0;
    if (turn->found == 0) {
        turn->found_ns = now;
    }
    bool often = turn->found++ == OFTEN;
    if (often) {
        turn->found = 0; /* asked again later */
    }
    return often ? now - turn->found_ns : INT64_MAX;
}

/* Where most reads at the pace will find something, they cost less than events; below that, those of the file itself do,
 * unless it is written to seldom. */
static void note_found(struct steady *s, struct turn *turn, int64_t wait)
{
    int64_t took = time_taken(turn);
    if (took < OFTEN * pace(wait) / 2 * 3 && follow_tell(turn->follow, UNTOLD)) {
        enter(s, turn, wait);
    } else if (took < BUSY) {
        follow_tell(turn->follow, TOLD_BY_FILE);
    }
}

bool steady_note(struct steady *s, struct turn *turn, bool found, int64_t wait)
{
    if (turn->steady) {
        turn->missed = found ? 0 : turn->missed + 1;
        return turn->missed < REST || !steady_end(s, turn);
    }
    if (found) {
        note_found(s, turn, wait);
    } else {
        turn->found = 0;
    }
    return true;
}

bool steady_end(struct steady *s, struct turn *turn)
{
    bool told = follow_tell(turn->follow, TOLD_BY_DIRECTORY);
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
