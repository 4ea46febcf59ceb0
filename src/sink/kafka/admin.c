#include "admin.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_MS     3000 /* for one question */
#define LOOK_MS    1000 /* for the simplest one */
#define SETTLE_MS  100  /* between looks at a topic that was just made */
#define SETTLE_MAX 50

/* What a topic of positions is made with. Small segments, so that reading it back stays short: only closed
 * ones are compacted. The broker stamps its messages: a machine whose clock is wrong has positions too. */
static const char *const compact_configs[][2] = {
    {"cleanup.policy", "compact"},       {"segment.bytes", "16777216"},
    {"segment.ms", "3600000"},           {"min.cleanable.dirty.ratio", "0.1"},
    {"delete.retention.ms", "86400000"}, {"message.timestamp.type", "LogAppendTime"},
};

/* Waits for an admin request's answer. NULL: err says why. */
static rd_kafka_event_t *answer(rd_kafka_queue_t *queue, const struct kafka_settings *s, struct error *err)
{
    rd_kafka_event_t *event = NULL;
    for (int waited_ms = 0; !event && !s->ending && waited_ms < ASK_MS * 2; waited_ms += 100) {
        event = rd_kafka_queue_poll(queue, 100);
    }
    if (event && !rd_kafka_event_error(event)) {
        return event;
    }
    error_set(err, "%s", event ? rd_kafka_event_error_string(event) : "no answer");
    if (event) {
        rd_kafka_event_destroy(event);
    }
    return NULL;
}

static rd_kafka_AdminOptions_t *options(rd_kafka_t *rk, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *made = rd_kafka_AdminOptions_new(rk, op);
    rd_kafka_AdminOptions_set_request_timeout(made, ASK_MS, NULL, 0);
    return made;
}

/* Makes the topic, or (`only_try`) asks whether it could be made. 0; 1: it is there already; -1: err says why not. */
static int create(rd_kafka_t *rk, const struct kafka_settings *s, const char *name, bool compact,
                  bool only_try, struct error *err)
{
    char why[256];
    int partitions = compact ? KAFKA_POSITIONS_PARTITIONS : s->partitions;
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, s->replication, why, sizeof(why));
    if (!topic) {
        return error_set(err, "%s", why);
    }
    for (size_t i = 0; compact && i < sizeof(compact_configs) / sizeof(compact_configs[0]); i++) {
        rd_kafka_NewTopic_set_config(topic, compact_configs[i][0], compact_configs[i][1]);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *opts = options(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_validate_only(opts, only_try, NULL, 0);
    rd_kafka_CreateTopics(rk, &topic, 1, opts, queue);
    struct error reason = {0};
    rd_kafka_event_t *event = answer(queue, s, &reason);
    int result = 0;
    if (event) {
        size_t count;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[0]);
        result = code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
        if (code && !result) {
            const char *words = rd_kafka_topic_result_error_string(results[0]);
            error_set(&reason, "%s", words ? words : rd_kafka_err2str(code));
        }
        rd_kafka_event_destroy(event);
    }
    if (*reason.text) {
        result = error_set(err, "%s", reason.text);
    }
    rd_kafka_AdminOptions_destroy(opts);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    return result;
}

rd_kafka_resp_err_t kafka_topic_look(rd_kafka_t *rk, rd_kafka_topic_t *topic, int *partitions)
{
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, topic, &metadata, LOOK_MS);
    if (code) {
        return code;
    }
    const rd_kafka_metadata_topic_t *found = &metadata->topics[0];
    code = metadata->topic_cnt == 1 ? found->err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *partitions = metadata->topic_cnt == 1 ? found->partition_cnt : 0;
    for (int i = 0; !code && i < *partitions; i++) {
        code = found->partitions[i].err;
    }
    rd_kafka_metadata_destroy(metadata);
    return code;
}

const char *kafka_topic_fault(const struct kafka_topic_facts *facts, bool compact)
{
    const char *policy = facts->cleanup_policy;
    if (compact && *policy && strcmp(policy, "compact") != 0) {
        return "positions of quiet containers are lost with old segments, and lines doubled; set "
               "cleanup.policy=compact on it, nothing else";
    }
    if (!compact && strstr(policy, "compact")) {
        return "it is compacted: of all lines with one key the last remains; set cleanup.policy=delete on it";
    }
    return NULL;
}

bool kafka_topic_gone(rd_kafka_t *rk, char name[KAFKA_TOPIC_MAX + 1])
{
    const rd_kafka_metadata_t *metadata;
    bool gone = false;
    if (rd_kafka_metadata(rk, 0, NULL, &metadata, LOOK_MS)) {
        return false;
    }
    for (int i = 0; !gone && i < metadata->topic_cnt; i++) {
        gone = metadata->topics[i].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        snprintf(name, KAFKA_TOPIC_MAX + 1, "%s", metadata->topics[i].topic);
    }
    rd_kafka_metadata_destroy(metadata);
    return gone;
}

static void take_configs(const rd_kafka_ConfigResource_t *resource, struct kafka_topic_facts *facts)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value && !strcmp(name, "max.message.bytes")) {
            facts->message_max = strtoul(value, NULL, 10);
        } else if (value && !strcmp(name, "message.timestamp.before.max.ms")) {
            facts->older_ms = strtoll(value, NULL, 10);
        } else if (value && !strcmp(name, "message.timestamp.after.max.ms")) {
            facts->newer_ms = strtoll(value, NULL, 10);
        } else if (value && !strcmp(name, "cleanup.policy")) {
            snprintf(facts->cleanup_policy, sizeof(facts->cleanup_policy), "%s", value);
        }
    }
}

/* What the topic takes. It may not be allowed to ask: then that stays unknown. */
static rd_kafka_resp_err_t ask_configs(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                       struct kafka_topic_facts *facts)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *opts = options(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(rk, &resource, 1, opts, queue);
    rd_kafka_event_t *event = answer(queue, s, NULL);
    if (event) {
        size_t count;
        const rd_kafka_ConfigResource_t **resources =
            rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
        code = count == 1 ? rd_kafka_ConfigResource_error(resources[0]) : RD_KAFKA_RESP_ERR__FAIL;
        if (!code) {
            take_configs(resources[0], facts);
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(opts);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
    return code;
}

/* Waits until a topic has leaders. */
static rd_kafka_resp_err_t settle(rd_kafka_t *rk, const struct kafka_settings *s, rd_kafka_topic_t *topic,
                                  struct kafka_topic_facts *facts)
{
    static const struct timespec between = {0, SETTLE_MS * 1000000L};
    rd_kafka_resp_err_t code = kafka_topic_look(rk, topic, &facts->partitions);
    for (int i = 0; i < SETTLE_MAX && !s->ending; i++) {
        if (code != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE &&
            !(facts->created && code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)) {
            break;
        }
        nanosleep(&between, NULL);
        code = kafka_topic_look(rk, topic, &facts->partitions);
    }
    return code;
}

/* Makes a topic that is not there. */
static int make(rd_kafka_t *rk, const struct kafka_settings *s, const char *name, bool compact,
                struct kafka_topic_facts *facts, struct error *err)
{
    struct error why = {0};
    int result = create(rk, s, name, compact, false, &why);
    if (result < 0) {
        return error_set(err, "topic %s is not there and cannot be made: %.300s; make it, or grant Create",
                         name, why.text);
    }
    facts->created = true;
    facts->ours = result == 0;
    return 0;
}

rd_kafka_topic_t *kafka_topic_ensure(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                     bool compact, struct kafka_topic_facts *facts, struct error *err)
{
    *facts = (struct kafka_topic_facts){.older_ms = INT64_MAX, .newer_ms = INT64_MAX};
    if (ask_configs(rk, s, name, facts) == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
        make(rk, s, name, compact, facts, err) < 0) {
        return NULL;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
    rd_kafka_resp_err_t code = topic ? settle(rk, s, topic, facts) : rd_kafka_last_error();
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
        !facts->created) { /* it may not be asked what it takes */
        if (make(rk, s, name, compact, facts, err) < 0) {
            rd_kafka_topic_destroy(topic);
            return NULL;
        }
        code = settle(rk, s, topic, facts);
    }
    if (code) {
        error_set(err, "topic %s: %s", name, rd_kafka_err2str(code));
        if (topic) {
            rd_kafka_topic_destroy(topic);
        }
        return NULL;
    }
    if (facts->created) {
        ask_configs(rk, s, name, facts);
    }
    return topic;
}

enum kafka_topic_state kafka_topic_probe(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                         bool compact, struct kafka_topic_facts *facts, struct error *err)
{
    *facts = (struct kafka_topic_facts){.older_ms = INT64_MAX, .newer_ms = INT64_MAX};
    rd_kafka_resp_err_t code = ask_configs(rk, s, name, facts);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_TOPIC_THERE;
    }
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return create(rk, s, name, compact, true, err) < 0 ? KAFKA_TOPIC_MISSING : KAFKA_TOPIC_MAY_BE_MADE;
    }
    error_set(err, "%s", rd_kafka_err2str(code));
    return KAFKA_TOPIC_UNKNOWN;
}
