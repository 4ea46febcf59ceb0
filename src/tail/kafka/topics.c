#include "topics.h"

#include <fnmatch.h>
#include <string.h>

#include "kafka/topic_name.h"

static bool is_made_by(const char *template, const char *service, const char *topic)
{
    char glob[KAFKA_GLOB_MAX];
    kafka_topic_glob(template, service, glob);
    return fnmatch(glob, topic, 0) == 0;
}

/* Lines of any service may be in it. */
static bool is_shared(const struct config *cfg, const char *topic)
{
    bool found =
        strcmp(topic, cfg->kafka_overflow_topic) == 0 ||
        (cfg->kafka_oversize == KAFKA_DEAD_LETTER && strcmp(topic, cfg->kafka_dead_letter_topic) == 0);
    for (size_t i = 0; i < cfg->override_count && !found; i++) {
        found = cfg->overrides[i].topic && is_made_by(cfg->overrides[i].topic, NULL, topic);
    }
    return found;
}

/* Kafka's own, and the positions. */
static bool is_no_log(const struct config *cfg, const char *topic)
{
    return strncmp(topic, "__", 2) == 0 || strcmp(topic, cfg->kafka_positions_topic) == 0;
}

/* Is it a topic of a service of one of these names? */
static bool is_of_names(const struct config *cfg, const struct tail_texts *names, const char *topic)
{
    bool found = false;
    for (size_t i = 0; i < names->count && !found; i++) {
        found = is_made_by(cfg->kafka_topic, names->items[i], topic);
    }
    return found;
}

/* Has the service of that name a topic? Else it is a container's, and of which service is not known. */
static bool is_service(const struct config *cfg, const char *name, const char *const *topics, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        found = !is_no_log(cfg, topics[i]) && is_made_by(cfg->kafka_topic, name, topics[i]);
    }
    return found;
}

void topics_choose(const struct config *cfg, const struct tail_options *o, const char *const *topics,
                   size_t count, bool *wanted)
{
    bool any = o->names.count == 0;
    for (size_t i = 0; i < o->names.count && !any; i++) {
        any = !is_service(cfg, o->names.items[i], topics, count);
    }
    for (size_t i = 0; i < count; i++) {
        wanted[i] = !is_no_log(cfg, topics[i]) &&
                    (is_shared(cfg, topics[i]) || (any ? is_made_by(cfg->kafka_topic, NULL, topics[i])
                                                       : is_of_names(cfg, &o->names, topics[i])));
    }
}
