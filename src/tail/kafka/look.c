#include "look.h"

#include <stdlib.h>

#include "base/clock.h"
#include "topics.h"

/* How long to ask in all, and in each try: that is how long Ctrl-C may have to wait where no broker answers. */
#define ASK_MS       10000
#define TRY_FIRST_MS 250
#define TRY_MAX_MS   1000

/* What a broker says that cannot be logged in to is soon said. */
#define HOPE_MS 1000

/* The time of the next try; 0: no more of them. */
static int next_try(struct worker *w, int64_t began_ns, int last_ms)
{
    bool over = worker_ending(w) || clock_monotonic() - began_ns > ASK_MS * NS_PER_MS;
    int next_ms = last_ms ? 2 * last_ms : TRY_FIRST_MS;
    return over ? 0 : next_ms < TRY_MAX_MS ? next_ms : TRY_MAX_MS;
}

/* What is left of a try's time. */
static void wait_for_next(struct worker *w, int64_t try_ns, int ms)
{
    int64_t took_ms = (clock_monotonic() - try_ns) / NS_PER_MS;
    if (took_ms < ms) {
        worker_wait(w, (int)(ms - took_ms));
    }
}

void look_drop(rd_kafka_topic_partition_list_t **list)
{
    if (*list) {
        rd_kafka_topic_partition_list_destroy(*list);
    }
    *list = NULL;
}

/* -- topics ------------------------------------------------------------------------------------ */

/* Keeps what was last told of a broker. */
static void take_errors(rd_kafka_t *rk, struct error *told)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(rk);
    for (rd_kafka_event_t *event; (event = rd_kafka_queue_poll(queue, 0)); rd_kafka_event_destroy(event)) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
            rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            error_set(told, "%s", rd_kafka_event_error_string(event));
        }
    }
    rd_kafka_queue_destroy(queue);
}

/* Asks until there is an answer, or no hope of one. */
static rd_kafka_resp_err_t ask(struct look_topics *l, const rd_kafka_metadata_t **metadata)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    struct error told = {0};
    int64_t began_ns = clock_monotonic();
    for (int ms = 0; code && (ms = next_try(l->worker, began_ns, ms)) > 0;) {
        int64_t try_ns = clock_monotonic();
        code = rd_kafka_metadata(l->rk, 1, NULL, metadata, ms);
        if (l->first) {
            take_errors(l->rk, &told);
        }
        bool hopeless = *told.text && clock_monotonic() - began_ns > HOPE_MS * NS_PER_MS;
        if (hopeless || code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE || !code) {
            break;
        }
        wait_for_next(l->worker, try_ns, ms); /* who says no at once would be asked without end */
    }
    if (code) {
        error_set(&l->err, "%s", *told.text ? told.text : rd_kafka_err2str(code));
    }
    return code;
}

static int choose(struct look_topics *l, const rd_kafka_metadata_t *metadata)
{
    size_t count = (size_t)metadata->topic_cnt;
    const char **names = calloc(count + 1, sizeof(*names));
    bool *wanted = calloc(count + 1, sizeof(*wanted));
    if (names && wanted) {
        l->found = rd_kafka_topic_partition_list_new(0);
        for (size_t i = 0; i < count; i++) {
            names[i] = metadata->topics[i].topic;
        }
        topics_choose(l->cfg, l->options, names, count, wanted);
    }
    for (size_t i = 0; l->found && i < count; i++) {
        for (int p = 0; wanted[i] && p < metadata->topics[i].partition_cnt; p++) {
            rd_kafka_topic_partition_list_add(l->found, names[i], metadata->topics[i].partitions[p].id);
        }
    }
    free(names);
    free(wanted);
    return l->found ? 0 : error_set(&l->err, "out of memory");
}

static void end_retired(struct look_topics *l)
{
    if (l->retired) {
        rd_kafka_destroy(l->retired);
    }
    l->retired = NULL;
}

void look_topics_free(struct look_topics *l)
{
    end_retired(l);
    look_drop(&l->found);
}

void look_for_topics(struct job *job)
{
    struct look_topics *l = (struct look_topics *)job;
    const rd_kafka_metadata_t *metadata;
    end_retired(l);
    l->found = NULL;
    if (ask(l, &metadata) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        choose(l, metadata);
        rd_kafka_metadata_destroy(metadata);
    }
}

/* -- offsets ----------------------------------------------------------------------------------- */

/* The offsets of that time; of ListOffsets' own -2 and -1, those of the beginning and the end. One request
 * for each broker. */
static rd_kafka_topic_partition_list_t *offsets_of(struct look_offsets *l, int64_t time)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(l->of);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int64_t began_ns = clock_monotonic();
    for (int ms = 0; code == RD_KAFKA_RESP_ERR__TIMED_OUT && (ms = next_try(l->worker, began_ns, ms)) > 0;) {
        for (int i = 0; i < list->cnt; i++) {
            list->elems[i].offset = time;
        }
        code = rd_kafka_offsets_for_times(l->rk, list, ms);
    }
    if (code) {
        error_set(&l->err, "%s", rd_kafka_err2str(code));
        rd_kafka_topic_partition_list_destroy(list);
        return NULL;
    }
    return list;
}

void look_for_offsets(struct job *job)
{
    struct look_offsets *l = (struct look_offsets *)job;
    l->since = l->begin = NULL;
    l->end = offsets_of(l, RD_KAFKA_OFFSET_END);
    if (l->end && (l->begin = offsets_of(l, RD_KAFKA_OFFSET_BEGINNING))) {
        l->since = l->since_ms ? offsets_of(l, l->since_ms) : rd_kafka_topic_partition_list_copy(l->begin);
    }
    if (!l->since) {
        look_offsets_free(l);
    }
}

void look_offsets_free(struct look_offsets *l)
{
    look_drop(&l->of);
    look_drop(&l->begin);
    look_drop(&l->end);
    look_drop(&l->since);
}

/* -- nudges ------------------------------------------------------------------------------------ */

void nudge_brokers(struct job *job)
{
    struct nudge *n = (struct nudge *)job;
    for (int i = 0; i < n->of->cnt; i++) {
        n->of->elems[i].offset = RD_KAFKA_OFFSET_END;
    }
    rd_kafka_offsets_for_times(n->rk, n->of, TRY_FIRST_MS);
}
