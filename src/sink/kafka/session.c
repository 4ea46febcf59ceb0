#include "session.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#include "admin.h"
#include "broker_clock.h"
#include "transaction.h"
#include "trouble.h"

#define BACKOFF_MS     200 /* before the second try; doubled for each further one */
#define BACKOFF_MAX_MS 5000

enum step { STEP_DONE, STEP_AGAIN, STEP_FENCED, STEP_LOST };

int kafka_session_name(char id[KAFKA_SESSION_LEN + 1])
{
    uint64_t random[2];
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return -1;
    }
    snprintf(id, KAFKA_SESSION_LEN + 1, "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    return 0;
}

/* Keeps what the producer tells of its brokers, for that says more than that a call took too long; and why a
 * delivery failed. */
static void take_events(void *arg, int wait_ms)
{
    struct kafka_session *ses = arg;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(ses->rk);
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(queue, wait_ms))) {
        wait_ms = rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR ? 0 : wait_ms;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
            rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            error_set(&ses->broker_err, "%s", rd_kafka_event_error_string(event));
        }
        const char *facility, *text;
        int level;
        if (rd_kafka_event_log(event, &facility, &text, &level) == 0) {
            kafka_take_reason(&ses->reason, facility, text);
        }
        const rd_kafka_message_t *m;
        while (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR && (m = rd_kafka_event_message_next(event))) {
            kafka_doubt_note(&ses->doubt, m);
            ses->ahead_ms = kafka_clock_ahead(m, ses->ahead_ms);
            if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE) { /* that follows from another failure */
                ses->purged = true;
            } else if (m->err) {
                kafka_delivery_fault(&ses->undelivered, m);
            }
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
}

static struct kafka_past past_of(const struct kafka_session *ses)
{
    return (struct kafka_past){.identity = ses->settings->identity,
                               .session = ses->id,
                               .in_doubt = ses->in_doubt,
                               .acked = ses->acked,
                               .head_offset = -1};
}

/* Did another process take over? This is asked first, for a new producer of ours would fence it in turn. */
static enum step look_for_stranger(struct kafka_session *ses)
{
    struct kafka_past past = past_of(ses);
    if (kafka_past_read(&past, ses->settings, ses->partition, ses->head_offset, ses->worker, &ses->err) < 0) {
        ses->head_offset = 0;
        return STEP_AGAIN;
    }
    if (!past.kept) { /* what is there instead, read_back finds */
        ses->head_offset = 0;
    }
    return past.stranger ? STEP_FENCED : STEP_DONE;
}

static void say_of_topic(struct kafka_session *ses, const char *said)
{
    char text[300];
    if (said) {
        snprintf(text, sizeof(text), "the positions topic: %s", said);
        worker_note(ses->worker, KAFKA_NOTE_WARN, text);
    }
}

static enum step find_topic(struct kafka_session *ses)
{
    struct kafka_topic_facts facts;
    ses->topic =
        kafka_topic_ensure(ses->rk, ses->settings, ses->settings->positions_topic, true, &facts, &ses->err);
    if (!ses->topic) {
        return STEP_AGAIN;
    }
    say_of_topic(ses, kafka_topic_fault(&facts, true));
    say_of_topic(ses, ses->used ? NULL : kafka_positions_advice(&facts)); /* once */
    if (facts.created) {
        ses->topic_created = true;
        ses->head_offset = 0;
    }
    ses->partition = kafka_positions_partition(ses->settings->identity, facts.partitions);
    return STEP_DONE;
}

/* Commits the head. The commit waits until its delivery is taken up. Where a right is missing no delivery
 * comes, but the commit fails at once. */
static int commit_head(struct kafka_session *ses)
{
    const struct kafka_call commit = {
        .function = rd_kafka_commit_transaction, .what = "committing", .hear = take_events, .arg = ses};
    ses->undelivered.text[0] = '\0';
    if (kafka_insist(ses->rk, &commit, ses->settings->timeout_ms, ses->worker, &ses->err) == 0) {
        return 0;
    }
    const struct error why = ses->err;
    return *ses->undelivered.text
               ? error_set(&ses->err, "%s", ses->undelivered.text)
               : error_set(&ses->err, "topic %s: %.400s", ses->settings->positions_topic, why.text);
}

static struct kafka_doubt_calls doubt_calls(struct kafka_session *ses)
{
    return (struct kafka_doubt_calls){.hear = take_events,
                                      .arg = ses,
                                      .undelivered = &ses->undelivered,
                                      .purged = &ses->purged,
                                      .reason = &ses->reason,
                                      .ahead_ms = &ses->ahead_ms,
                                      .look = true};
}

/* This comes before the head, whose commit would commit what is left in the partition of the positions. */
static enum step end_leftovers(struct kafka_session *ses)
{
    const struct kafka_doubt_calls calls = doubt_calls(ses);
    ses->undelivered.text[0] = '\0';
    ses->purged = false;
    ses->reason.text[0] = '\0';
    if (kafka_begin(ses->rk, &ses->err) < 0 ||
        kafka_doubt_end(&ses->doubt, ses->rk, ses->settings, ses->partition, &calls, ses->worker, &ses->err) <
            0) {
        return STEP_AGAIN;
    }
    kafka_doubt_clear(&ses->doubt);
    return STEP_DONE;
}

/* A transaction with nothing but our head: whoever reads the topic from now on knows us as the owner. */
static enum step write_head(struct kafka_session *ses)
{
    struct buf key = {0}, value = {0};
    enum step step = STEP_AGAIN;
    if (kafka_session_key(&key, ses->settings->identity) < 0 ||
        kafka_head_value(&value, ses->id, ses->number) < 0) {
        error_set(&ses->err, "out of memory");
    } else if (kafka_begin(ses->rk, &ses->err) == 0) {
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

/* Reads back up to our head. Between our look for another process and our registering, which fences it off,
 * it may have come and delivered lines: then what we hold was delivered already, and we end. And what was acknowledged
 * may be gone: a broker that dies between a commit and its markers never writes them (KAFKA-20734), and what ends the next
 * transaction aborts that one too. */
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
    if (ses->resumed && !past.kept) {
        if (past.older) {
            return STEP_LOST;
        }
        ses->topic_created = true; /* somebody made it anew */
    }
    if (kafka_begin(ses->rk, &ses->err) < 0) {
        json_decref(past.positions);
        return STEP_AGAIN;
    }
    ses->positions = past.positions;
    ses->committed = past.committed;
    ses->head_offset = past.head_offset;
    ses->acked = ses->number;
    return STEP_DONE;
}

static enum step open_transactional(struct kafka_session *ses)
{
    static const struct kafka_call init = {.function = rd_kafka_init_transactions,
                                           .what = "registering with the brokers"};
    enum step step = find_topic(ses);
    if (step != STEP_DONE) {
        return step;
    }
    if (kafka_insist(ses->rk, &init, ses->settings->timeout_ms, ses->worker, &ses->err) < 0) {
        return STEP_AGAIN;
    }
    step = end_leftovers(ses);
    if (step != STEP_DONE) {
        return step;
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
        if (ses->settings->delivery == KAFKA_EXACTLY_ONCE && !worker_ending(ses->worker)) {
            const struct kafka_doubt_calls calls = doubt_calls(ses);
            kafka_doubt_hear_out(ses->rk, &calls);
        }
        kafka_doubt_detach(&ses->doubt);
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
    if (!fresh) {
        kafka_files_note(&ses->files, ses->settings);
        ses->rk = kafka_client(ses->settings, RD_KAFKA_PRODUCER, &ses->err);
    }
    if (!ses->rk) {
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
    char text[sizeof(ses->err.text) + sizeof(ses->broker_err.text) + 128];
    bool more = *ses->broker_err.text && !strstr(ses->err.text, ses->broker_err.text);
    bool advised = strstr(ses->err.text, "; grant ");
    snprintf(text, sizeof(text), "%s%s%s%s%s", ses->err.text,
             advised ? "" : kafka_right_advice(ses->err.text), more ? " (" : "",
             more ? ses->broker_err.text : "", more ? ")" : "");
    worker_note(ses->worker, KAFKA_NOTE_TROUBLE, text);
}

enum exit_code kafka_session_verdict(const struct kafka_session *ses, struct error *why)
{
    if (ses->outcome == KAFKA_FENCED) {
        error_set(
            why,
            "another process with the identity %.200s took over; it goes on from what was delivered. Each "
            "collector needs a kafka.identity of its own",
            ses->settings->identity);
        return EXIT_FENCED;
    }
    /* Its lines are acknowledged, and in their files still: a new process begins from the positions that are kept. */
    error_set(
        why,
        "the brokers have lost a transaction that they had said was committed (KAFKA-20734: one died and "
        "never marked it so); its lines are read again, from the positions that Kafka has");
    return EXIT_ANEW;
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
        if (step != STEP_AGAIN) {
            ses->outcome = step == STEP_DONE ? KAFKA_OPENED : step == STEP_FENCED ? KAFKA_FENCED : KAFKA_LOST;
            return;
        }
        if (!said && !worker_ending(ses->worker)) {
            say_why(ses);
            said = true;
        }
        delay_ms = kafka_is_fenced(ses->rk) ? KAFKA_FENCED_MS : backoff_ms;
        delay_ms +=
            (int)(clock_monotonic() / NS_PER_US % delay_ms); /* so that two do not fence each other in step */
        backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
    }
    drop_producer(ses);
}
