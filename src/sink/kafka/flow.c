/* What is delivered when, and what happens when it fails.
 *
 * Exactly once, batches go through two lists: `waiting` (submitted) and `open` (produced in the open
 * transaction). A transaction ends when it is old or big enough: the positions that its batches reach are
 * produced, and the worker commits it and begins the next. Until then nothing can be produced; the pipeline
 * goes on filling batches.
 *
 * There is one way out of every failure: the producer is thrown away, the worker makes a new one
 * (kafka_session.c) and finds out what became of a commit in doubt; then `open` is either acknowledged, or
 * put before `waiting` and produced again.
 *
 * At least once there are no transactions: `open` holds the batches whose messages are not all delivered yet.
 */
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kafka_internal.h"

#define EXPIRY_NS   (3600 * NS_PER_S) /* between looks for positions nobody needs */
#define RETRY_MS    100               /* when memory is short */
#define STALL_NS    (5 * NS_PER_S)    /* without an acknowledgement that is due: then it is said */
#define BACKOFF_MS  200               /* after a second failure in a row; doubled for each further one */
#define BACKOFF_MAX 10000             /* ms */

#define KAFKA_OF(job, member) ((struct kafka *)((char *)(job)-offsetof(struct kafka, member.job)))

/* -- lists ------------------------------------------------------------------------------------- */

static void list_init(struct kafka_list *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

static void list_add(struct kafka_list *list, struct batch *batch)
{
    batch->next = NULL;
    *list->tail = batch;
    list->tail = &batch->next;
}

static struct batch *list_take(struct kafka_list *list)
{
    struct batch *batch = list->head;
    if (!(list->head = batch->next)) {
        list->tail = &list->head;
    }
    batch->next = NULL;
    return batch;
}

/* Puts all of `open` before all of `waiting`. */
static void list_put_back(struct kafka_list *waiting, struct kafka_list *open)
{
    if (open->head) {
        *open->tail = waiting->head;
        waiting->tail = waiting->head ? waiting->tail : open->tail;
        waiting->head = open->head;
    }
    list_init(open);
}

static void arm(struct event *timer, int64_t ns)
{
    ns = ns < 0 ? 0 : ns;
    struct timeval tv = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US};
    evtimer_add(timer, &tv);
}

/* -- failure ----------------------------------------------------------------------------------- */

void kafka_say_trouble(struct kafka *k, const char *reason)
{
    if (!k->in_trouble) {
        log_warn("Kafka takes nothing now; lines wait where they are", KV("reason", reason));
    }
    k->in_trouble = true;
}

void kafka_say_well(struct kafka *k)
{
    if (k->in_trouble) {
        log_info("Kafka takes lines again");
    }
    k->in_trouble = false;
    k->broker.text[0] = '\0';
}

/* A broker that hangs gives no error, and one that went while nothing was under way gave it too early. */
static void on_stall(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka *k = arg;
    if (!k->topic_said) {
        kafka_say_trouble(k, *k->broker.text ? k->broker.text : "the brokers do not answer");
    }
}

static void watch_stall(struct kafka *k)
{
    if (k->open.head || k->waiting.head) {
        arm(k->stall_timer, k->settings->commit_age + STALL_NS);
    } else {
        evtimer_del(k->stall_timer);
    }
}

static int backoff_ms(const struct kafka *k)
{
    int ms = k->failures < 2 ? 0 : BACKOFF_MS << (k->failures < 8 ? k->failures - 2 : 6);
    return ms < BACKOFF_MAX ? ms : BACKOFF_MAX;
}

void kafka_flow_replace(struct kafka *k)
{
    k->session.rk = k->out.rk;
    k->out.rk = NULL;
    worker_post(k->worker, &k->session.job);
}

/* Gives the producer to the worker for another; once nothing else uses it. */
static void reopen(struct kafka *k, uint64_t in_doubt, bool fenced)
{
    int backoff = backoff_ms(k);
    evtimer_del(k->commit_timer);
    evtimer_del(k->retry_timer);
    kafka_hear_out(k);
    kafka_watch(k, false);
    kafka_routes_detach(k->out.routes);
    k->state = KAFKA_OPENING;
    k->session.in_doubt = in_doubt;
    k->session.number = k->number;
    k->session.delay_ms = fenced && backoff < KAFKA_FENCED_MS ? KAFKA_FENCED_MS : backoff;
    if (!k->topic_job.topic) {
        kafka_flow_replace(k);
    }
}

/* A transaction that failed may have been more than the brokers take in its time: a smaller one comes next,
 * down to a single batch, for the same one would fail in the same way for ever. */
static void ask_less(struct kafka *k)
{
    k->commit_bytes /= 2;
}

static void ask_more(struct kafka *k)
{
    size_t limit = k->settings->commit_bytes;
    k->commit_bytes = k->commit_bytes < limit / 2 ? (k->commit_bytes + 1) * 2 : limit;
}

void kafka_flow_fail(struct kafka *k, const char *reason)
{
    if (k->broken || k->state == KAFKA_OPENING || k->state == KAFKA_CLOSED) {
        return;
    }
    k->broken = true;
    k->failures++;
    metrics.sink_errors++;
    if (k->failures > 1) { /* a single one is mended at once */
        kafka_say_trouble(k, reason);
    } else {
        log_info("beginning anew with Kafka", KV("reason", reason));
    }
    if (k->state != KAFKA_COMMITTING) { /* else the worker has it, and commit_done goes on */
        metrics.commit_errors += k->exactly && k->open.head;
        ask_less(k);
        reopen(k, 0, rd_kafka_fatal_error(k->out.rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR);
    }
}

/* -- producing --------------------------------------------------------------------------------- */

static void acknowledge_first(struct kafka *k)
{
    struct batch *batch = list_take(&k->open);
    k->open_bytes -= batch->out.len;
    k->open_batches--;
    watch_stall(k);
    kafka_routes_acked(k->out.routes, batch->seq, clock_monotonic());
    k->env.events.acked(k->env.events.arg, batch);
}

void kafka_flow_acknowledge(struct kafka *k)
{
    while (!k->exactly && k->open.head && kafka_undelivered(k->open.head) == 0) {
        acknowledge_first(k);
        k->failures = 0;
    }
}

static bool is_in_batch(const struct kafka *k)
{
    return k->waiting.head && (k->waiting.head->sent > 0 || k->out.pieces.count > 0);
}

/* Small batches may be all used up long before they are many bytes: then reading would stop until the commit.
 * See pipeline.c for how many there are; a reload may change that. */
static bool is_starving(const struct kafka *k)
{
    const struct config *cfg = k->env.cfg;
    return k->open_batches > cfg->memory_max / 2 / cfg->batch_bytes * 3 / 4;
}

static bool is_commit_due(const struct kafka *k)
{
    return k->exactly && k->open.head && !is_in_batch(k) &&
           (k->due || k->open_bytes >= k->commit_bytes || is_starving(k) ||
            (k->draining && !k->waiting.head));
}

/* The first batch in a transaction tells when it is to be committed. */
static void batch_produced(struct kafka *k)
{
    struct batch *batch = list_take(&k->waiting);
    if (k->exactly && !k->open.head) {
        arm(k->commit_timer, batch->born_ns + k->settings->commit_age - clock_monotonic());
    }
    list_add(&k->open, batch);
    k->open_bytes += batch->out.len;
    k->open_batches++;
    kafka_flow_acknowledge(k);
}

/* Sees to it that there will be a further turn. */
static void wait_for(struct kafka *k, enum kafka_progress progress, struct kafka_topic *missing)
{
    switch (progress) {
    case KAFKA_BUSY:
        event_active(k->pump_event, EV_TIMEOUT, 0);
        break;
    case KAFKA_FULL: /* deliveries will go on with it */
        metrics.kafka_queue_full++;
        if (rd_kafka_outq_len(k->out.rk) == 0) {
            arm(k->retry_timer, RETRY_MS * NS_PER_MS);
        }
        break;
    case KAFKA_NEEDS_TOPIC:
        kafka_topic_get_ready(k, missing);
        break;
    case KAFKA_BROKEN:
        kafka_flow_fail(k, k->reason.text);
        break;
    case KAFKA_ALL:
        break;
    }
}

static bool produce(struct kafka *k)
{
    struct kafka_topic *missing = NULL;
    enum kafka_progress progress = kafka_produce(&k->out, k->waiting.head, &missing, &k->reason);
    if (progress == KAFKA_ALL) {
        batch_produced(k);
        return true;
    }
    wait_for(k, progress, missing);
    return false;
}

/* Produces the positions, then hands the transaction to the worker. */
static void seal(struct kafka *k)
{
    struct kafka_topic *topic = kafka_topic_find(k->out.routes, k->settings->positions_topic);
    enum kafka_progress progress = kafka_marks_produce(k->marks, k->out.rk, topic->handle, &k->reason);
    if (progress != KAFKA_ALL) {
        wait_for(k, progress, NULL);
        return;
    }
    k->state = KAFKA_COMMITTING;
    k->commit.rk = k->out.rk;
    worker_post(k->worker, &k->commit.job);
}

static void begin_seal(struct kafka *k)
{
    evtimer_del(k->commit_timer);
    k->due = false;
    k->state = KAFKA_SEALING;
    if (kafka_marks_gather(k->marks, k->open.head, k->rewrite ? k->env.checkpoint : NULL, k->number) < 0) {
        kafka_flow_fail(k, "out of memory");
        return;
    }
    seal(k);
}

void kafka_flow_pump(struct kafka *k)
{
    if (k->state == KAFKA_SEALING) {
        seal(k);
    }
    while (k->state == KAFKA_PRODUCING) {
        if (is_commit_due(k)) {
            begin_seal(k);
        } else if (!k->exactly && kafka_routes_stale(k->out.routes) && !is_in_batch(k)) {
            if (!k->open.head) {
                reopen(k, 0, false);
            }
            break;
        } else if (!k->waiting.head || !produce(k)) {
            break;
        }
    }
    metrics.kafka_queue = k->out.rk ? (uint64_t)rd_kafka_outq_len(k->out.rk) : 0;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    kafka_flow_pump(arg);
}

static void on_commit_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka *k = arg;
    k->due = true;
    kafka_flow_pump(k);
}

static void forget(void *arg, const char *feed)
{
    struct kafka *k = arg;
    if (kafka_marks_forget(k->marks, feed) < 0) {
        return; /* the next process will */
    }
    log_debug("forgetting a position", KV("feed", feed));
}

/* Containers that were gone before this process began, and long enough. What was left in Kafka is dropped
 * with the next transaction. */
static void on_expiry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka *k = arg;
    checkpoint_expire(k->env.checkpoint, (clock_now() - k->settings->retention) / NS_PER_S, forget, k);
    arm(k->expiry_timer, EXPIRY_NS);
}

void kafka_flow_submit(struct kafka *k, struct batch *batch)
{
    kafka_rewind(batch);
    list_add(&k->waiting, batch);
    if (!evtimer_pending(k->stall_timer, NULL)) {
        watch_stall(k);
    }
    kafka_flow_pump(k);
}

/* -- what the worker found --------------------------------------------------------------------- */

static void commit_done(struct job *job)
{
    struct kafka *k = KAFKA_OF(job, commit);
    const struct kafka_commit *c = &k->commit;
    if (!c->committed) {
        metrics.commit_errors++;
        k->failures++;
        ask_less(k);
        kafka_say_trouble(k, c->err.text);
        reopen(k, k->number, c->fenced);
        return;
    }
    metrics.commits++;
    k->number++;
    k->session.head_offset = k->head_offset;
    k->rewrite = false;
    kafka_marks_committed(k->marks);
    k->failures = 0;
    ask_more(k);
    kafka_say_well(k);
    k->state = KAFKA_PRODUCING;
    while (k->open.head) {
        acknowledge_first(k);
    }
    k->draining = k->draining && k->waiting.head;
    if (k->broken || !c->begun || kafka_routes_stale(k->out.routes)) {
        k->broken = true;
        reopen(k, 0, c->fenced);
        return;
    }
    kafka_flow_pump(k);
}

/* What was produced and not committed is to be produced again. */
static void put_back(struct kafka *k)
{
    list_put_back(&k->waiting, &k->open);
    k->open_bytes = 0;
    k->open_batches = 0;
    for (struct batch *b = k->waiting.head; b; b = b->next) {
        metrics.sink_retries += b->sent > 0;
        kafka_rewind(b);
    }
    kafka_out_reset(&k->out);
}

static void end(struct kafka *k, enum exit_code code, const char *why)
{
    struct error err;
    error_set(&err, "%s", why);
    k->state = KAFKA_CLOSED;
    k->env.events.failed(k->env.events.arg, code, &err);
}

static void take_producer(struct kafka *k)
{
    struct kafka_session *ses = &k->session;
    struct kafka_topic *topic = kafka_topic_find(k->out.routes, k->settings->positions_topic);
    k->number = ses->number + 1;
    k->head_offset = ses->head_offset;
    k->out.rk = ses->rk;
    ses->rk = NULL;
    k->rewrite = k->rewrite || (ses->topic_created && ses->resumed);
    ses->resumed = true;
    kafka_marks_setup(k->marks, ses->partition);
    topic->handle = ses->topic;
    ses->topic = NULL;
    k->broken = k->due = false;
    k->reason.text[0] = '\0';
    k->state = KAFKA_PRODUCING;
    kafka_watch(k, true);
}

static void session_done(struct job *job)
{
    struct kafka *k = KAFKA_OF(job, session);
    char why[400];
    switch (k->session.outcome) {
    case KAFKA_ENDED:
        return;
    case KAFKA_FENCED:
        snprintf(why, sizeof(why),
                 "another process with the identity %.200s took over; it goes on from what was delivered. "
                 "Each collector "
                 "needs a kafka.identity of its own",
                 k->settings->identity);
        end(k, EXIT_FENCED, why);
        return;
    case KAFKA_OPENED:
        break;
    }
    if (kafka_positions_restore(k->session.positions, k->env.checkpoint) < 0) {
        end(k, EXIT_FAULT, "out of memory");
        return;
    }
    json_decref(k->session.positions);
    k->session.positions = NULL;
    take_producer(k);
    if (k->session.committed) {
        kafka_marks_committed(k->marks);
    }
    while (k->session.committed && k->open.head) {
        acknowledge_first(k);
    }
    put_back(k);
    if (!k->ready) {
        k->ready = true;
        if (k->exactly) {
            arm(k->expiry_timer, CHECKPOINT_GRACE_S * NS_PER_S);
        }
        kafka_say_well(k);
        k->env.events.ready(k->env.events.arg);
    }
    kafka_flow_pump(k);
}

int kafka_flow_start(struct kafka *k)
{
    struct event_base *base = k->env.base;
    list_init(&k->waiting);
    list_init(&k->open);
    k->session.job = (struct job){.run = kafka_session_run, .done = session_done};
    k->session.worker = k->commit.worker = k->worker;
    k->session.settings = k->settings;
    k->commit.job = (struct job){.run = kafka_commit_run, .done = commit_done};
    k->commit_bytes = k->settings->commit_bytes;
    k->commit.timeout_ms = k->settings->timeout_ms;
    kafka_topic_job_start(k);
    k->pump_event = evtimer_new(base, on_pump, k);
    k->retry_timer = evtimer_new(base, on_pump, k);
    k->commit_timer = evtimer_new(base, on_commit_timer, k);
    k->expiry_timer = evtimer_new(base, on_expiry, k);
    k->stall_timer = evtimer_new(base, on_stall, k);
    if (!k->stall_timer || !k->pump_event || !k->expiry_timer || !k->retry_timer || !k->commit_timer ||
        !kafka_topic_find(k->out.routes, k->settings->positions_topic)) {
        return -1;
    }
    worker_post(k->worker, &k->session.job);
    return 0;
}
