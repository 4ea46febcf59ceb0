#include "reading.h"

#include <inttypes.h>

#include "tail/say.h"

#define EACH_TOPIC(r, t) LIST_FOREACH(t, &(r)->topics, link)
#define EACH(t, p)       LIST_FOREACH(p, &(t)->partitions, link)

static void forget(struct topic *t)
{
    LIST_REMOVE(t, link);
    topic_free(t);
}

void reading_free(struct reading *r)
{
    for (struct topic *t; (t = LIST_FIRST(&r->topics));) {
        forget(t);
    }
}

struct topic *reading_find(const struct reading *r, const char *name)
{
    struct topic *t;
    EACH_TOPIC(r, t)
    {
        if (strcmp(t->name, name) == 0) {
            return t;
        }
    }
    return NULL;
}

bool reading_knows(const struct reading *r, const char *topic, int32_t partition)
{
    const struct topic *t = reading_find(r, topic);
    const struct partition *p = t ? LIST_FIRST(&t->partitions) : NULL;
    while (p && p->id != partition) {
        p = LIST_NEXT(p, link);
    }
    return p;
}

struct topic *reading_topic(struct reading *r, const char *name, struct error *err)
{
    struct topic *t = reading_find(r, name);
    if (!t && (t = topic_new(r, name, err))) {
        LIST_INSERT_HEAD(&r->topics, t, link);
    }
    return t;
}

void reading_settle(struct reading *r)
{
    struct topic *t;
    EACH_TOPIC(r, t)
    {
        topic_settle(r, t);
    }
}

static void forget_gone(struct reading *r)
{
    for (struct topic *t = LIST_FIRST(&r->topics), *next; t; t = next) {
        next = LIST_NEXT(t, link);
        for (struct partition *p = LIST_FIRST(&t->partitions), *after; p; p = after) {
            after = LIST_NEXT(p, link);
            if (p->state == PARTITION_GONE && !p->kept) {
                partition_free(p);
            }
        }
        if (LIST_EMPTY(&t->partitions) && !t->past) {
            forget(t);
        }
    }
}

bool reading_go_on(struct reading *r)
{
    struct topic *t;
    struct partition *p;
    bool more = false;
    EACH_TOPIC(r, t)
    {
        topic_go_on(r, t);
        EACH(t, p)
        {
            more |= partition_read(r, p);
        }
    }
    forget_gone(r);
    return more;
}

/* Is a partition in a state up to that one, or is a topic's past not chosen yet? */
static bool any_up_to(const struct reading *r, enum partition_state state)
{
    const struct topic *t;
    const struct partition *p;
    EACH_TOPIC(r, t)
    {
        if (t->past) {
            return true;
        }
        EACH(t, p)
        {
            if (p->state <= state) {
                return true;
            }
        }
    }
    return false;
}

bool reading_open(const struct reading *r)
{
    return any_up_to(r, PARTITION_LIVE);
}

bool reading_has_past(const struct reading *r)
{
    return any_up_to(r, PARTITION_WAITS);
}

bool reading_has_read(const struct reading *r, int64_t until_ns, int64_t since_ns)
{
    const struct topic *t;
    const struct partition *p;
    EACH_TOPIC(r, t)
    {
        EACH(t, p)
        {
            if (!partition_has_read(p, until_ns, since_ns)) {
                return false;
            }
        }
    }
    return !reading_has_past(r);
}

bool reading_empty(const struct reading *r)
{
    return LIST_EMPTY(&r->topics);
}

void reading_try_refused(struct reading *r)
{
    struct topic *t;
    struct partition *p;
    EACH_TOPIC(r, t)
    {
        EACH(t, p)
        {
            partition_try_refused(r, p);
        }
    }
}

bool reading_refused(const struct reading *r)
{
    const struct topic *t;
    bool all = !LIST_EMPTY(&r->topics);
    EACH_TOPIC(r, t)
    {
        all = all && t->refused;
    }
    return all;
}

bool reading_waits(const struct reading *r)
{
    const struct topic *t;
    const struct partition *p;
    EACH_TOPIC(r, t)
    {
        EACH(t, p)
        {
            if (p->full) {
                return true;
            }
        }
    }
    return false;
}

void reading_make_room(struct reading *r)
{
    struct topic *t;
    struct partition *p;
    if (tail_feeds_open(r->env->feeds) < LANES_MANY) {
        return;
    }
    EACH_TOPIC(r, t)
    {
        EACH(t, p)
        {
            lanes_tidy(p->lanes);
        }
    }
}

struct reading_times reading_times(const struct reading *r, int64_t spread_ns)
{
    const struct topic *t;
    const struct partition *p;
    struct reading_times times = {INT64_MAX, INT64_MAX};
    int64_t least_ns = INT64_MAX;
    EACH_TOPIC(r, t)
    {
        EACH(t, p)
        {
            int64_t until_ns = partition_until(p, spread_ns), read_ns = partition_until(p, 0);
            times.until_ns = until_ns < times.until_ns ? until_ns : times.until_ns;
            times.wanted_ns = read_ns < least_ns          ? least_ns
                              : read_ns < times.wanted_ns ? read_ns
                                                          : times.wanted_ns;
            least_ns = read_ns < least_ns ? read_ns : least_ns;
        }
    }
    times.wanted_ns = times.wanted_ns == INT64_MAX ? INT64_MIN : times.wanted_ns; /* there is but one */
    return times;
}

rd_kafka_topic_partition_list_t *reading_hungry(struct reading *r)
{
    struct topic *t;
    struct partition *p;
    rd_kafka_topic_partition_list_t *list = NULL;
    EACH_TOPIC(r, t)
    {
        EACH(t, p)
        {
            if (partition_hungers(r, p)) {
                list = list ? list : rd_kafka_topic_partition_list_new(1);
                rd_kafka_topic_partition_list_add(list, t->name, p->id);
            }
        }
    }
    return list;
}

void reading_give_up_waiting(struct reading *r, int64_t since_ns)
{
    struct topic *t;
    struct partition *p;
    EACH_TOPIC(r, t)
    {
        EACH(t, p)
        {
            if (p->heard_ns < since_ns && !p->full && partition_give_up_waiting(r, p)) {
                struct error err;
                error_set(&err, "nothing comes of partition %" PRId32 " of topic %s: it is not waited for",
                          p->id, t->name);
                tail_say(err.text);
            }
        }
    }
}
