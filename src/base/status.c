#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

TAILQ_HEAD(entries, status_entry);

struct status_note {
    struct status_entry entry;
    struct status_left left;
    char texts[]; /* that it points to */
};

struct status status;

static struct entries logs = TAILQ_HEAD_INITIALIZER(logs);
static struct entries notes = TAILQ_HEAD_INITIALIZER(notes);
static int64_t asked_ns; /* monotonic; 0: never */

/* -- parts ------------------------------------------------------------------------------------- */

void status_fails(struct status_part *part, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(part->last.text, sizeof(part->last.text), format, args);
    va_end(args);
    part->failing = true;
    part->error_ns = clock_now();
}

void status_works(struct status_part *part)
{
    part->failing = false;
}

/* -- logs -------------------------------------------------------------------------------------- */

void status_enter(struct status_entry *entry)
{
    TAILQ_INSERT_TAIL(&logs, entry, link);
}

void status_leave(struct status_entry *entry)
{
    TAILQ_REMOVE(&logs, entry, link);
}

double status_rate(struct status_rate *rate, uint64_t lines)
{
    int64_t now = clock_monotonic(), span = now - rate->since_ns;
    if (span >= NS_PER_S) {
        rate->rate = (float)((double)((uint32_t)lines - rate->lines) * NS_PER_S / (double)span);
        rate->lines = (uint32_t)lines;
        rate->since_ns = now;
    }
    return rate->rate;
}

/* -- what is left out -------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_left(const struct status_left *a, const struct status_left *b)
{
    return a->problem == b->problem && same(a->reason, b->reason) && same(a->detail, b->detail) &&
           same(a->service, b->service) && same(a->container, b->container) && same(a->id, b->id) &&
           same(a->file, b->file);
}

static struct status_note *note_new(const struct status_left *left)
{
    struct status_left copy = *left;
    const char **texts[] = {&copy.service, &copy.container, &copy.id, &copy.file, &copy.detail};
    size_t count = sizeof(texts) / sizeof(texts[0]), size = 0;
    for (size_t i = 0; i < count; i++) {
        size += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    }
    struct status_note *note = malloc(sizeof(*note) + size);
    if (!note) {
        return NULL;
    }
    char *at = note->texts;
    for (size_t i = 0; i < count; i++) {
        if (*texts[i]) {
            char *text = at;
            at = stpcpy(at, *texts[i]) + 1;
            *texts[i] = text;
        }
    }
    note->left = copy;
    return note;
}

void status_note(struct status_note **note, const struct status_left *left)
{
    struct status_note *old = *note;
    if (old && left && same_left(&old->left, left)) {
        return;
    }
    *note = left ? note_new(left) : NULL; /* before the old one is freed, which it may have been taken from */
    if (*note) {
        (*note)->entry = (struct status_entry){.owner = *note};
        TAILQ_INSERT_TAIL(&notes, &(*note)->entry, link);
    }
    if (old) {
        TAILQ_REMOVE(&notes, &old->entry, link);
        free(old);
    }
}

/* -- asking ------------------------------------------------------------------------------------ */

double status_ask(void)
{
    static double over;
    int64_t now = clock_monotonic();
    if (asked_ns == 0 || now - asked_ns >= NS_PER_S) {
        over = asked_ns > 0 ? (double)(now - asked_ns) / NS_PER_S : 0;
        asked_ns = now;
    }
    return over;
}

static void begin(struct status_walk *walk, struct entries *list, bool through_notes)
{
    *walk = (struct status_walk){.notes = through_notes};
    TAILQ_INSERT_HEAD(list, &walk->here, link);
}

void status_walk_logs(struct status_walk *walk)
{
    begin(walk, &logs, false);
}

void status_walk_left(struct status_walk *walk)
{
    begin(walk, &notes, true);
}

/* Goes behind the next one that is no walk itself. */
static struct status_entry *step(struct status_walk *walk)
{
    struct entries *list = walk->notes ? &notes : &logs;
    struct status_entry *next = TAILQ_NEXT(&walk->here, link);
    while (next && !next->owner) {
        next = TAILQ_NEXT(next, link);
    }
    if (next) {
        TAILQ_REMOVE(list, &walk->here, link);
        TAILQ_INSERT_AFTER(list, next, &walk->here, link);
    }
    return next;
}

bool status_next_log(struct status_walk *walk, struct status_log *log)
{
    struct status_entry *next;
    do {
        *log = (struct status_log){0};
        next = step(walk);
    } while (next && !next->describe(next->owner, log));
    return next != NULL;
}

const struct status_left *status_next_left(struct status_walk *walk)
{
    struct status_entry *next = step(walk);
    return next ? &((const struct status_note *)next->owner)->left : NULL;
}

void status_walk_end(struct status_walk *walk)
{
    TAILQ_REMOVE(walk->notes ? &notes : &logs, &walk->here, link);
}
