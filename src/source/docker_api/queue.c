#include "queue.h"

void queue_init(struct open_queue *q, int64_t limit, unsigned holds, void (*open)(void *owner))
{
    *q = (struct open_queue){.open = open, .limit = limit, .holds = holds};
    TAILQ_INIT(&q->places);
}

bool queue_add(struct open_queue *q, struct queue_place *place)
{
    if (place->waiting || queue_held(q, HOLD_STOPPED)) {
        return false;
    }
    place->waiting = true;
    TAILQ_INSERT_TAIL(&q->places, place, link);
    return true;
}

void queue_remove(struct open_queue *q, struct queue_place *place)
{
    if (place->waiting) {
        place->waiting = false;
        TAILQ_REMOVE(&q->places, place, link);
    }
}

void queue_settled(struct open_queue *q)
{
    q->opening--;
}

void queue_hold(struct open_queue *q, enum queue_hold why)
{
    q->holds |= (unsigned)why;
}

void queue_release(struct open_queue *q, enum queue_hold why)
{
    q->holds &= ~(unsigned)why;
}

bool queue_held(const struct open_queue *q, enum queue_hold why)
{
    return (q->holds & (unsigned)why) != 0;
}

void queue_open_next(struct open_queue *q)
{
    struct queue_place *first;
    while (!q->holds && q->opening < q->limit && (first = TAILQ_FIRST(&q->places))) {
        queue_remove(q, first);
        q->opening++;
        q->open(first->owner);
    }
}
