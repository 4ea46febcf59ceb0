/* What is delivered when, and what happens when it fails.
 *
 * Exactly once, batches go through two lists: `waiting` (submitted) and `open` (produced in the open
 * transaction). A transaction ends when it is old or big enough: the positions that its batches reach are
 * produced, and the worker commits it and begins the next. Nothing can be produced until then, nor as long as
 * the brokers mark what was committed (pace.h); the pipeline goes on filling batches.
 *
 * There is one way out of every failure: the producer is thrown away, and the worker makes a new one
 * (session.c) and finds out what became of a commit in doubt. Then `open` is either acknowledged, or put
 * before `waiting` and produced again.
 *
 * At least once there are no transactions: `open` holds the batches that are not delivered in full yet. */
#include "flow.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"

#include "positions.h"
#include "produce.h"
#include "route.h"

#define FULL_NS  (100 * NS_PER_MS) /* between tries while memory is short */
#define TOPIC_NS (2 * NS_PER_S)    /* between tries to get a topic ready */
#define STALL_NS (5 * NS_PER_S) /* after a commit is due without an acknowledgement: then the log says so */

/* -- failure ----------------------------------------------------------------------------------- */

/* Gives the producer up. */
static void reopen(struct kafka_flow *f, uint64_t in_doubt, bool fenced)
{
    int backoff = kafka_backoff_ms(&f->backoff);
    kafka_pace_stop(&f->pace);
    evtimer_del(f->retry_timer);
    f->broken = true;
    f->state = KAFKA_OPENING;
    kafka_producer_replace(&f->producer, in_doubt, f->number,
                           fenced && backoff < KAFKA_FENCED_MS ? KAFKA_FENCED_MS : backoff);
}

/* The producer, or what it was given, failed: it is thrown away. */
static void fail(struct kafka_flow *f, const char *reason)
{
    if (f->broken || f->state == KAFKA_OPENING || f->state == KAFKA_CLOSED) {
        return;
    }
    f->broken = true;
    kafka_backoff_failed(&f->backoff);
    metrics.sink_errors++;
    if (f->backoff.failures > 1) { /* a single one is mended at once */
        kafka_trouble_say(&f->trouble, reason);
    } else {
        log_info("beginning anew with Kafka", KV("reason", reason));
    }
    /* The worker tells how those two went, and then it goes on. */
    if (f->state != KAFKA_COMMITTING && f->state != KAFKA_PROVING) {
        metrics.commit_errors += f->exactly && f->batches.open.head;
        kafka_backoff_commit_less(&f->backoff);
        reopen(f, 0, rd_kafka_fatal_error(f->producer.out.rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR);
    }
}

/* -- producing --------------------------------------------------------------------------------- */

static void acknowledge_first(struct kafka_flow *f)
{
    struct batch *batch = kafka_batches_take(&f->batches);
    kafka_trouble_acked(&f->trouble, kafka_batches_any(&f->batches));
    metrics.kafka_overflow_lines += kafka_routes_overflowed(f->producer.out.routes, batch);
    kafka_routes_acked(f->producer.out.routes, batch->seq, clock_monotonic());
    f->env.events.acked(f->env.events.arg, batch);
}

/* At least once: acknowledges what is delivered in full, in order. */
static void acknowledge(struct kafka_flow *f)
{
    while (!f->exactly && f->batches.open.head && kafka_undelivered(f->batches.open.head) == 0) {
        acknowledge_first(f);
        kafka_backoff_delivered(&f->backoff);
    }
}

static bool is_in_batch(const struct kafka_flow *f)
{
    return f->batches.waiting.head && (f->batches.waiting.head->sent > 0 || f->producer.out.pieces.count > 0);
}

static bool is_commit_due(const struct kafka_flow *f)
{
    return f->exactly && f->batches.open.head && !is_in_batch(f) &&
           (f->due || f->batches.open_bytes >= f->backoff.commit_bytes ||
            kafka_batches_short(&f->batches, f->env.cfg) || (f->draining && !f->batches.waiting.head));
}

/* The first batch in a transaction tells how old that is. */
static void batch_produced(struct kafka_flow *f)
{
    if (!f->batches.open.head) {
        kafka_pace_begin(&f->pace, f->batches.waiting.head->born_ns - config_waited(f->env.cfg));
    }
    kafka_batches_produced(&f->batches);
    if (f->exactly) {
        kafka_pace_wait(&f->pace, f->batches.open_bytes);
    }
    acknowledge(f);
}

/* Has topics proven. What is in the transaction is committed first. */
static void prove(struct kafka_flow *f)
{
    if (f->batches.open.head) {
        f->due = true;
        loop_again(f->pump_event);
        return;
    }
    struct kafka_producer *p = &f->producer;
    f->state = KAFKA_PROVING;
    f->proof.rk = p->out.rk;
    f->proof.ahead_ms = p->out.ahead_ms;
    kafka_proof_gather(&f->proof, p->out.routes);
    worker_post(f->worker, &f->proof.job);
}

/* Sees to it that there will be a further turn. */
static void wait_for(struct kafka_flow *f, enum kafka_progress progress, struct kafka_topic *missing,
                     const struct error *err)
{
    switch (progress) {
    case KAFKA_BUSY:
        loop_again(f->pump_event);
        break;
    case KAFKA_FULL: /* deliveries will go on with it */
        metrics.kafka_queue_full++;
        if (rd_kafka_outq_len(f->producer.out.rk) == 0) {
            loop_arm_timer(f->retry_timer, FULL_NS);
        }
        break;
    case KAFKA_NEEDS_TOPIC:
        if (!evtimer_pending(f->retry_timer, NULL)) {
            kafka_producer_prepare(&f->producer, missing, f->batches.waiting.head);
        }
        break;
    case KAFKA_NEEDS_PROOF:
        prove(f);
        break;
    case KAFKA_BROKEN:
        fail(f, err->text);
        break;
    case KAFKA_ALL:
        break;
    }
}

static bool produce(struct kafka_flow *f)
{
    int64_t marking_ns = f->batches.open.head ? 0 : kafka_pace_marking(&f->pace);
    if (marking_ns > 0) {
        if (!evtimer_pending(f->retry_timer, NULL)) { /* else a topic is not ready either */
            loop_arm_timer(f->retry_timer, marking_ns);
        }
        return false;
    }
    struct kafka_topic *missing = NULL;
    struct error err = {0};
    enum kafka_progress progress = kafka_produce(&f->producer.out, f->batches.waiting.head, &missing, &err);
    if (progress == KAFKA_ALL) {
        batch_produced(f);
        return true;
    }
    wait_for(f, progress, missing, &err);
    return false;
}

/* Produces the positions, then hands the transaction to the worker. */
static void seal(struct kafka_flow *f)
{
    const struct kafka_producer *p = &f->producer;
    struct error err = {0};
    if (f->trouble.throttled && rd_kafka_outq_len(p->out.rk) > 0) {
        return; /* till the lines are there: positions that are open hold others up */
    }
    enum kafka_progress progress = kafka_marks_produce(f->marks, p->out.rk, p->positions->handle, &err);
    if (progress != KAFKA_ALL) {
        wait_for(f, progress, NULL, &err);
        return;
    }
    f->state = KAFKA_COMMITTING;
    f->commit.rk = p->out.rk;
    worker_post(f->worker, &f->commit.job);
}

static void begin_seal(struct kafka_flow *f)
{
    kafka_pace_stop(&f->pace);
    f->due = false;
    f->state = KAFKA_SEALING;
    if (kafka_marks_gather(f->marks, f->batches.open.head, f->rewrite ? f->env.checkpoint : NULL, f->number) <
        0) {
        fail(f, "out of memory");
        return;
    }
    seal(f);
}

/* Should there be another producer, once nothing is under way? */
static bool is_stale(const struct kafka_flow *f)
{
    return f->renewal.due || kafka_routes_stale(f->producer.out.routes);
}

/* Looks whether files of TLS were renewed. Where Kafka takes nothing any more, they may be why. */
static void look_for_renewal(struct kafka_flow *f)
{
    if (kafka_batches_any(&f->batches)) {
        kafka_renewal_look(&f->renewal);
    }
    if (f->renewal.due && f->trouble.said) {
        fail(f, "the files of TLS were renewed");
    }
}

/* Nothing more is produced before there is another producer, or it is known that there need not be. */
static bool waits_for_renewal(struct kafka_flow *f)
{
    if (is_in_batch(f) || !(is_stale(f) || (f->renewal.trying && !f->batches.open.head))) {
        return false;
    }
    if (f->exactly && f->batches.open.head) {
        begin_seal(f);
    } else if (!f->renewal.trying && !f->batches.open.head) {
        reopen(f, 0, false);
    }
    return true;
}

/* Goes on with what can be gone on with. */
static void pump(struct kafka_flow *f)
{
    if (f->state == KAFKA_PRODUCING) {
        look_for_renewal(f);
    }
    if (f->state == KAFKA_SEALING) {
        seal(f);
    }
    while (f->state == KAFKA_PRODUCING) {
        if (is_commit_due(f)) {
            begin_seal(f);
        } else if (waits_for_renewal(f)) {
            break;
        } else if (!f->batches.waiting.head || !produce(f)) {
            break;
        }
    }
    metrics.kafka_queue = f->producer.out.rk ? (uint64_t)rd_kafka_outq_len(f->producer.out.rk) : 0;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    pump(arg);
}

static void on_commit_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct kafka_flow *f = arg;
    f->due = true;
    pump(f);
}

void kafka_flow_submit(struct kafka_flow *f, struct batch *batch)
{
    kafka_rewind(batch);
    kafka_batches_add(&f->batches, batch);
    kafka_trouble_submitted(&f->trouble);
    pump(f);
}

void kafka_flow_drain(struct kafka_flow *f)
{
    f->draining = true;
    pump(f);
}

/* -- what the worker and the producer tell ------------------------------------------------------ */

/* Where a delivery failed, or a right is missing, what the producer said names the topic too. */
static const char *reason(const struct kafka_flow *f, const struct error *err)
{
    const char *said = f->producer.events.reason.text;
    return *said && (f->broken || kafka_lacks_right(err->text)) ? said : err->text;
}

static void commit_done(struct job *job)
{
    struct kafka_flow *f = (struct kafka_flow *)((char *)job - offsetof(struct kafka_flow, commit.job));
    const struct kafka_commit *c = &f->commit;
    if (!c->committed) {
        metrics.commit_errors++;
        kafka_backoff_failed(&f->backoff);
        kafka_backoff_commit_less(&f->backoff);
        reopen(f, f->number, c->fenced);
        kafka_trouble_say(&f->trouble, reason(f, &c->err));
        return;
    }
    metrics.commits++;
    f->pace.committed_ns = clock_monotonic();
    kafka_producer_committed(&f->producer, f->number++, kafka_marks_head_offset(f->marks));
    f->rewrite = false;
    kafka_marks_committed(f->marks);
    kafka_backoff_delivered(&f->backoff);
    kafka_trouble_over(&f->trouble);
    f->state = KAFKA_PRODUCING;
    while (f->batches.open.head) {
        acknowledge_first(f);
    }
    f->draining = f->draining && f->batches.waiting.head;
    if (f->broken || !c->begun || is_stale(f)) {
        f->broken = true;
        reopen(f, 0, c->fenced);
        return;
    }
    pump(f);
}

static void proof_done(struct job *job)
{
    struct kafka_flow *f = (struct kafka_flow *)((char *)job - offsetof(struct kafka_flow, proof.job));
    const struct kafka_proof *proof = &f->proof;
    bool given = proof->given && !f->broken;
    kafka_proof_conclude(&f->proof, f->producer.out.routes, given);
    f->state = KAFKA_PRODUCING;
    if (given) {
        kafka_producer_proven(&f->producer);
        pump(f);
    } else if (f->broken) {
        reopen(f, 0, kafka_is_fenced(f->producer.out.rk));
    } else {
        fail(f, reason(f, &proof->err));
    }
}

/* What was produced and not committed is to be produced again. */
static void put_back(struct kafka_flow *f)
{
    kafka_batches_put_back(&f->batches);
    for (struct batch *b = f->batches.waiting.head; b; b = b->next) {
        metrics.sink_retries += b->sent > 0;
        kafka_rewind(b);
    }
    kafka_out_reset(&f->producer.out);
}

static void end(struct kafka_flow *f, enum exit_code code, const struct error *why)
{
    f->state = KAFKA_CLOSED;
    f->env.events.failed(f->env.events.arg, code, why);
}

static void take_producer(struct kafka_flow *f, const struct kafka_session *ses)
{
    f->number = ses->number + 1;
    f->rewrite = f->rewrite || (ses->topic_created && ses->resumed);
    kafka_marks_setup(f->marks, ses->partition, ses->head_offset);
    f->broken = f->due = false;
    f->state = KAFKA_PRODUCING;
    kafka_renewal_made(&f->renewal, &ses->files);
    kafka_producer_take(&f->producer);
}

/* The first producer is there. */
static void say_ready(struct kafka_flow *f)
{
    f->ready = true;
    if (f->exactly) {
        kafka_expiry_start(&f->expiry);
    }
    kafka_trouble_over(&f->trouble);
    f->env.events.ready(f->env.events.arg);
}

static void on_made(void *arg, const struct kafka_session *ses)
{
    struct kafka_flow *f = arg;
    struct error why;
    if (ses->outcome == KAFKA_ENDED) {
        return;
    }
    if (ses->outcome != KAFKA_OPENED) {
        end(f, kafka_session_verdict(ses, &why), &why);
        return;
    }
    if (kafka_positions_restore(ses->positions, f->env.checkpoint) < 0) {
        end(f, EXIT_FAULT, &(struct error){.text = "out of memory"});
        return;
    }
    take_producer(f, ses);
    if (ses->committed) {
        kafka_marks_committed(f->marks);
    }
    while (ses->committed && f->batches.open.head) {
        acknowledge_first(f);
    }
    put_back(f);
    if (!f->ready) {
        say_ready(f);
    }
    pump(f);
}

static void on_heard(void *arg, const char *failure)
{
    struct kafka_flow *f = arg;
    if (failure) {
        fail(f, failure);
    }
    if (!f->broken) {
        acknowledge(f);
        pump(f);
    }
}

static void on_prepared(void *arg, enum kafka_topic_outcome outcome)
{
    struct kafka_flow *f = arg;
    if (outcome == KAFKA_TOPIC_TAKES_LESS) {
        fail(f, "a topic takes less at once than the producer would send");
    } else if (outcome == KAFKA_TOPIC_NOT_READY) {
        loop_arm_timer(f->retry_timer, TOPIC_NS);
    }
    pump(f);
}

/* -- set-up ------------------------------------------------------------------------------------- */

static int set_up(struct kafka_flow *f)
{
    struct event_base *base = f->env.base;
    char session[KAFKA_SESSION_LEN + 1];
    f->pump_event = evtimer_new(base, on_pump, f);
    f->retry_timer = evtimer_new(base, on_pump, f);
    if (!f->pump_event || !f->retry_timer ||
        kafka_pace_init(&f->pace, f->settings, base, on_commit_timer, f) < 0 ||
        kafka_trouble_init(&f->trouble, base, kafka_pace_longest(&f->pace) + STALL_NS) < 0 ||
        kafka_session_name(session) < 0 || !(f->marks = kafka_marks_new(f->settings, session)) ||
        kafka_expiry_init(&f->expiry, base, f->env.checkpoint, f->marks, f->settings->retention) < 0 ||
        !(f->worker = worker_new(base))) {
        return -1;
    }
    worker_on_note(f->worker, kafka_trouble_note, &f->trouble);
    f->commit = (struct kafka_commit){.job = {.run = kafka_commit_run, .done = commit_done},
                                      .worker = f->worker,
                                      .timeout_ms = f->settings->timeout_ms};
    f->proof = (struct kafka_proof){
        .job = {.run = kafka_proof_run, .done = proof_done}, .worker = f->worker, .settings = f->settings};
    kafka_renewal_init(&f->renewal, f->settings, f->worker, f->pump_event);
    const struct kafka_producer_env env = {.base = base,
                                           .settings = f->settings,
                                           .worker = f->worker,
                                           .trouble = &f->trouble,
                                           .marks = f->marks,
                                           .session = session,
                                           .made = on_made,
                                           .heard = on_heard,
                                           .prepared = on_prepared,
                                           .arg = f};
    return kafka_producer_init(&f->producer, &env);
}

int kafka_flow_init(struct kafka_flow *f, const struct sink_env *env, struct kafka_settings *settings,
                    struct error *err)
{
    *f = (struct kafka_flow){
        .env = *env, .settings = settings, .exactly = settings->delivery == KAFKA_EXACTLY_ONCE};
    kafka_batches_init(&f->batches);
    kafka_backoff_init(&f->backoff, settings->commit_bytes);
    if (set_up(f) < 0) {
        return error_set(err, "kafka: out of memory, threads or file descriptors");
    }
    return kafka_producer_begin(&f->producer, err);
}

void kafka_flow_free(struct kafka_flow *f)
{
    f->settings->ending = true;
    worker_free(f->worker);
    kafka_doubt_clear(&f->proof.places);
    kafka_producer_free(&f->producer);
    kafka_marks_free(f->marks);
    kafka_expiry_free(&f->expiry);
    kafka_trouble_free(&f->trouble);
    loop_free_event(f->pump_event);
    kafka_pace_free(&f->pace);
    loop_free_event(f->retry_timer);
}
