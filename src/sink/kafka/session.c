/* The transactional calls, which block: making a producer ready, and committing. On the worker's thread. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kafka_internal.h"

#define CALL_MS        1000 /* for one call, which is resumed when it was too short */
#define HEAR_MS        100  /* the same, when what the producer says has to be heard in between */
#define BACKOFF_MS     200  /* before the second try; doubled for each further one */
#define BACKOFF_MAX_MS 5000

enum step { STEP_DONE, STEP_AGAIN, STEP_FENCED };

/* Was this producer fenced off: by another one with its name, or by the brokers when a transaction took too
 * long? */
static bool is_fenced(rd_kafka_t *rk)
{
    rd_kafka_resp_err_t code = rk ? rd_kafka_fatal_error(rk, NULL, 0) : RD_KAFKA_RESP_ERR_NO_ERROR;
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

struct call {
    rd_kafka_error_t *(*function)(rd_kafka_t *, int timeout_ms);
    const char *what;
    bool delivers;               /* waits for what was produced */
    struct kafka_session *hears; /* whose producer has nobody else who takes its deliveries up; or NULL */
};

/* What the producer has to say of its brokers, which tells more than that a call took too long; and why a
 * delivery failed. */
static void take_events(struct kafka_session *ses, int wait_ms)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(ses->rk);
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(queue, wait_ms))) {
        wait_ms = rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR ? 0 : wait_ms;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
            rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            error_set(&ses->broker_err, "%s", rd_kafka_event_error_string(event));
        }
        const rd_kafka_message_t *m;
        while (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR && (m = rd_kafka_event_message_next(event))) {
            if (m->err && m->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE) { /* that follows from another failure */
                error_set(&ses->undelivered, "%s", rd_kafka_err2str(m->err));
            }
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
}

/* Repeats the call for as long as it wants to be repeated. 0; -1: err says why not. */
static int insist(rd_kafka_t *rk, const struct call *call, int timeout_ms, struct worker *worker,
                  struct error *err)
{
    int64_t until_ns = clock_monotonic() + timeout_ms * NS_PER_MS;
    for (;;) {
        if (call->hears) {
            take_events(call->hears, HEAR_MS);
        }
        rd_kafka_error_t *error = call->function(rk, call->hears ? HEAR_MS : CALL_MS);
        if (!error) {
            return 0;
        }
        bool again = rd_kafka_error_is_retriable(error) && clock_monotonic() < until_ns;
        char fatal[256];
        rd_kafka_resp_err_t code = rd_kafka_fatal_error(rk, fatal, sizeof(fatal));
        error_set(err, "%s: %s", call->what, code ? fatal : rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        char gone[KAFKA_TOPIC_MAX + 1];
        if (again && call->delivers && !worker_ending(worker) && kafka_topic_gone(rk, gone)) {
            return error_set(err, "%s: topic %s is gone", call->what, gone);
        }
        if (!again || !worker_wait(worker, 1)) {
            return -1;
        }
    }
}

static int begin(rd_kafka_t *rk, struct error *err)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(rk);
    if (error) {
        error_set(err, "beginning a transaction: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        return -1;
    }
    return 0;
}

/* -- commit ------------------------------------------------------------------------------------ */

void kafka_commit_run(struct job *job)
{
    struct kafka_commit *c = (struct kafka_commit *)job;
    c->begun = false;
    const struct call commit = {rd_kafka_commit_transaction, "committing", true, NULL};
    c->committed = insist(c->rk, &commit, c->timeout_ms, c->worker, &c->err) == 0;
    if (c->committed) {
        c->begun = begin(c->rk, &c->err) == 0;
    }
    c->fenced = is_fenced(c->rk);
}

/* -- session ----------------------------------------------------------------------------------- */

static struct kafka_past past_of(const struct kafka_session *ses)
{
    return (struct kafka_past){.identity = ses->settings->identity,
                               .session = ses->id,
                               .in_doubt = ses->in_doubt,
                               .head_offset = -1};
}

/* Did another process take over? Asked before a producer of ours would fence it in turn. */
static enum step look_for_stranger(struct kafka_session *ses)
{
    struct kafka_past past = past_of(ses);
    if (kafka_past_read(&past, ses->settings, ses->partition, ses->head_offset, ses->worker, &ses->err) < 0) {
        ses->head_offset = 0;
        return STEP_AGAIN;
    }
    if (past.head_offset < 0) { /* our own head is not where it was: somebody made the topic anew */
        ses->head_offset = 0;
        ses->topic_created = true;
    }
    return past.stranger ? STEP_FENCED : STEP_DONE;
}

static enum step find_topic(struct kafka_session *ses)
{
    struct kafka_topic_facts facts;
    ses->topic =
        kafka_topic_ensure(ses->rk, ses->settings, ses->settings->positions_topic, true, &facts, &ses->err);
    if (!ses->topic) {
        return STEP_AGAIN;
    }
    const char *fault = kafka_topic_fault(&facts, true);
    if (fault) {
        char text[300];
        snprintf(text, sizeof(text), "the positions topic: %s", fault);
        worker_note(ses->worker, KAFKA_NOTE_WARN, text);
    }
    if (facts.created) {
        ses->topic_created = true;
        ses->head_offset = 0;
    }
    ses->partition = kafka_positions_partition(ses->settings->identity, facts.partitions);
    return STEP_DONE;
}

/* Commits the head. A commit waits for deliveries that are to be taken up meanwhile; and where a right is
 * missing, none comes, but the commit tells at once. */
static int commit_head(struct kafka_session *ses)
{
    const struct call commit = {rd_kafka_commit_transaction, "committing", false, ses};
    ses->undelivered.text[0] = '\0';
    if (insist(ses->rk, &commit, ses->settings->timeout_ms, ses->worker, &ses->err) == 0) {
        return 0;
    }
    struct error why = *ses->undelivered.text ? ses->undelivered : ses->err;
    return error_set(&ses->err, "topic %s: %.400s%s", ses->settings->positions_topic, why.text,
                     strstr(why.text, rd_kafka_err2str(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED))
                         ? "; grant Write on it"
                         : "");
}

/* A transaction with nothing but our head: from now on who reads the topic knows us as its owner. */
static enum step write_head(struct kafka_session *ses)
{
    struct buf key = {0}, value = {0};
    enum step step = STEP_AGAIN;
    if (kafka_session_key(&key, ses->settings->identity) < 0 ||
        kafka_head_value(&value, ses->id, ses->number) < 0) {
        error_set(&ses->err, "out of memory");
    } else if (begin(ses->rk, &ses->err) == 0) {
        rd_kafka_resp_err_t code =
            rd_kafka_producev(ses->rk, RD_KAFKA_V_RKT(ses->topic), RD_KAFKA_V_PARTITION(ses->partition),
                              RD_KAFKA_V_KEY(key.data, key.len), RD_KAFKA_V_VALUE(value.data, value.len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (code) {
            error_set(&ses->err, "topic %s: %s", ses->settings->positions_topic, rd_kafka_err2str(code));
        } else if (commit_head(ses) == 0) {
            step = STEP_DONE;
        }
    }
    buf_free(&key);
    buf_free(&value);
    return step;
}

/* Reads back up to our head. Another process may have come, and delivered lines, between the look for it and
 * our registering, which fenced it off in turn: then what we hold was delivered, and is read no more. */
static enum step read_back(struct kafka_session *ses)
{
    struct kafka_past past = past_of(ses);
    past.until = ses->number;
    past.ours = ses->resumed && ses->head_offset > 0;
    past.positions = ses->resumed ? NULL : json_object();
    int64_t from = ses->resumed ? ses->head_offset : RD_KAFKA_OFFSET_BEGINNING;
    if (kafka_past_read(&past, ses->settings, ses->partition, from, ses->worker, &ses->err) < 0) {
        json_decref(past.positions);
        ses->head_offset = 0; /* the next time from the beginning */
        return STEP_AGAIN;
    }
    if (ses->resumed && past.overtaken) {
        return STEP_FENCED;
    }
    ses->positions = past.positions;
    ses->committed = past.committed;
    ses->head_offset = past.head_offset;
    return begin(ses->rk, &ses->err) == 0 ? STEP_DONE : STEP_AGAIN;
}

static enum step open_transactional(struct kafka_session *ses)
{
    static const struct call init = {rd_kafka_init_transactions, "registering with the brokers", false, NULL};
    enum step step = find_topic(ses);
    if (step != STEP_DONE) {
        return step;
    }
    if (insist(ses->rk, &init, ses->settings->timeout_ms, ses->worker, &ses->err) < 0) {
        return STEP_AGAIN;
    }
    ses->number++;
    step = write_head(ses);
    return step == STEP_DONE ? read_back(ses) : step;
}

static void drop_producer(struct kafka_session *ses)
{
    if (ses->topic) {
        rd_kafka_topic_destroy(ses->topic);
    }
    if (ses->rk) {
        rd_kafka_destroy(ses->rk);
    }
    ses->topic = NULL;
    ses->rk = NULL;
}

static enum step attempt(struct kafka_session *ses)
{
    bool exactly = ses->settings->delivery == KAFKA_EXACTLY_ONCE;
    bool fresh = ses->rk && !ses->used;
    if (!fresh) {
        drop_producer(ses);
    }
    ses->used = true;
    if (exactly && ses->resumed) {
        enum step step = look_for_stranger(ses);
        if (step != STEP_DONE) {
            return step;
        }
    }
    if (!fresh && !(ses->rk = kafka_client(ses->settings, RD_KAFKA_PRODUCER, &ses->err))) {
        return STEP_AGAIN;
    }
    enum step step = exactly ? open_transactional(ses) : STEP_DONE;
    if (step == STEP_AGAIN) {
        take_events(ses, 0);
    }
    return step;
}

static void say_why(struct kafka_session *ses)
{
    char text[sizeof(ses->err.text) + sizeof(ses->broker_err.text) + 64];
    bool more = *ses->broker_err.text;
    snprintf(text, sizeof(text), "%s%s%s%s", ses->err.text, more ? " (" : "", ses->broker_err.text,
             more ? ")" : "");
    worker_note(ses->worker, KAFKA_NOTE_TROUBLE, text);
}

void kafka_session_run(struct job *job)
{
    struct kafka_session *ses = (struct kafka_session *)job;
    int delay_ms = ses->delay_ms, backoff_ms = BACKOFF_MS;
    ses->topic_created = ses->committed = false;
    ses->outcome = KAFKA_ENDED;
    ses->broker_err.text[0] = '\0';
    bool said = false;
    while (worker_wait(ses->worker, delay_ms)) {
        enum step step = attempt(ses);
        if (step == STEP_DONE || step == STEP_FENCED) {
            ses->outcome = step == STEP_DONE ? KAFKA_OPENED : KAFKA_FENCED;
            return;
        }
        if (!said && !worker_ending(ses->worker)) {
            say_why(ses);
            said = true;
        }
        delay_ms = is_fenced(ses->rk) ? KAFKA_FENCED_MS : backoff_ms;
        delay_ms +=
            (int)(clock_monotonic() / NS_PER_US % delay_ms); /* so that two do not fence each other in step */
        backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
    }
    drop_producer(ses);
}
