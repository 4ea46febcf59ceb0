#include "admin.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_MS     3000 /* for one question … */
#define MORE_MS    20   /* … and for each topic of it */
#define LOOK_MS    1000 /* for the simplest one */
#define SETTLE_MS  100  /* between looks at topics that were just made … */
#define SETTLE_MAX 65

#define SETTLE_SOON_MS 30 /* … but the first ones */
#define SETTLE_SOON    20

#define REQUEST_MAX 10000 /* partitions that Kafka makes by one request */
#define WHY_MAX     256

#define DELETED_LONG_MS (60 * 60 * 1000)

/* What a topic of positions is made with. Small segments, so that reading it back stays short: only closed
 * ones are compacted. For the same reason what is deleted is soon gone, for that is the end of each transaction too: in a day, a
 * thousand collectors would leave gigabytes of these. It has to stay while somebody reads on from what was before it. The
 * broker stamps its messages: a machine whose clock is wrong has positions too. */
static const char *const compact_configs[][2] = {
    {"cleanup.policy", "compact"},     {"segment.bytes", "16777216"},
    {"segment.ms", "3600000"},         {"min.cleanable.dirty.ratio", "0.1"},
    {"delete.retention.ms", "600000"}, {"message.timestamp.type", "LogAppendTime"},
};

/* Those of the topics that something is asked about. */
struct asked {
    struct kafka_want *list[KAFKA_WANTS_MAX];
    size_t count;
};

static struct asked those(const struct kafka_wants *wants, bool (*are)(const struct kafka_want *want))
{
    struct asked asked = {.count = 0};
    for (size_t i = 0; i < wants->count; i++) {
        if (!wants->list[i].failed && are(&wants->list[i])) {
            asked.list[asked.count++] = &wants->list[i];
        }
    }
    return asked;
}

/* Is the one that matters among them? It comes first then. */
static bool has_first(const struct asked *asked, const struct kafka_wants *wants)
{
    return asked->count > 0 && asked->list[0] == wants->list;
}

/* Those of a topic that is made; -1: as the brokers have it. */
static int partitions_of(const struct kafka_settings *s, bool compact)
{
    return compact ? KAFKA_POSITIONS_PARTITIONS : s->partitions;
}

static void refuse(struct kafka_wants *wants, struct kafka_want *want, const char *why)
{
    want->failed = true;
    if (want == wants->list) {
        error_set(&wants->err, "%s", why);
    }
}

/* -- questions --------------------------------------------------------------------------------- */

static int patience_ms(size_t topics)
{
    return ASK_MS + (int)topics * MORE_MS;
}

/* Waits for an admin request's answer. NULL: err says why. */
static rd_kafka_event_t *answer(rd_kafka_queue_t *queue, const struct kafka_settings *s, size_t topics,
                                struct error *err)
{
    rd_kafka_event_t *event = NULL;
    for (int waited_ms = 0; !event && !s->ending && waited_ms < patience_ms(topics) * 2; waited_ms += 100) {
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

static rd_kafka_AdminOptions_t *options(rd_kafka_t *rk, rd_kafka_admin_op_t op, size_t topics)
{
    rd_kafka_AdminOptions_t *made = rd_kafka_AdminOptions_new(rk, op);
    rd_kafka_AdminOptions_set_request_timeout(made, patience_ms(topics), NULL, 0);
    return made;
}

static rd_kafka_NewTopic_t *new_topic(const struct kafka_settings *s, const char *name, bool compact,
                                      char why[WHY_MAX])
{
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(name, partitions_of(s, compact), s->replication, why, WHY_MAX);
    for (size_t i = 0; topic && compact && i < sizeof(compact_configs) / sizeof(compact_configs[0]); i++) {
        rd_kafka_NewTopic_set_config(topic, compact_configs[i][0], compact_configs[i][1]);
    }
    return topic;
}

static void take_created(struct kafka_wants *wants, struct kafka_want *want,
                         const rd_kafka_topic_result_t *result)
{
    rd_kafka_resp_err_t code = result ? rd_kafka_topic_result_error(result) : RD_KAFKA_RESP_ERR__FAIL;
    const char *words = result ? rd_kafka_topic_result_error_string(result) : NULL;
    if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        refuse(wants, want, words ? words : rd_kafka_err2str(code));
        return;
    }
    want->facts.created = true;
    want->facts.ours = !code;
}

/* librdkafka gives the results in the order of the topics. */
static void take_all_created(struct kafka_wants *wants, const struct asked *asked, rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < asked->count; i++) {
        take_created(wants, asked->list[i], i < count ? results[i] : NULL);
    }
}

static void send_create(rd_kafka_t *rk, const struct kafka_settings *s, struct kafka_wants *wants,
                        const struct asked *asked, rd_kafka_NewTopic_t **topics, bool only_try)
{
    struct error why = {0};
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *opts = options(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS, asked->count);
    rd_kafka_AdminOptions_set_validate_only(opts, only_try, NULL, 0);
    rd_kafka_CreateTopics(rk, topics, asked->count, opts, queue);
    rd_kafka_event_t *event = answer(queue, s, asked->count, &why);
    if (event) {
        take_all_created(wants, asked, event);
        rd_kafka_event_destroy(event);
    }
    for (size_t i = 0; !event && i < asked->count; i++) {
        refuse(wants, asked->list[i], why.text);
    }
    rd_kafka_AdminOptions_destroy(opts);
    rd_kafka_queue_destroy(queue);
}

/* Makes the topics, or (`only_try`) asks whether they could be made. */
static void create(rd_kafka_t *rk, const struct kafka_settings *s, struct kafka_wants *wants,
                   const struct asked *asked, bool only_try)
{
    rd_kafka_NewTopic_t *topics[KAFKA_WANTS_MAX];
    struct asked valid = {.count = 0};
    for (size_t i = 0; i < asked->count; i++) {
        char why[WHY_MAX];
        topics[valid.count] = new_topic(s, asked->list[i]->name, wants->compact, why);
        if (topics[valid.count]) {
            valid.list[valid.count++] = asked->list[i];
        } else {
            refuse(wants, asked->list[i], why);
        }
    }
    if (valid.count > 0) {
        send_create(rk, s, wants, &valid, topics, only_try);
        rd_kafka_NewTopic_destroy_array(topics, valid.count);
    }
}

/* The topic's error; none when each of its partitions has a leader. */
static rd_kafka_resp_err_t code_of(const rd_kafka_metadata_topic_t *found, int *partitions)
{
    rd_kafka_resp_err_t code = found->err;
    *partitions = found->partition_cnt;
    for (int i = 0; !code && i < found->partition_cnt; i++) {
        code = found->partitions[i].err;
    }
    return code;
}

rd_kafka_resp_err_t kafka_topic_look(rd_kafka_t *rk, rd_kafka_topic_t *topic, int *partitions)
{
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, topic, &metadata, LOOK_MS);
    if (code) {
        return code;
    }
    code = metadata->topic_cnt == 1 ? code_of(&metadata->topics[0], partitions)
                                    : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(metadata);
    return code;
}

static int by_name(const void *a, const void *b)
{
    const struct kafka_want *const *one = a, *const *other = b;
    return strcmp((*one)->name, (*other)->name);
}

/* By one question about all topics that the producer knows, for librdkafka has none about some of them. */
static void look_at_many(rd_kafka_t *rk, struct asked *asked)
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, NULL, &metadata, LOOK_MS);
    qsort(asked->list, asked->count, sizeof(*asked->list), by_name);
    for (size_t i = 0; i < asked->count; i++) {
        asked->list[i]->code = code ? code : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
    for (int i = 0; !code && i < metadata->topic_cnt; i++) {
        const struct kafka_want key = {.name = metadata->topics[i].topic}, *sought = &key;
        struct kafka_want **found =
            bsearch(&sought, asked->list, asked->count, sizeof(*asked->list), by_name);
        if (found) {
            (*found)->code = code_of(&metadata->topics[i], &(*found)->facts.partitions);
        }
    }
    if (!code) {
        rd_kafka_metadata_destroy(metadata);
    }
}

static void look_at(rd_kafka_t *rk, struct asked *asked)
{
    if (asked->count > 1) {
        look_at_many(rk, asked);
    } else if (asked->count == 1) {
        struct kafka_want *want = asked->list[0];
        want->code = kafka_topic_look(rk, want->handle, &want->facts.partitions);
    }
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

const char *kafka_positions_advice(const struct kafka_topic_facts *facts)
{
    return facts->deleted_ms > DELETED_LONG_MS ? "it keeps the end of each transaction for longer than an "
                                                 "hour, and each start reads them all; "
                                                 "set delete.retention.ms=600000 on it"
                                               : NULL;
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
        } else if (value && !strcmp(name, "delete.retention.ms")) {
            facts->deleted_ms = strtoll(value, NULL, 10);
        } else if (value && !strcmp(name, "cleanup.policy")) {
            snprintf(facts->cleanup_policy, sizeof(facts->cleanup_policy), "%s", value);
        }
    }
}

static void take_asked(const struct asked *asked, rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    for (size_t i = 0; i < asked->count; i++) {
        struct kafka_want *want = asked->list[i];
        const rd_kafka_ConfigResource_t *resource = i < count ? resources[i] : NULL;
        want->code = resource ? rd_kafka_ConfigResource_error(resource) : RD_KAFKA_RESP_ERR__FAIL;
        if (!want->code) {
            take_configs(resource, &want->facts);
        }
    }
}

/* What the topics take. It may not be allowed to ask: then that stays unknown. */
static void ask_configs(rd_kafka_t *rk, const struct kafka_settings *s, const struct asked *asked)
{
    rd_kafka_ConfigResource_t *resources[KAFKA_WANTS_MAX];
    if (asked->count == 0) {
        return;
    }
    for (size_t i = 0; i < asked->count; i++) {
        resources[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, asked->list[i]->name);
        asked->list[i]->code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *opts = options(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, asked->count);
    rd_kafka_DescribeConfigs(rk, resources, asked->count, opts, queue);
    rd_kafka_event_t *event = answer(queue, s, asked->count, NULL);
    if (event) {
        take_asked(asked, event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(opts);
    rd_kafka_ConfigResource_destroy_array(resources, asked->count);
    rd_kafka_queue_destroy(queue);
}

/* -- making sure that they are there ----------------------------------------------------------- */

static bool is_any(const struct kafka_want *want)
{
    (void)want;
    return true;
}

static bool is_missing(const struct kafka_want *want)
{
    return want->code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && !want->facts.created;
}

static bool is_settling(const struct kafka_want *want)
{
    return want->code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           (want->facts.created && want->code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

static bool is_new(const struct kafka_want *want)
{
    return want->facts.created;
}

/* So many as a broker takes in one request, where it is known how many partitions they will have. */
static size_t most_at_once(const struct kafka_settings *s, const struct kafka_wants *wants)
{
    int partitions = partitions_of(s, wants->compact);
    size_t most = partitions > 0 ? REQUEST_MAX / (size_t)partitions : KAFKA_WANTS_MAX;
    return most > 0 ? most : 1;
}

/* The first of the list by itself: brokers refuse all of a request that is too large for them. */
static void make_first(rd_kafka_t *rk, const struct kafka_settings *s, struct kafka_wants *wants)
{
    const struct asked first = {.list = {wants->list}, .count = 1};
    wants->list->failed = false;
    create(rk, s, wants, &first, false);
}

/* Makes those that are not there. False: there was none. */
static bool make(rd_kafka_t *rk, const struct kafka_settings *s, struct kafka_wants *wants)
{
    struct asked missing = those(wants, is_missing);
    size_t most = most_at_once(s, wants);
    bool first = has_first(&missing, wants);
    missing.count = missing.count < most ? missing.count : most;
    create(rk, s, wants, &missing, false);
    if (first && wants->list->failed && missing.count > 1) {
        make_first(rk, s, wants);
    }
    if (first && wants->list->failed) {
        const struct error why = wants->err;
        error_set(&wants->err, "topic %s is not there and cannot be made: %.300s; make it, or grant Create",
                  wants->list->name, why.text);
    }
    return missing.count > 0;
}

/* Waits until they have leaders, for some seconds; once the first one has, for the others no longer than a moment. */
static void settle(rd_kafka_t *rk, const struct kafka_settings *s, struct kafka_wants *wants)
{
    for (int i = 0; i <= SETTLE_MAX; i++) {
        struct asked asked = those(wants, is_settling);
        if (asked.count == 0 || s->ending || (!has_first(&asked, wants) && i > SETTLE_SOON)) {
            return;
        }
        if (i > 0) {
            nanosleep(&(struct timespec){0, (i > SETTLE_SOON ? SETTLE_MS : SETTLE_SOON_MS) * 1000000L}, NULL);
        }
        look_at(rk, &asked);
    }
}

/* Takes a handle of each, by which it can be looked at. */
static void take_handles(rd_kafka_t *rk, struct kafka_wants *wants)
{
    const struct asked asked = those(wants, is_any);
    for (size_t i = 0; i < asked.count; i++) {
        struct kafka_want *want = asked.list[i];
        want->handle = rd_kafka_topic_new(rk, want->name, NULL);
        want->code = want->handle ? RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE : rd_kafka_last_error();
    }
}

static void give_up(struct kafka_wants *wants)
{
    for (size_t i = 0; i < wants->count; i++) {
        struct kafka_want *want = &wants->list[i];
        if (want->code && !want->failed) {
            struct error why;
            error_set(&why, "topic %s: %s", want->name, rd_kafka_err2str(want->code));
            refuse(wants, want, why.text);
        }
        if (want->failed && want->handle) {
            rd_kafka_topic_destroy(want->handle);
            want->handle = NULL;
        }
    }
}

static void begin(struct kafka_wants *wants)
{
    for (size_t i = 0; i < wants->count; i++) {
        struct kafka_want *want = &wants->list[i];
        want->facts = (struct kafka_topic_facts){.older_ms = INT64_MAX, .newer_ms = INT64_MAX};
        want->handle = NULL;
        want->code = RD_KAFKA_RESP_ERR_NO_ERROR;
        want->failed = false;
    }
}

void kafka_topics_ensure(rd_kafka_t *rk, const struct kafka_settings *s, struct kafka_wants *wants)
{
    begin(wants);
    const struct asked all = those(wants, is_any);
    ask_configs(rk, s, &all);
    make(rk, s, wants);
    take_handles(rk, wants);
    settle(rk, s, wants);
    if (make(rk, s, wants)) { /* those that may not be asked what they take */
        settle(rk, s, wants);
    }
    give_up(wants);
    const struct asked made = those(wants, is_new);
    ask_configs(rk, s, &made);
}

rd_kafka_topic_t *kafka_topic_ensure(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                     bool compact, struct kafka_topic_facts *facts, struct error *err)
{
    struct kafka_want want = {.name = name};
    struct kafka_wants wants = {.list = &want, .count = 1, .compact = compact};
    kafka_topics_ensure(rk, s, &wants);
    *facts = want.facts;
    if (want.failed) {
        error_set(err, "%s", wants.err.text);
    }
    return want.handle;
}

enum kafka_topic_state kafka_topic_probe(rd_kafka_t *rk, const struct kafka_settings *s, const char *name,
                                         bool compact, struct kafka_topic_facts *facts, struct error *err)
{
    struct kafka_want want = {.name = name};
    struct kafka_wants wants = {.list = &want, .count = 1, .compact = compact};
    const struct asked asked = {.list = {&want}, .count = 1};
    begin(&wants);
    ask_configs(rk, s, &asked);
    *facts = want.facts;
    if (want.code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_TOPIC_THERE;
    }
    if (want.code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        error_set(err, "%s", rd_kafka_err2str(want.code));
        return KAFKA_TOPIC_UNKNOWN;
    }
    create(rk, s, &wants, &asked, true);
    if (want.failed) {
        error_set(err, "%s", wants.err.text);
        return KAFKA_TOPIC_MISSING;
    }
    return KAFKA_TOPIC_MAY_BE_MADE;
}
