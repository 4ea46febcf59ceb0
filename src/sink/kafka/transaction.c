#include "transaction.h"

#include <string.h>

#include "base/clock.h"

#include "admin.h"

#define CALL_MS 1000 /* for one call, which is resumed when that was too short */
#define HEAR_MS 100  /* the same, when the producer has to be heard in between */

bool kafka_lacks_right(const char *text)
{
    return strstr(text, rd_kafka_err2str(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED));
}

const char *kafka_right_advice(const char *text)
{
    if (strstr(text, rd_kafka_err2str(RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED))) {
        return "; grant Write and Describe on transactional ids with the prefix sidetail- and kafka.identity";
    }
    return kafka_lacks_right(text) ? "; grant Write on it" : "";
}

void kafka_take_reason(struct error *reason, const char *facility, const char *text)
{
    bool right = !strcmp(facility, "ADDPARTS") && kafka_lacks_right(text); /* it names the topic */
    if (!*reason->text && (right || !strcmp(facility, "TXNERR"))) {
        const char *thread = strstr(text, "]: ");
        error_set(reason, "%s%s", thread ? thread + 3 : text, kafka_right_advice(text));
    }
}

bool kafka_is_fenced(rd_kafka_t *rk)
{
    rd_kafka_resp_err_t code = rk ? rd_kafka_fatal_error(rk, NULL, 0) : RD_KAFKA_RESP_ERR_NO_ERROR;
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

int kafka_insist(rd_kafka_t *rk, const struct kafka_call *call, int timeout_ms, struct worker *worker,
                 struct error *err)
{
    int64_t until_ns = clock_monotonic() + timeout_ms * NS_PER_MS;
    for (;;) {
        if (call->hear) {
            call->hear(call->arg, HEAR_MS);
        }
        rd_kafka_error_t *error = call->function(rk, call->hear ? HEAR_MS : CALL_MS);
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

int kafka_begin(rd_kafka_t *rk, struct error *err)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(rk);
    if (error) {
        error_set(err, "beginning a transaction: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        return -1;
    }
    return 0;
}

void kafka_commit_run(struct job *job)
{
    struct kafka_commit *c = (struct kafka_commit *)job;
    c->begun = false;
    const struct kafka_call commit = {
        .function = rd_kafka_commit_transaction, .what = "committing", .delivers = true};
    c->committed = kafka_insist(c->rk, &commit, c->timeout_ms, c->worker, &c->err) == 0;
    if (c->committed) {
        c->begun = kafka_begin(c->rk, &c->err) == 0;
    }
    c->fenced = kafka_is_fenced(c->rk);
}
