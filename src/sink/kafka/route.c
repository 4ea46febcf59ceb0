#include "route.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* A route that no line took for so long is let go, once the last that did is acknowledged: containers come
 * and go, and with {container} in the template so do topics. */
#define IDLE_NS   (600 * NS_PER_S)
#define IDLE_TURN 16 /* routes let go at once */

/* librdkafka forgets no topic while its producer lives. After so many that were let go, the producer should
 * be replaced. */
#define STALE_MAX 256

/* Names of proven topics that were let go are kept, up to so many. */
#define PROVEN_MAX 4096

/* Bytes around a record that Kafka adds: of the batch's header (61), of the record (up to 36), and room for
 * the varints. */
#define FRAMING 256

struct proven_name {
    UT_hash_handle hh;
    char name[];
};

struct kafka_routes {
    const struct kafka_settings *settings;
    struct kafka_topic *topics;             /* by name */
    struct kafka_route *by_tags;            /* a hash too */
    TAILQ_HEAD(by_use, kafka_route) by_use; /* the same; the one used last comes last */
    uint64_t acked;                         /* seq of the last batch that was acknowledged */
    struct proven_name *proven;             /* the oldest first */
    unsigned stale;                         /* topics let go that the producer still knows */
    unsigned in_use;                        /* topics that routes lead to, but for the overflow topic */
    struct kafka_topic *overflow;           /* NULL: it was not needed */
    bool overflow_said;
};

struct kafka_routes *kafka_routes_new(const struct kafka_settings *s)
{
    struct kafka_routes *routes = calloc(1, sizeof(*routes));
    if (routes) {
        routes->settings = s;
        TAILQ_INIT(&routes->by_use);
    }
    return routes;
}

/* -- topics ------------------------------------------------------------------------------------ */

static void drop_handle(struct kafka_topic *topic)
{
    if (topic->handle) {
        rd_kafka_topic_destroy(topic->handle);
    }
    topic->handle = NULL;
    topic->ready = false;
}

void kafka_routes_detach(struct kafka_routes *routes)
{
    struct kafka_topic *topic, *next;
    HASH_ITER(hh, routes->topics, topic, next)
    {
        drop_handle(topic);
    }
    routes->stale = 0;
}

static void forget_proven(struct kafka_routes *routes, struct proven_name *proven)
{
    HASH_DEL(routes->proven, proven);
    free(proven);
}

/* Should lines go there again, a second proof would be wrong: it would end what this process has committed, where a broker
 * did not write that down (doubt.h). One whose name is forgotten is proven again all the same. */
static void remember_proven(struct kafka_routes *routes, const char *name)
{
    struct proven_name *proven = malloc(sizeof(*proven) + strlen(name) + 1);
    if (proven) {
        strcpy(proven->name, name);
        HASH_ADD_STR(routes->proven, name, proven);
    }
    if (HASH_COUNT(routes->proven) > PROVEN_MAX) {
        forget_proven(routes, routes->proven);
    }
}

static bool recall_proven(struct kafka_routes *routes, const char *name)
{
    struct proven_name *proven;
    HASH_FIND_STR(routes->proven, name, proven);
    if (proven) {
        forget_proven(routes, proven);
    }
    return proven != NULL;
}

static void free_topic(struct kafka_routes *routes, struct kafka_topic *topic)
{
    if (topic->proven) {
        remember_proven(routes, topic->name);
    }
    if (routes->topics) { /* always, for it is in there; but clang-tidy does not see that */
        HASH_DEL(routes->topics, topic);
    }
    routes->stale += topic->handle != NULL;
    drop_handle(topic);
    free(topic);
}

void kafka_routes_each_topic(struct kafka_routes *routes, void (*call)(void *arg, struct kafka_topic *topic),
                             void *arg)
{
    for (struct kafka_topic *topic = routes->topics; topic; topic = topic->hh.next) {
        call(arg, topic);
    }
}

bool kafka_routes_stale(const struct kafka_routes *routes)
{
    return routes->stale >= STALE_MAX;
}

struct kafka_topic *kafka_topic_known(struct kafka_routes *routes, const char *name)
{
    struct kafka_topic *topic;
    HASH_FIND_STR(routes->topics, name, topic);
    return topic;
}

static struct kafka_topic *find_topic(struct kafka_routes *routes, const char *name)
{
    struct kafka_topic *topic = kafka_topic_known(routes, name);
    if (!topic && (topic = calloc(1, sizeof(*topic)))) {
        snprintf(topic->name, sizeof(topic->name), "%s", name);
        topic->limit = routes->settings->message_max;
        topic->older_ms = topic->newer_ms = INT64_MAX;
        topic->proven = recall_proven(routes, name);
        HASH_ADD_STR(routes->topics, name, topic);
    }
    return topic;
}

struct kafka_topic *kafka_topic_find(struct kafka_routes *routes, const char *name)
{
    struct kafka_topic *topic = find_topic(routes, name);
    if (topic) {
        topic->kept = true;
    }
    return topic;
}

/* -- routes ------------------------------------------------------------------------------------ */

static void free_route(struct kafka_routes *routes, struct kafka_route *route)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        struct kafka_topic *topic = route->topics[s];
        if (topic && --topic->routes == 0) {
            routes->in_use -= !topic->overflow;
            if (!topic->kept) {
                free_topic(routes, topic);
            }
        }
        if (route->headers[s]) {
            rd_kafka_headers_destroy(route->headers[s]);
        }
    }
    tags_unref(route->tags);
    free(route);
}

static void forget(struct kafka_routes *routes, struct kafka_route *route)
{
    if (routes->by_tags) { /* see above */
        HASH_DEL(routes->by_tags, route);
    }
    TAILQ_REMOVE(&routes->by_use, route, by_use);
    free_route(routes, route);
}

static void let_go(struct kafka_routes *routes, int64_t now_ns)
{
    struct kafka_route *route;
    for (int i = 0; i < IDLE_TURN && (route = TAILQ_FIRST(&routes->by_use)); i++) {
        if (route->batch > routes->acked || now_ns - route->used_ns < IDLE_NS) {
            break;
        }
        forget(routes, route);
    }
}

void kafka_routes_acked(struct kafka_routes *routes, uint64_t seq, int64_t now_ns)
{
    routes->acked = seq;
    let_go(routes, now_ns);
}

void kafka_routes_free(struct kafka_routes *routes)
{
    if (!routes) {
        return;
    }
    while (!TAILQ_EMPTY(&routes->by_use)) {
        forget(routes, TAILQ_FIRST(&routes->by_use));
    }
    struct kafka_topic *topic, *next;
    HASH_ITER(hh, routes->topics, topic, next)
    {
        free_topic(routes, topic);
    }
    while (routes->proven) {
        forget_proven(routes, routes->proven);
    }
    free(routes);
}

static int add_header(struct kafka_route *route, enum stream stream, const char *name, const char *value)
{
    if (!value || !*value) {
        return 0;
    }
    route->overhead += strlen(name) + strlen(value) + 10;
    return rd_kafka_header_add(route->headers[stream], name, -1, value, -1) ? -1 : 0;
}

static int add_headers(struct kafka_route *route, enum stream stream)
{
    const struct tags *tags = route->tags;
    route->headers[stream] = rd_kafka_headers_new(4);
    return -(add_header(route, stream, "service", tags->service) < 0 ||
             add_header(route, stream, "stream", stream == STREAM_STDERR ? "stderr" : "stdout") < 0 ||
             add_header(route, stream, "container", tags->container ? tags->container : tags->id) < 0 ||
             add_header(route, stream, "host", tags->host) < 0);
}

/* Once; then again when there was room meanwhile. */
static void say_overflow(struct kafka_routes *routes, const char *name)
{
    if (!routes->overflow_said) {
        log_warn("there are more topics than kafka.topics_max, so the lines for others go to one topic",
                 KV("topic", name), KN("topics_max", routes->settings->topics_max),
                 KV("overflow_topic", routes->settings->overflow_topic));
    }
    routes->overflow_said = true;
}

/* The topic of that name, or where there are too many, the one for what is beyond. NULL: no memory. */
static struct kafka_topic *topic_for(struct kafka_routes *routes, const char *name)
{
    struct kafka_topic *topic = kafka_topic_known(routes, name);
    if (topic && topic->routes > 0) {
        return topic;
    }
    if (routes->in_use < routes->settings->topics_max) {
        routes->overflow_said = false;
        return find_topic(routes, name);
    }
    say_overflow(routes, name);
    topic = kafka_topic_find(routes, routes->settings->overflow_topic);
    if (topic && topic->routes == 0) { /* else a service has it for its own */
        topic->overflow = true;
        routes->overflow = topic;
    }
    return topic;
}

static struct kafka_route *make_route(struct kafka_routes *routes, struct tags *tags)
{
    char name[KAFKA_TOPIC_MAX + 1];
    struct kafka_route *route = calloc(1, sizeof(*route));
    if (!route) {
        return NULL;
    }
    route->tags = tags_ref(tags);
    route->overhead = FRAMING;
    const char *template = tags_chosen(tags)->topic;
    for (int s = 0; s < STREAM_COUNT; s++) {
        kafka_topic_name(template ? template : routes->settings->topic, tags, (enum stream)s, name);
        route->topics[s] = topic_for(routes, name);
        if (route->topics[s] && route->topics[s]->routes++ == 0) {
            routes->in_use += !route->topics[s]->overflow;
        }
        if (!route->topics[s] || add_headers(route, (enum stream)s) < 0) {
            free_route(routes, route);
            return NULL;
        }
    }
    HASH_ADD_PTR(routes->by_tags, tags, route);
    TAILQ_INSERT_TAIL(&routes->by_use, route, by_use);
    return route;
}

uint64_t kafka_routes_overflowed(struct kafka_routes *routes, const struct batch *batch)
{
    uint64_t lines = 0;
    for (uint32_t i = 0; routes->overflow && i < batch->nmarks; i++) {
        const struct mark *mark = &batch->marks[i];
        struct kafka_route *route;
        HASH_FIND_PTR(routes->by_tags, &mark->tags, route);
        for (int s = 0; route && s < STREAM_COUNT; s++) {
            lines += route->topics[s]->overflow ? mark->lines[s] : 0;
        }
    }
    return lines;
}

struct kafka_route *kafka_route_find(struct kafka_routes *routes, struct tags *tags, uint64_t seq,
                                     int64_t now_ns)
{
    struct kafka_route *route;
    HASH_FIND_PTR(routes->by_tags, &tags, route);
    if (!route) {
        let_go(routes, now_ns); /* more than are made, so that they do not pile up */
        if (!(route = make_route(routes, tags))) {
            return NULL;
        }
    } else if (route->used_ns != now_ns) {
        TAILQ_REMOVE(&routes->by_use, route, by_use);
        TAILQ_INSERT_TAIL(&routes->by_use, route, by_use);
    }
    route->used_ns = now_ns;
    route->batch = seq > route->batch ? seq : route->batch;
    return route;
}
