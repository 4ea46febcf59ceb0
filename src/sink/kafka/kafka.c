/* The Kafka sinks as the pipeline sees them, and what librdkafka tells. What is done when is in kafka_flow.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kafka_internal.h"

#define TURN_NS (2 * NS_PER_MS) /* how long events may hold the loop up at once */

/* -- what librdkafka says ---------------------------------------------------------------------- */

/* A topic that takes less than was thought, and may not be asked what it takes: half of it, next time. */
static void take_less(struct kafka *k, struct kafka_topic *topic)
{
    size_t sent = k->settings->batch_max;
    k->settings->batch_max = sent / 2 > 2 * KAFKA_PIECE_MIN ? sent / 2 : 2 * KAFKA_PIECE_MIN;
    if (topic) {
        topic->limit = (topic->limit < sent ? topic->limit : sent) / 2;
    }
}

/* What a topic refused once, it would refuse for ever. Several messages may fail for the one reason. */
static void learn(struct kafka *k, const rd_kafka_message_t *m)
{
    if (k->learned_in == k->number) {
        return;
    }
    struct kafka_topic *topic = kafka_topic_known(k->out.routes, rd_kafka_topic_name(m->rkt));
    if (m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        take_less(k, topic);
    } else if (m->err == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP && topic) {
        kafka_topic_take_less_time(topic);
    } else {
        return;
    }
    k->learned_in = k->number;
}

/* Takes deliveries up. False: one failed, and k->reason says why. */
static bool on_delivery(struct kafka *k, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *m;
    while ((m = rd_kafka_event_message_next(event))) {
        if (m->err) {
            learn(k, m);
            if (m->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE) { /* that follows from another's failure */
                error_set(&k->reason, "topic %s: %s", rd_kafka_topic_name(m->rkt), rd_kafka_err2str(m->err));
            }
            return false;
        }
        if (m->_private == k->marks) {
            k->head_offset = m->offset >= 0 ? m->offset : k->head_offset; /* not told after some retries */
        } else if (m->_private) {
            struct batch *batch = m->_private;
            batch->sink_data = (void *)(kafka_undelivered(batch) - 1);
        }
    }
    if (!k->exactly && !k->broken) { /* exactly once, what was delivered counts when it is committed */
        kafka_say_well(k);
    }
    return true;
}

static bool on_error(struct kafka *k, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    if (rd_kafka_event_error_is_fatal(event) || rd_kafka_fatal_error(k->out.rk, NULL, 0)) {
        error_set(&k->reason, "%s", text);
        return false;
    }
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        error_set(&k->broker, "%s", text);
    }
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && (k->waiting.head || k->open.head)) {
        kafka_say_trouble(k, *k->broker.text ? k->broker.text : text);
    } else {
        log_debug("librdkafka tells of an error", KV("error", text));
    }
    return true;
}

/* Why a transaction failed (a right is missing, say) is told here alone: all that follows of it in events is
 * that messages were purged. */
static void take_reason(struct kafka *k, const char *facility, const char *text)
{
    const char *refused = rd_kafka_err2str(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    bool right = !strcmp(facility, "ADDPARTS") && strstr(text, refused); /* it names the topic */
    if (!*k->reason.text && (right || !strcmp(facility, "TXNERR"))) {
        const char *thread = strstr(text, "]: ");
        error_set(&k->reason, "%s%s", thread ? thread + 3 : text, right ? "; grant Write on it" : "");
    }
}

static void on_log(struct kafka *k, rd_kafka_event_t *event)
{
    const char *facility, *text;
    int level;
    if (rd_kafka_event_log(event, &facility, &text, &level) == 0) {
        take_reason(k, facility, text);
        log_debug("librdkafka says", KV("facility", facility), KV("text", text));
    }
}

static bool on_event(struct kafka *k, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        return on_delivery(k, event);
    case RD_KAFKA_EVENT_ERROR:
        return on_error(k, event);
    case RD_KAFKA_EVENT_LOG:
        on_log(k, event);
        return true;
    default:
        return true;
    }
}

/* False: one of them told of a failure. */
static bool take_events(struct kafka *k)
{
    int64_t until_ns = clock_monotonic() + TURN_NS;
    bool well = true;
    rd_kafka_event_t *event;
    while (k->queue && (event = rd_kafka_queue_poll(k->queue, 0))) {
        well = on_event(k, event) && well;
        rd_kafka_event_destroy(event);
        if (clock_monotonic() > until_ns) { /* librdkafka writes to the fd only when its queue was empty */
            event_active(k->queue_event, EV_READ, 0);
            break;
        }
    }
    return well;
}

void kafka_hear_out(struct kafka *k)
{
    k->broken = true;
    take_events(k);
}

static void on_queue(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct kafka *k = arg;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        log_error("cannot read an eventfd", KV("error", strerror(errno)));
    }
    if (!take_events(k)) { /* only now, for the events were the producer's */
        kafka_flow_fail(k, k->reason.text);
    }
    if (!k->broken) {
        kafka_flow_acknowledge(k);
        kafka_flow_pump(k);
    }
}

void kafka_watch(struct kafka *k, bool on)
{
    static const uint64_t one = 1;
    if (on) {
        k->queue = rd_kafka_queue_get_main(k->out.rk);
        rd_kafka_queue_io_event_enable(k->queue, k->queue_fd, &one, sizeof(one));
        event_active(k->queue_event, EV_READ, 0); /* for what came before */
    } else if (k->queue) {
        rd_kafka_queue_io_event_enable(k->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(k->queue);
        k->queue = NULL;
    }
}

static void on_note(void *arg, int kind, const char *text)
{
    struct kafka *k = arg;
    switch ((enum kafka_note)kind) {
    case KAFKA_NOTE_INFO:
        log_info(text);
        break;
    case KAFKA_NOTE_WARN:
        log_warn(text);
        break;
    case KAFKA_NOTE_TROUBLE:
        kafka_say_trouble(k, text);
        break;
    }
}

/* -- the sink ---------------------------------------------------------------------------------- */

static void kafka_submit(struct sink *sink, struct batch *batch)
{
    kafka_flow_submit((struct kafka *)sink, batch);
}

static void kafka_drain(struct sink *sink)
{
    struct kafka *k = (struct kafka *)sink;
    k->draining = true;
    kafka_flow_pump(k);
}

static void free_event(struct event *event)
{
    if (event) {
        event_free(event);
    }
}

static void destroy(rd_kafka_t *rk)
{
    if (rk) {
        rd_kafka_destroy(rk);
    }
}

static void kafka_close(struct sink *sink)
{
    struct kafka *k = (struct kafka *)sink;
    if (k->settings) {
        k->settings->ending = true;
    }
    worker_free(k->worker);
    if (k->topic_job.handle && k->topic_job.topic) { /* its `done` was not called any more */
        rd_kafka_topic_destroy(k->topic_job.handle);
    }
    kafka_watch(k, false);
    kafka_routes_free(k->out.routes);
    kafka_marks_free(k->marks);
    kafka_pieces_free(&k->out.pieces);
    destroy(k->out.rk);
    if (k->session.topic) {
        rd_kafka_topic_destroy(k->session.topic);
    }
    destroy(k->session.rk);
    json_decref(k->session.positions);
    free_event(k->queue_event);
    free_event(k->pump_event);
    free_event(k->commit_timer);
    free_event(k->retry_timer);
    free_event(k->expiry_timer);
    free_event(k->stall_timer);
    if (k->queue_fd >= 0) {
        close(k->queue_fd);
    }
    kafka_settings_free(k->settings);
    free(k);
}

static int name_session(char id[KAFKA_SESSION_LEN + 1])
{
    uint64_t random[2];
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return -1;
    }
    snprintf(id, KAFKA_SESSION_LEN + 1, "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    return 0;
}

static int set_up(struct kafka *k)
{
    k->exactly = k->settings->delivery == KAFKA_EXACTLY_ONCE;
    k->out.settings = k->settings;
    k->out.routes = kafka_routes_new(k->settings);
    k->marks = kafka_marks_new(k->settings, k->session.id);
    k->queue_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    k->queue_event =
        k->queue_fd < 0 ? NULL : event_new(k->env.base, k->queue_fd, EV_READ | EV_PERSIST, on_queue, k);
    k->worker = worker_new(k->env.base);
    if (!k->out.routes || !k->marks || !k->queue_event || !k->worker || event_add(k->queue_event, NULL) < 0 ||
        name_session(k->session.id) < 0) {
        return -1;
    }
    worker_on_note(k->worker, on_note, k);
    return kafka_flow_start(k);
}

static struct sink *open_sink(const struct sink_env *env, const struct sink_ops *ops, struct error *err)
{
    struct kafka *k = calloc(1, sizeof(*k));
    if (!k) {
        error_set(err, "out of memory");
        return NULL;
    }
    k->sink.ops = ops;
    k->env = *env;
    k->queue_fd = -1;
    k->settings = kafka_settings_new(env->cfg, err);
    /* The first producer is made here: what is wrong with its properties is said at once. */
    k->session.rk = k->settings ? kafka_client(k->settings, RD_KAFKA_PRODUCER, err) : NULL;
    if (k->session.rk && set_up(k) == 0) {
        return &k->sink;
    }
    if (k->session.rk) {
        error_set(err, "kafka: out of memory, threads or file descriptors");
    }
    kafka_close(&k->sink);
    return NULL;
}

static struct sink *open_exactly_once(const struct sink_env *env, struct error *err)
{
    return open_sink(env, &sink_kafka, err);
}

static struct sink *open_at_least_once(const struct sink_env *env, struct error *err)
{
    return open_sink(env, &sink_kafka_at_least_once, err);
}

const struct sink_ops sink_kafka = {
    .name = "kafka",
    .items = true,
    .least_age = 2 * NS_PER_MS,
    .owns_positions = true,
    .open = open_exactly_once,
    .submit = kafka_submit,
    .drain = kafka_drain,
    .close = kafka_close,
};

const struct sink_ops sink_kafka_at_least_once = {
    .name = "kafka, at least once",
    .items = true,
    .least_age = 2 * NS_PER_MS,
    .open = open_at_least_once,
    .submit = kafka_submit,
    .drain = kafka_drain,
    .close = kafka_close,
};
