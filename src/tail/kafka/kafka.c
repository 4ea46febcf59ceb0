#include "kafka.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/worker.h"
#include "client.h"
#include "looking.h"
#include "order.h"

#define TICK_MS   50
#define LOST_NS   (5 * NS_PER_S)    /* a broker that says nothing for so long is not waited for */
#define SPREAD_NS (300 * NS_PER_MS) /* between a line and its commit, beside kafka.commit_age */

struct kafka {
    struct reading reading;
    struct worker *worker;
    struct brokers brokers;
    struct looking looking;
    struct nudge nudge;
    struct event *ready, *tick;
    struct order order;
    bool nudging;
    bool over;      /* nothing more will come */
    bool read_past; /* what is of before the beginning is read */
};

static const struct tail_env *env_of(const struct kafka *k)
{
    return k->reading.env;
}

/* Something of what was read has come to an end. */
static void on_ended(void *arg)
{
    struct kafka *k = arg;
    const struct tail_env *env = env_of(k);
    if (k->over || !k->looking.listed || k->looking.opening || reading_has_past(&k->reading)) {
        return;
    }
    bool refused = reading_refused(&k->reading) && !k->reading.any,
         left_out = k->looking.left_out > 0 && reading_empty(&k->reading);
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

/* -- the loop ---------------------------------------------------------------------------------- */

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
    ((struct kafka *)n->owner)->nudging = false;
}

static void nudge(struct kafka *k)
{
    rd_kafka_topic_partition_list_t *list = reading_hungry(&k->reading);
    if (list) {
        k->nudging = true;
        k->nudge.of = list;
        k->nudge.rk = k->reading.rk;
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
    brokers_take_errors(&k->brokers, env_of(k)->cfg, k->reading.rk);
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

/* --until is past, and what it wants is read: lines may be late. */
static bool is_at_until(const struct kafka *k)
{
    int64_t until_ns = env_of(k)->options->until_ns;
    return until_ns && clock_now() > until_ns + ORDER_WAIT_MAX && k->looking.listed &&
           reading_has_read(&k->reading, until_ns + ORDER_WAIT_MAX, clock_monotonic() - LOST_NS);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka *k = arg;
    const struct tail_env *env = env_of(k);
    reading_give_up_waiting(&k->reading, clock_monotonic() - LOST_NS);
    show(k);
    if (reading_waits(&k->reading)) {
        reading_make_room(&k->reading);
        event_active(k->ready, EV_TIMEOUT, 0);
    }
    if (!env->follow) {
        return;
    }
    if (is_at_until(k)) {
        env->finish(env->arg);
    } else {
        looking_go_on(&k->looking);
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
    brokers_free(&k->brokers);
    if (k->nudge.of) {
        rd_kafka_topic_partition_list_destroy(k->nudge.of);
    }
    looking_free(&k->looking);
    if (k->reading.rk) {
        rd_kafka_destroy(k->reading.rk);
    }
    loop_free_event(k->ready);
    loop_free_event(k->tick);
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
    k->nudge = (struct nudge){.job = {nudge_brokers, on_nudged, NULL}, .owner = k};
    looking_begin(&k->looking, &k->reading, k->worker, &k->brokers);
    return k;
}

const struct tail_source tail_kafka = {kafka_open, kafka_close};
