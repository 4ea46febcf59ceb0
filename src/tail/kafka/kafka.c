#include "kafka.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/worker.h"
#include "client.h"
#include "kafka/advice.h"
#include "look.h"
#include "order.h"
#include "reading.h"
#include "tail/say.h"

#define TICK_MS   50
#define LOOK_NS   (3 * NS_PER_S)    /* between looks for topics that are new */
#define LOST_NS   (5 * NS_PER_S)    /* a broker that says nothing for so long is not waited for */
#define SPREAD_NS (300 * NS_PER_MS) /* between a line and its commit, beside kafka.commit_age */
#define LINES     100               /* of each topic, where nothing says with what to begin */

struct kafka {
    struct reading reading;
    struct worker *worker;
    struct look_topics look_topics;
    struct look_offsets look_offsets;
    struct nudge nudge;
    struct event *ready, *tick;
    rd_kafka_queue_t *errors;
    struct order order;
    int64_t looked_ns; /* monotonic */
    bool looking, opening, nudging;
    bool reads;       /* the client is the one that reads partitions */
    bool listed;      /* the first look is over */
    bool broker_said; /* that none answers */
    bool over;        /* nothing more will come */
    bool read_past;   /* what is of before the beginning is read */
    size_t left_out;  /* partitions */
};

static const struct tail_env *env_of(const struct kafka *k)
{
    return k->reading.env;
}

static void fail(struct kafka *k, struct error *err)
{
    env_of(k)->cannot_begin(env_of(k)->arg, err);
}

/* Something of what was read has come to an end. */
static void on_ended(void *arg)
{
    struct kafka *k = arg;
    const struct tail_env *env = env_of(k);
    if (k->over || k->opening || reading_has_past(&k->reading)) {
        return;
    }
    bool refused = reading_refused(&k->reading) && !k->reading.any,
         left_out = k->left_out && reading_empty(&k->reading);
    if (!k->read_past && !refused) {
        k->read_past = true;
        env->read_past(env->arg);
    }
    k->over = refused || (!env->follow && (left_out || !reading_open(&k->reading)));
    if (refused) {
        env->fail(env->arg, &(struct error){.text = "none of the topics may be read"});
    } else if (k->over && left_out) {
        env->fail(env->arg, &(struct error){.text = "none of the partitions can be read"});
    } else if (k->over) {
        env->finish(env->arg);
    }
}

/* -- looking ----------------------------------------------------------------------------------- */

static void look(struct kafka *k)
{
    k->looking = true;
    k->looked_ns = clock_monotonic();
    k->look_topics.first = !k->listed;
    worker_post(k->worker, &k->look_topics.job);
}

static void hear_errors(struct kafka *k)
{
    if (!k->errors) {
        uint64_t one = 1;
        k->errors = rd_kafka_queue_get_main(k->reading.rk);
        rd_kafka_queue_io_event_enable(k->errors, k->reading.wake_fd, &one, sizeof(one));
    }
}

static void end_look(struct kafka *k)
{
    k->looking = false;
    if (!k->listed) {
        k->listed = true;
        hear_errors(k);
        env_of(k)->listed(env_of(k)->arg);
        on_ended(k);
    }
}

static void say_unreached(struct kafka *k, const char *said)
{
    struct error err;
    const char *after =
        strstr(said, " (after "); /* so many ms in some state, which is librdkafka's own matter */
    int len = (int)(after ? (size_t)(after - said) : strlen(said));
    error_set(&err, "no broker of kafka.brokers (%.200s) answers: %.*s; %s", env_of(k)->cfg->kafka_brokers,
              len < 180 ? len : 180, said, kafka_advice(rd_kafka_conf(k->reading.rk), said));
    if (!k->listed) {
        fail(k, &err);
    } else if (!k->broker_said) {
        k->broker_said = true;
        tail_say(err.text);
    }
}

static void say_none(struct kafka *k)
{
    struct error err;
    char quoted[ERROR_QUOTE_MAX];
    error_set(&err, "no topic is there, or may be seen, that kafka.topic (%s) makes%s",
              error_quote(env_of(k)->cfg->kafka_topic, quoted),
              env_of(k)->follow ? " yet: waiting for one"
                                : "; give the collectors' configuration with -c, or grant Read and Describe");
    if (env_of(k)->follow) {
        tail_say(err.text);
    } else {
        fail(k, &err);
    }
}

/* Asks for the offsets of partitions that are new; false: there are none. */
static bool ask_for_offsets(struct kafka *k, rd_kafka_topic_partition_list_t *found)
{
    for (int i = found->cnt - 1; i >= 0; i--) {
        if (reading_knows(&k->reading, found->elems[i].topic, found->elems[i].partition)) {
            rd_kafka_topic_partition_list_del_by_idx(found, i);
        }
    }
    if (found->cnt == 0) {
        return false;
    }
    k->look_offsets.of = rd_kafka_topic_partition_list_copy(found);
    worker_post(k->worker, &k->look_offsets.job);
    return true;
}

static void on_topics(struct job *job)
{
    struct look_topics *l = (struct look_topics *)job;
    struct kafka *k = l->kafka;
    if (!l->found) {
        say_unreached(k, l->err.text);
        k->looking = false;
        return;
    }
    if (k->broker_said) {
        k->broker_said = false;
        tail_say("Kafka answers again");
    }
    bool none = l->found->cnt == 0, asks = ask_for_offsets(k, l->found);
    rd_kafka_topic_partition_list_destroy(l->found);
    if (none && !k->listed) {
        say_none(k);
    }
    if (!asks) {
        reading_try_refused(&k->reading);
        end_look(k);
    }
}

/* The last lines that are wanted of each topic; -1: all. */
static int64_t last_lines(const struct kafka *k)
{
    const struct tail_options *o = env_of(k)->options;
    bool chosen = o->lines_given || o->since_ns || o->until_ns;
    return chosen ? o->lines : LINES;
}

static void open_partition(struct kafka *k, const struct look_offsets *l, int i)
{
    const rd_kafka_topic_partition_t *end = &l->end->elems[i];
    int64_t begin = l->begin->elems[i].offset, since = l->since->elems[i].offset;
    struct error err;
    struct topic *t = reading_topic(&k->reading, end->topic, &err);
    if (!t) {
        tail_say(err.text);
        return;
    }
    since = since < 0 ? end->offset : since; /* none is as new as that */
    partition_open(&k->reading, t, end->partition, since > begin ? since : begin, end->offset,
                   k->listed ? -1 : last_lines(k));
}

static void say_left_out(struct kafka *k, const rd_kafka_topic_partition_t *of, rd_kafka_resp_err_t code)
{
    struct error err;
    k->left_out++;
    if (!k->listed) {
        error_set(&err, "partition %" PRId32 " of topic %s cannot be read%s: %s", of->partition, of->topic,
                  env_of(k)->follow ? " yet" : "", rd_kafka_err2str(code));
        tail_say(err.text);
    }
}

/* The client that asked first knew not how many partitions there are, which share what may be fetched ahead. */
static int make_reader(struct kafka *k, size_t partitions)
{
    struct error err;
    rd_kafka_t *rk = client_new(env_of(k)->cfg, partitions, &err);
    if (!rk) {
        fail(k, &err);
        return -1;
    }
    if (k->errors) {
        rd_kafka_queue_destroy(k->errors);
        k->errors = NULL;
    }
    k->look_topics.retired = k->reading.rk;
    k->reading.rk = k->look_topics.rk = k->look_offsets.rk = rk;
    k->nudge.rk = rk;
    k->reading.ahead = client_ahead(partitions);
    k->reads = true;
    hear_errors(k);
    return 0;
}

static void on_offsets(struct job *job)
{
    struct look_offsets *l = (struct look_offsets *)job;
    struct kafka *k = l->kafka;
    if (!l->since) {
        say_unreached(k, l->err.text);
        k->looking = false;
        return;
    }
    if (!k->reads && make_reader(k, (size_t)l->end->cnt) < 0) {
        return;
    }
    k->opening = true;
    for (int i = 0; i < l->end->cnt; i++) {
        rd_kafka_resp_err_t code = l->end->elems[i].err ? l->end->elems[i].err : l->begin->elems[i].err;
        if (code) {
            say_left_out(k, &l->end->elems[i], code);
        } else {
            open_partition(k, l, i);
        }
    }
    reading_settle(&k->reading);
    reading_try_refused(&k->reading);
    k->opening = false;
    look_offsets_free(l);
    end_look(k);
}

/* -- the loop ---------------------------------------------------------------------------------- */

static void take_errors(struct kafka *k)
{
    for (rd_kafka_event_t *event; (event = rd_kafka_queue_poll(k->errors, 0));
         rd_kafka_event_destroy(event)) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
            rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            say_unreached(k, rd_kafka_event_error_string(event));
        }
    }
}

/* Lets go what may be shown now. */
static void show(struct kafka *k)
{
    const struct tail_env *env = env_of(k);
    int64_t until_ns = INT64_MAX;
    if (env->follow && !k->reading.full) { /* what waits for earlier lines takes no more than its room */
        until_ns = order_until(&k->order, clock_now(), &k->reading.seen);
    }
    k->reading.full = false;
    bool full = tail_feeds_full(env->feeds, INT64_MAX);
    struct reading_times past = reading_times(&k->reading, full ? 0 : ORDER_WAIT_FIRST);
    tail_feeds_until(env->feeds, past.until_ns < until_ns ? past.until_ns : until_ns, past.wanted_ns);
}

static void on_nudged(struct job *job)
{
    struct nudge *n = (struct nudge *)job;
    rd_kafka_topic_partition_list_destroy(n->of);
    n->of = NULL;
    n->kafka->nudging = false;
}

static void nudge(struct kafka *k)
{
    rd_kafka_topic_partition_list_t *list = reading_hungry(&k->reading);
    if (list) {
        k->nudging = true;
        k->nudge.of = list;
        worker_post(k->worker, &k->nudge.job);
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct kafka *k = arg;
    uint64_t count = 0;
    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        return;
    }
    k->reading.now_ns = clock_now();
    k->reading.got_on = false;
    bool more = reading_go_on(&k->reading);
    if (k->errors) {
        take_errors(k);
    }
    if (!k->nudging) {
        nudge(k);
    }
    show(k);
    more |= k->reading.got_on && reading_waits(&k->reading); /* for what was put just now, maybe */
    count = 1;
    if (more && write(fd, &count, sizeof(count)) < 0) {
        return; /* the counter is full: it will be called again */
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka *k = arg;
    const struct tail_env *env = env_of(k);
    int64_t now_ns = clock_now(), monotonic_ns = clock_monotonic();
    reading_give_up_waiting(&k->reading, monotonic_ns - LOST_NS);
    show(k);
    if (reading_waits(&k->reading)) {
        reading_make_room(&k->reading);
        event_active(k->ready, EV_TIMEOUT, 0);
    }
    if (!env->follow) {
        return;
    }
    if (env->options->until_ns && now_ns > env->options->until_ns + ORDER_WAIT_MAX) {
        env->finish(env->arg);
    } else if (!k->looking && monotonic_ns - k->looked_ns > LOOK_NS) {
        look(k);
    }
}

/* -- the contract ------------------------------------------------------------------------------ */

static void kafka_close(void *source)
{
    struct kafka *k = source;
    if (k->worker) {
        worker_free(k->worker);
    }
    reading_free(&k->reading);
    if (k->errors) {
        rd_kafka_queue_destroy(k->errors);
    }
    if (k->nudge.of) {
        rd_kafka_topic_partition_list_destroy(k->nudge.of);
    }
    look_offsets_free(&k->look_offsets);
    look_topics_free(&k->look_topics);
    if (k->reading.rk) {
        rd_kafka_destroy(k->reading.rk);
    }
    if (k->ready) {
        event_free(k->ready);
    }
    if (k->tick) {
        event_free(k->tick);
    }
    if (k->reading.wake_fd >= 0) {
        close(k->reading.wake_fd);
    }
    writers_free(k->reading.writers);
    buf_free(&k->reading.text);
    free(k);
}

static int prepare(struct kafka *k, struct error *err)
{
    const struct tail_env *env = env_of(k);
    struct reading *r = &k->reading;
    if (!*env->cfg->kafka_brokers) {
        return error_set(err, "kafka.brokers is not set: give the collectors' configuration with -c, or "
                              "SIDETAIL_KAFKA_BROKERS in the environment");
    }
    r->rk = client_new(env->cfg, 1, err);
    if (!r->rk) {
        return -1;
    }
    r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    k->worker = worker_new(env->base);
    k->ready = r->wake_fd < 0 ? NULL : event_new(env->base, r->wake_fd, EV_READ | EV_PERSIST, on_ready, k);
    k->tick = event_new(env->base, -1, EV_PERSIST, on_tick, k);
    r->writers = writers_new(env);
    if (!k->worker || !k->ready || !k->tick || event_add(k->ready, NULL) < 0 ||
        event_add(k->tick, &(struct timeval){.tv_usec = TICK_MS * 1000}) < 0) {
        return error_set(err, "cannot set up the event loop: %s", strerror(errno));
    }
    return 0;
}

static void *kafka_open(const struct tail_env *env, struct error *err)
{
    struct kafka *k = calloc(1, sizeof(*k));
    if (!k) {
        error_set(err, "out of memory");
        return NULL;
    }
    k->reading = (struct reading){.env = env, .wake_fd = -1, .ended = on_ended, .arg = k};
    if (prepare(k, err) < 0) {
        kafka_close(k);
        return NULL;
    }
    bool commits = env->cfg->kafka_delivery == KAFKA_EXACTLY_ONCE;
    k->order.least_ns = (commits ? env->cfg->kafka_commit_age : 0) + SPREAD_NS;
    k->look_topics = (struct look_topics){.job = {look_for_topics, on_topics, NULL},
                                          .kafka = k,
                                          .worker = k->worker,
                                          .rk = k->reading.rk,
                                          .cfg = env->cfg,
                                          .options = env->options};
    k->look_offsets = (struct look_offsets){.job = {look_for_offsets, on_offsets, NULL},
                                            .kafka = k,
                                            .worker = k->worker,
                                            .rk = k->reading.rk,
                                            .since_ms = env->options->since_ns / NS_PER_MS};
    k->nudge = (struct nudge){.job = {nudge_brokers, on_nudged, NULL}, .kafka = k};
    look(k);
    return k;
}

const struct tail_source tail_kafka = {kafka_open, kafka_close};
