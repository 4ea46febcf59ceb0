#include "queue.h"

void log_queue_init(struct log_queue *q, int64_t limit, void (*open)(void *owner))
{
    *q = (struct log_queue){.open = open, .limit = limit};
    TAILQ_INIT(&q->places);
}

void log_queue_join(struct log_queue *q, struct log_place *place, void *owner)
{
    *place = (struct log_place){.owner = owner, .past = true};
    q->past++;
}

static void leave_places(struct log_queue *q, struct log_place *place)
{
    if (place->waiting) {
        place->waiting = false;
        TAILQ_REMOVE(&q->places, place, link);
    }
}

void log_queue_leave(struct log_queue *q, struct log_place *place)
{
    leave_places(q, place);
    log_queue_settled(q, place);
    q->past -= place->past;
    place->past = false;
}

void log_queue_add(struct log_queue *q, struct log_place *place)
{
    if (place->waiting) {
        return;
    }
    place->waiting = true;
    if (place->past) {
        TAILQ_INSERT_HEAD(&q->places, place, link);
    } else {
        TAILQ_INSERT_TAIL(&q->places, place, link);
    }
}

void log_queue_asked(struct log_queue *q, struct log_place *place)
{
    place->opening = true;
    q->opening++;
}

void log_queue_settled(struct log_queue *q, struct log_place *place)
{
    q->opening -= place->opening;
    place->opening = false;
}

void log_queue_past_read(struct log_queue *q, struct log_place *place)
{
    q->past--;
    place->past = false;
}

void log_queue_open_next(struct log_queue *q)
{
    struct log_place *first;
    while (q->opening < q->limit && (first = TAILQ_FIRST(&q->places))) {
        if (!first->past && q->past > 0) {
            return; /* its lines come after all of the past, which must not wait for the Engine's sake */
        }
        leave_places(q, first);
        q->open(first->owner);
    }
}
