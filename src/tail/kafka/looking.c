#include "looking.h"

#include <inttypes.h>

#include "base/clock.h"
#include "client.h"
#include "tail/say.h"

#define LOOK_NS (3 * NS_PER_S) /* between looks for topics that are new */
#define LINES   100            /* of each topic, where nothing says with what to begin */

static const struct tail_env *env_of(const struct looking *l)
{
    return l->reading->env;
}

static void fail(struct looking *l, struct error *err)
{
    env_of(l)->cannot_begin(env_of(l)->arg, err);
}

static void look(struct looking *l)
{
    l->busy = true;
    l->at_ns = clock_monotonic();
    l->topics.first = !l->listed;
    worker_post(l->worker, &l->topics.job);
}

static void end_look(struct looking *l)
{
    l->busy = false;
    if (!l->listed) {
        l->listed = true;
        if (!l->brokers->errors) {
            brokers_listen(l->brokers, l->reading->rk, l->reading->wake_fd);
        }
        env_of(l)->listed(env_of(l)->arg);
        l->reading->ended(l->reading->arg);
    }
}

static void say_unreached(struct looking *l, const char *said)
{
    struct error err;
    if (l->listed) {
        brokers_say(l->brokers, env_of(l)->cfg, l->reading->rk, said);
    } else {
        brokers_fault(env_of(l)->cfg, l->reading->rk, said, &err);
        fail(l, &err);
    }
}

static void say_none(struct looking *l)
{
    struct error err;
    char quoted[ERROR_QUOTE_MAX];
    error_set(&err, "no topic is there, or may be seen, that kafka.topic (%s) makes%s",
              error_quote(env_of(l)->cfg->kafka_topic, quoted),
              env_of(l)->follow ? " yet: waiting for one"
                                : "; give the collectors' configuration with -c, or grant Read and Describe");
    if (env_of(l)->follow) {
        tail_say(err.text);
    } else {
        fail(l, &err);
    }
}

/* Asks for the offsets of partitions that are new; false: there are none. */
static bool ask_for_offsets(struct looking *l, rd_kafka_topic_partition_list_t *found)
{
    for (int i = found->cnt - 1; i >= 0; i--) {
        if (reading_knows(l->reading, found->elems[i].topic, found->elems[i].partition)) {
            rd_kafka_topic_partition_list_del_by_idx(found, i);
        }
    }
    if (found->cnt == 0) {
        return false;
    }
    l->offsets.of = rd_kafka_topic_partition_list_copy(found);
    worker_post(l->worker, &l->offsets.job);
    return true;
}

static void on_topics(struct job *job)
{
    struct look_topics *topics = (struct look_topics *)job;
    struct looking *l = topics->owner;
    if (!topics->found) {
        say_unreached(l, topics->err.text);
        l->busy = false;
        return;
    }
    brokers_answer(l->brokers);
    bool none = topics->found->cnt == 0, asks = ask_for_offsets(l, topics->found);
    look_drop(&topics->found);
    if (none && !l->listed) {
        say_none(l);
        if (!env_of(l)->follow) {
            return;
        }
    }
    if (!asks) {
        reading_try_refused(l->reading);
        end_look(l);
    }
}

/* The last lines that are wanted of each topic; -1: all. */
static int64_t last_lines(const struct looking *l)
{
    const struct tail_options *o = env_of(l)->options;
    bool chosen = o->lines_given || o->since_ns || o->until_ns;
    return chosen ? o->lines : LINES;
}

static void open_partition(struct looking *l, const struct look_offsets *offsets, int i)
{
    const rd_kafka_topic_partition_t *end = &offsets->end->elems[i];
    int64_t begin = offsets->begin->elems[i].offset, since = offsets->since->elems[i].offset;
    struct error err;
    struct topic *t = reading_topic(l->reading, end->topic, &err);
    if (!t) {
        tail_say(err.text);
        return;
    }
    since = since < 0 ? end->offset : since; /* none is as new as that */
    partition_open(l->reading, t, end->partition, since > begin ? since : begin, end->offset,
                   l->listed ? -1 : last_lines(l));
}

/* Where one of the answers is missing, its offset means nothing. */
static rd_kafka_resp_err_t fault_of(const struct look_offsets *offsets, int i)
{
    rd_kafka_resp_err_t fault = offsets->end->elems[i].err;
    fault = fault ? fault : offsets->begin->elems[i].err;
    return fault ? fault : offsets->since->elems[i].err;
}

static void say_left_out(struct looking *l, const rd_kafka_topic_partition_t *of, rd_kafka_resp_err_t code)
{
    struct error err;
    l->left_out++;
    if (!l->listed) {
        error_set(&err, "partition %" PRId32 " of topic %s cannot be read%s: %s", of->partition, of->topic,
                  env_of(l)->follow ? " yet" : "", rd_kafka_err2str(code));
        tail_say(err.text);
    }
}

/* The client that asked first knew not how many partitions there are, which share what may be fetched ahead. */
static int make_reader(struct looking *l, size_t partitions)
{
    struct error err;
    rd_kafka_t *rk = client_new(env_of(l)->cfg, partitions, &err);
    if (!rk) {
        fail(l, &err);
        return -1;
    }
    l->topics.retired = l->reading->rk;
    l->reading->rk = l->topics.rk = l->offsets.rk = rk;
    l->reading->ahead = client_ahead(partitions);
    l->reads = true;
    brokers_listen(l->brokers, rk, l->reading->wake_fd);
    return 0;
}

static void on_offsets(struct job *job)
{
    struct look_offsets *offsets = (struct look_offsets *)job;
    struct looking *l = offsets->owner;
    if (!offsets->since) {
        say_unreached(l, offsets->err.text);
        l->busy = false;
        return;
    }
    if (!l->reads && make_reader(l, (size_t)offsets->end->cnt) < 0) {
        return;
    }
    l->opening = true;
    for (int i = 0; i < offsets->end->cnt; i++) {
        rd_kafka_resp_err_t code = fault_of(offsets, i);
        if (code) {
            say_left_out(l, &offsets->end->elems[i], code);
        } else {
            open_partition(l, offsets, i);
        }
    }
    reading_settle(l->reading);
    reading_try_refused(l->reading);
    l->opening = false;
    look_offsets_free(offsets);
    end_look(l);
}

/* -- the contract ------------------------------------------------------------------------------ */

void looking_begin(struct looking *l, struct reading *reading, struct worker *worker, struct brokers *brokers)
{
    const struct tail_env *env = reading->env;
    *l = (struct looking){.reading = reading, .worker = worker, .brokers = brokers};
    l->topics = (struct look_topics){.job = {look_for_topics, on_topics, NULL},
                                     .owner = l,
                                     .worker = worker,
                                     .rk = reading->rk,
                                     .cfg = env->cfg,
                                     .options = env->options};
    l->offsets = (struct look_offsets){.job = {look_for_offsets, on_offsets, NULL},
                                       .owner = l,
                                       .worker = worker,
                                       .rk = reading->rk,
                                       .since_ms = env->options->since_ns / NS_PER_MS};
    look(l);
}

void looking_go_on(struct looking *l)
{
    if (!l->busy && clock_monotonic() - l->at_ns > LOOK_NS) {
        look(l);
    }
}

void looking_free(struct looking *l)
{
    look_offsets_free(&l->offsets);
    look_topics_free(&l->topics);
}
