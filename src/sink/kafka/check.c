/* sidetail check --connect: tries what the sink will need, and writes a line about each thing. No try leaves
 * a trace. The right to make a topic is asked for without making it. The record sent to try the right to
 * write is longer than the topic takes: a broker refuses it in any case, and its reason tells whether we may
 * write. */
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kafka/advice.h"
#include "kafka/topic_name.h"
#include "record/tags.h"
#include "sink/kafka.h"

#include "admin.h"
#include "settings.h"

#define CONNECT_MS 10000
#define TRY_MS     1000
#define ASK_MS     5000

#define WRITE_MAX (16 << 20) /* a topic that takes more than this is not written to */

struct check {
    const struct kafka_settings *settings;
    FILE *out;
    rd_kafka_t *rk; /* neither transactional nor idempotent */
    bool failed;
    struct error broker; /* what was last told of a broker */
};

static void say(struct check *c, const char *state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct check *c, const char *state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(c->out, "%-5s kafka: ", state);
    vfprintf(c->out, format, args);
    fputc('\n', c->out);
    va_end(args);
    c->failed = c->failed || !strcmp(state, "FAIL");
}

/* A producer of the same brokers and login, but for what is tried here. */
static rd_kafka_t *client(const struct kafka_settings *s, const char *const (*changes)[2], struct error *err)
{
    char why[400];
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(s->producer);
    for (; (*changes)[0]; changes++) {
        if (rd_kafka_conf_set(conf, (*changes)[0], (*changes)[1], why, sizeof(why)) != RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            error_set(err, "%s", why);
            return NULL;
        }
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        error_set(err, "%s", why);
        return NULL;
    }
    rd_kafka_set_log_queue(rk, NULL);
    return rk;
}

/* Waits for the next delivery and returns its error, or until time is up. Keeps what was last told of a
 * broker. */
static rd_kafka_resp_err_t await_delivery(rd_kafka_t *rk, int timeout_ms, struct error *broker)
{
    int64_t until_ns = clock_monotonic() + timeout_ms * NS_PER_MS;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(rk);
    do {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms < 100 ? timeout_ms : 100);
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
            rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            error_set(broker, "%s", rd_kafka_event_error_string(event));
        } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
            code = rd_kafka_event_message_next(event)->err;
        }
        rd_kafka_event_destroy(event);
    } while (code == RD_KAFKA_RESP_ERR__TIMED_OUT && clock_monotonic() < until_ns);
    rd_kafka_queue_destroy(queue);
    return code;
}

/* -- brokers and login ------------------------------------------------------------------------- */

/* Asks until there is an answer, or no hope of one. */
static rd_kafka_resp_err_t ask_brokers(struct check *c, const rd_kafka_metadata_t **metadata)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int waited_ms = 0; waited_ms < CONNECT_MS; waited_ms += TRY_MS) {
        code = rd_kafka_metadata(c->rk, 0, NULL, metadata, TRY_MS);
        await_delivery(c->rk, 10, &c->broker);
        if (!code || (*c->broker.text && waited_ms >= TRY_MS)) {
            break;
        }
    }
    return code;
}

static int check_brokers(struct check *c)
{
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t code = ask_brokers(c, &metadata);
    if (code) {
        const char *said = *c->broker.text ? c->broker.text : rd_kafka_err2str(code);
        say(c, "FAIL", "brokers: %s: %s; %s", c->settings->brokers, said,
            kafka_advice(c->settings->producer, said));
        return -1;
    }
    say(c, "ok", "brokers: %s answer, %d of them in the cluster", c->settings->brokers, metadata->broker_cnt);
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

/* -- topics ------------------------------------------------------------------------------------ */

/* Sends what the topic cannot take. 0: we may write; -1: we may not, and err says why; 1: not known. */
static int try_write(struct check *c, const char *name, size_t takes, struct error *err)
{
    size_t size = takes + 4096;
    char limit[24];
    const char *const changes[][2] = {{"transactional.id", NULL},     {"enable.idempotence", "false"},
                                      {"message.timeout.ms", "5000"}, {"request.timeout.ms", "4000"},
                                      {"compression.codec", "none"},  {"message.max.bytes", limit},
                                      {"batch.size", limit},          {NULL, NULL}};
    if (takes == 0 || takes > WRITE_MAX) {
        return 1;
    }
    snprintf(limit, sizeof(limit), "%zu", size + 4096);
    char *zeros = calloc(1, size);
    rd_kafka_t *rk = zeros ? client(c->settings, changes, err) : NULL;
    int result = 1;
    if (rk && !rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_VALUE(zeros, size),
                                 RD_KAFKA_V_KEY("check", 5), RD_KAFKA_V_END)) {
        rd_kafka_resp_err_t code = await_delivery(rk, ASK_MS * 2, &c->broker);
        if (!code || code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
            result = 0;
        } else {
            result = error_set(err, "%s", rd_kafka_err2str(code));
        }
    }
    if (rk) {
        rd_kafka_destroy(rk);
    }
    free(zeros);
    return result;
}

static void check_write(struct check *c, const char *what, const char *name, size_t takes)
{
    struct error err = {0};
    switch (try_write(c, name, takes, &err)) {
    case 0:
        say(c, "ok", "%s %s: is there, may be written to, takes %zu bytes at once", what, name, takes);
        break;
    case 1:
        say(c, "note", "%s %s: is there; whether it may be written to could not be tried", what, name);
        break;
    default:
        say(c, "FAIL", "%s %s: is there but may not be written to: %s; grant Write on it", what, name,
            err.text);
        break;
    }
}

/* A topic of a certain name. */
static void check_topic(struct check *c, const char *what, const char *name, bool compact)
{
    struct error err = {0};
    struct kafka_topic_facts facts;
    switch (kafka_topic_probe(c->rk, c->settings, name, compact, &facts, &err)) {
    case KAFKA_TOPIC_THERE:
        check_write(c, what, name, facts.message_max);
        if (kafka_topic_fault(&facts, compact)) {
            say(c, "FAIL", "%s %s: cleanup.policy is %s: %s", what, name, facts.cleanup_policy,
                kafka_topic_fault(&facts, compact));
        }
        if (compact && kafka_positions_advice(&facts)) {
            say(c, "note", "%s %s: %s", what, name, kafka_positions_advice(&facts));
        }
        break;
    case KAFKA_TOPIC_MAY_BE_MADE:
        say(c, "ok", "%s %s: not there yet, will be made", what, name);
        say(c, "note", "%s %s: whether it may be used can only be tried when it is there; grant %s on it",
            what, name, compact ? "Write and Read" : "Write");
        break;
    case KAFKA_TOPIC_MISSING:
        say(c, "FAIL", "%s %s: not there, and may not be made: %s; make it, or grant Create", what, name,
            err.text);
        break;
    case KAFKA_TOPIC_UNKNOWN:
        say(c, "FAIL", "%s %s: %s; grant Describe and Write on it", what, name, err.text);
        break;
    }
}

/* The names of a template's topics are not known yet. One that exists, if any, is tried for all that do; and
 * may others be made? */
static void check_template(struct check *c, const char *template)
{
    static struct tags sample = {.refs = 1, .service = "sidetail-check", .host = "sidetail-check"};
    char glob[KAFKA_GLOB_MAX], name[KAFKA_TOPIC_MAX + 1];
    kafka_topic_glob(template, NULL, glob);
    const rd_kafka_metadata_t *metadata;
    if (rd_kafka_metadata(c->rk, 1, NULL, &metadata, ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; i < metadata->topic_cnt; i++) {
            if (fnmatch(glob, metadata->topics[i].topic, 0) == 0) {
                check_topic(c, "topic", metadata->topics[i].topic, false);
                break;
            }
        }
        rd_kafka_metadata_destroy(metadata);
    }
    struct error err = {0};
    struct kafka_topic_facts facts;
    kafka_topic_name(template, &sample, STREAM_STDOUT, name);
    switch (kafka_topic_probe(c->rk, c->settings, name, false, &facts, &err)) {
    case KAFKA_TOPIC_THERE:
    case KAFKA_TOPIC_MAY_BE_MADE:
        say(c, "ok", "topics %s: those missing will be made", template);
        break;
    default:
        say(c, "note",
            "topics %s: those missing may not be made by sidetail (%s): make them beforehand, or grant "
            "Create",
            template, err.text);
        break;
    }
}

static void check_topics(struct check *c, const char *template)
{
    if (strchr(template, '{')) {
        check_template(c, template);
    } else {
        check_topic(c, "topic", template, false);
    }
}

/* -- positions and transactions ---------------------------------------------------------------- */

static void check_read(struct check *c)
{
    struct error err = {0};
    const char *name = c->settings->positions_topic;
    rd_kafka_t *rk = kafka_client(c->settings, RD_KAFKA_CONSUMER, &err);
    rd_kafka_topic_t *topic = rk ? rd_kafka_topic_new(rk, name, NULL) : NULL;
    int partitions = 0;
    if (topic && !kafka_topic_look(rk, topic, &partitions) &&
        rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_END) == 0) {
        rd_kafka_message_t *m = rd_kafka_consume(topic, 0, ASK_MS);
        if (m && m->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
            say(c, "FAIL", "positions topic %s: may not be read; grant Read on it", name);
        } else if (m) {
            say(c, "ok", "positions topic %s: may be read", name);
        } else {
            say(c, "FAIL", "positions topic %s: cannot be read: no answer", name);
        }
        if (m) {
            rd_kafka_message_destroy(m);
        }
        rd_kafka_consume_stop(topic, 0);
    }
    if (topic) {
        rd_kafka_topic_destroy(topic);
    }
    if (rk) {
        rd_kafka_destroy(rk);
    }
}

/* Under a name beside the real one, which would fence off a running collector. */
static void check_transactions(struct check *c)
{
    struct error err = {0};
    char id[600];
    snprintf(id, sizeof(id), "sidetail-%s-check", c->settings->identity);
    const char *const changes[][2] = {{"transactional.id", id}, {NULL, NULL}};
    rd_kafka_t *rk = client(c->settings, changes, &err);
    if (!rk) {
        say(c, "FAIL", "transactions: %s", err.text);
        return;
    }
    rd_kafka_error_t *error = rd_kafka_init_transactions(rk, CONNECT_MS);
    if (!error) {
        say(c, "ok", "transactions: may be used as sidetail-%s", c->settings->identity);
    } else {
        bool refused = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        say(c, "FAIL",
            "transactions: %s; grant Write and Describe on TransactionalIds with the prefix sidetail-%s%s",
            rd_kafka_error_string(error), c->settings->identity,
            refused ? " (prefixed, not literal: check tries a name beside the collector's own, so as not to "
                      "fence it off)"
                    : " (and the brokers need transaction.state.log.replication.factor of them)");
        rd_kafka_error_destroy(error);
    }
    rd_kafka_destroy(rk);
}

static void check_all(struct check *c, const struct config *cfg)
{
    const struct kafka_settings *s = c->settings;
    if (check_brokers(c) < 0) {
        return;
    }
    check_topics(c, s->topic);
    for (size_t i = 0; i < cfg->override_count; i++) {
        if (cfg->overrides[i].topic) {
            check_topics(c, cfg->overrides[i].topic);
        }
    }
    if (s->oversize == KAFKA_DEAD_LETTER) {
        check_topic(c, "dead-letter topic", s->dead_letter_topic, false);
    }
    if (s->delivery == KAFKA_EXACTLY_ONCE) {
        check_topic(c, "positions topic", s->positions_topic, true);
        check_read(c);
        check_transactions(c);
    }
}

int kafka_check(const struct config *cfg, FILE *out)
{
    static const char *const plain[][2] = {{"transactional.id", NULL},
                                           {"enable.idempotence", "false"},
                                           {"message.timeout.ms", "5000"},
                                           {NULL, NULL}};
    struct error err = {0};
    struct check c = {.out = out};
    struct kafka_settings *s = kafka_settings_new(cfg, &err);
    c.settings = s;
    c.rk = s ? client(s, plain, &err) : NULL;
    if (c.rk) {
        check_all(&c, cfg);
        rd_kafka_destroy(c.rk);
    } else {
        say(&c, "FAIL", "%s", err.text);
    }
    kafka_settings_free(s);
    return c.failed ? -1 : 0;
}
