#include "discover/engine_container.h"

#include "base/clock.h"

/* The first lines of a run may be a little older than its noted start. */
#define START_SLACK_NS (1 * NS_PER_S)

bool engine_container_follow_repeats(const struct engine *e, const struct engine_container *c)
{
    return c->rotates && engine_api_minor(e) < 42;
}

bool engine_container_since_skips(const struct engine *e, const struct engine_container *c)
{
    return c->compressed && engine_api_minor(e) < 42;
}

int64_t engine_container_run_ns(const struct engine_container *c)
{
    if (c->finished_ns < c->started_ns) {
        return c->finished_ns; /* of the run before */
    }
    return c->started_ns > START_SLACK_NS ? c->started_ns - START_SLACK_NS : 0;
}

struct identity engine_container_identity(const struct engine_container *c)
{
    return (struct identity){.id = c->id, .name = c->name, .image = c->image, .labels = c->labels};
}
