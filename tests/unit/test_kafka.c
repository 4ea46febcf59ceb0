/* The parts of the Kafka sink that need no broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config.h"
#include "kafka/topic_name.h"
#include "record/tags.h"
#include "sink/kafka.h"
#include "sink/kafka/admin.h"
#include "sink/kafka/marks.h"
#include "sink/kafka/positions.h"
#include "sink/kafka/produce.h"
#include "sink/kafka/settings.h"

static struct tags who = {
    .refs = 1, .service = "web", .host = "node-1", .container = "shop_web_1", .id = "909cac8e1261"};

static void topic_names(void **state)
{
    (void)state;
    char name[KAFKA_TOPIC_MAX + 1];
    kafka_topic_name("logs.{service}", &who, STREAM_STDOUT, name);
    assert_string_equal(name, "logs.web");
    kafka_topic_name("plain", &who, STREAM_STDOUT, name);
    assert_string_equal(name, "plain");
    kafka_topic_name("{host}.{container}.{stream}-x", &who, STREAM_STDERR, name);
    assert_string_equal(name, "node-1.shop_web_1.stderr-x");
    kafka_topic_name("{project}.{service}", &who, STREAM_STDOUT, name);
    assert_string_equal(name, "none.web");

    struct tags odd = {.refs = 1, .service = "a/b c\xc3\xa9", .host = "h"};
    kafka_topic_name("{service}", &odd, STREAM_STDOUT, name);
    assert_string_equal(name, "a-b-c--");
    odd.service = ".";
    kafka_topic_name("{service}", &odd, STREAM_STDOUT, name);
    assert_string_equal(name, "-");
    odd.service = "..";
    kafka_topic_name("{service}", &odd, STREAM_STDOUT, name);
    assert_string_equal(name, "-.");
}

static void long_topic_names_stay_apart(void **state)
{
    (void)state;
    char one[KAFKA_TOPIC_MAX + 1], other[KAFKA_TOPIC_MAX + 1], service[400];
    memset(service, 'a', sizeof(service));
    service[399] = '\0';
    struct tags tags = {.refs = 1, .service = service, .host = "h"};
    kafka_topic_name("logs.{service}", &tags, STREAM_STDOUT, one);
    service[398] = 'b';
    kafka_topic_name("logs.{service}", &tags, STREAM_STDOUT, other);
    assert_int_equal(strlen(one), KAFKA_TOPIC_MAX);
    assert_int_equal(strlen(other), KAFKA_TOPIC_MAX);
    assert_string_not_equal(one, other);
    service[249 - 5] = '\0';
    kafka_topic_name("logs.{service}", &tags, STREAM_STDOUT, one);
    assert_int_equal(strlen(one), KAFKA_TOPIC_MAX);
    assert_null(strchr(one, '-')); /* as long as may be, and whole */
}

/* A topic takes no time that is too far from the broker's: the message then carries the time of sending. */
static void times_too_far_from_now(void **state)
{
    (void)state;
    const int64_t now = INT64_C(1795624791000), hour = 3600000;
    struct kafka_topic topic = {.older_ms = INT64_MAX, .newer_ms = INT64_MAX};
    assert_int_equal(kafka_message_time(&topic, 0, now), 0);
    assert_int_equal(kafka_message_time(&topic, now + 1000 * hour, now), now + 1000 * hour);
    topic.older_ms = 2 * hour;
    topic.newer_ms = hour;
    assert_int_equal(kafka_message_time(&topic, now + hour, now), now + hour);
    assert_int_equal(kafka_message_time(&topic, now + hour + 1, now), now);
    assert_int_equal(kafka_message_time(&topic, now - 2 * hour, now), now - 2 * hour);
    assert_int_equal(kafka_message_time(&topic, now - 2 * hour - 1, now), now);
    assert_int_equal(kafka_message_time(&topic, -62135596800000, now), now);
    /* One that may not be asked refuses a time, and then less, until it takes them. */
    topic.older_ms = topic.newer_ms = INT64_MAX;
    for (int64_t limit = hour; limit > 0; limit /= 2) {
        kafka_topic_take_less_time(&topic);
        assert_int_equal(topic.older_ms, limit);
        assert_int_equal(topic.newer_ms, limit);
    }
}

/* -- positions --------------------------------------------------------------------------------- */

static void take(struct kafka_past *past, const char *key, const char *value, int64_t offset)
{
    struct slice text = slice_str(value);
    kafka_past_take(past, slice_str(key), value ? &text : NULL, offset, 1000 + offset);
}

static void positions_as_records(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_int_equal(kafka_positions_key(&out, "node \"1\"", "/logs/a b.log"), 0);
    buf_add(&out, "", 1);
    assert_string_equal(out.data, "[\"node \\\"1\\\"\",\"/logs/a b.log\"]");
    out.len = 0;
    assert_int_equal(kafka_positions_key(&out, "n", NULL), 0);
    assert_int_equal(kafka_head_value(&out, "abc", UINT64_C(1) << 40), 0);
    buf_add(&out, "", 1);
    assert_string_equal(out.data, "[\"n\"]{\"session\":\"abc\",\"transaction\":1099511627776}");
    out.len = 0;
    assert_int_equal(kafka_session_key(&out, "n"), 0);
    buf_add(&out, "", 1);
    assert_string_equal(out.data, "[\"n\",null]");
    buf_free(&out);
}

/* Paths are bytes, and JSON wants UTF-8: nothing of that keeps a position from being found again. */
static void names_that_are_not_utf8(void **state)
{
    (void)state;
    static const char *const names[] = {"/logs/caf\xe9.log", "/logs/caf%E9.log",
                                        "/logs/caf\xc3\xa9 \"1\".log"};
    struct checkpoint *checkpoint = checkpoint_new();
    struct kafka_past past = {.identity = "n", .session = "me", .positions = json_object()};
    struct buf key = {0}, value = {0};
    for (size_t i = 0; i < 3; i++) {
        struct position pos = {.kind = POSITION_API, .at.api.time_ns = (int64_t)i + 1};
        key.len = value.len = 0;
        assert_int_equal(kafka_positions_key(&key, "n", names[i]), 0);
        assert_int_equal(kafka_position_value(&value, &pos), 0);
        struct slice text = slice_of(value.data, value.len);
        kafka_past_take(&past, slice_of(key.data, key.len), &text, 1, 1795624791);
    }
    assert_int_equal(kafka_positions_restore(past.positions, checkpoint), 0);
    for (size_t i = 0; i < 3; i++) {
        const struct position *pos = checkpoint_get(checkpoint, names[i]);
        assert_non_null(pos);
        assert_int_equal(pos->at.api.time_ns, i + 1);
    }
    json_decref(past.positions);
    checkpoint_free(checkpoint);
    buf_free(&key);
    buf_free(&value);
}

/* Others' records are passed over without being read; their names may begin alike. */
static void identities_are_told_apart(void **state)
{
    (void)state;
    static const char *const names[] = {"n",        "node",  "node-1", "a \"quoted\" \\ one",
                                        "\xc3\xa4", "tab\t", "a/b"};
    struct buf key = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct kafka_past past = {.identity = names[i], .session = "me", .positions = json_object()};
        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            key.len = 0;
            assert_int_equal(kafka_positions_key(&key, names[j], "feed"), 0);
            struct slice value = SLICE("{\"v\":1}");
            kafka_past_take(&past, slice_of(key.data, key.len), &value, 1, 1);
            assert_int_equal(json_object_size(past.positions), j >= i);
        }
        key.len = 0;
        assert_int_equal(kafka_positions_key(&key, names[i], NULL), 0);
        struct slice head = SLICE("{\"session\":\"me\",\"transaction\":1}");
        kafka_past_take(&past, slice_of(key.data, key.len), &head, 7, 1);
        assert_int_equal(past.head_offset, 7);
        json_decref(past.positions);
    }
    buf_free(&key);
}

static void positions_topics_that_keep_too_much(void **state)
{
    (void)state;
    struct kafka_topic_facts facts = {.deleted_ms = 86400000};
    assert_non_null(strstr(kafka_positions_advice(&facts), "delete.retention.ms"));
    facts.deleted_ms = 600000;
    assert_null(kafka_positions_advice(&facts));
    facts.deleted_ms = 0; /* not known */
    assert_null(kafka_positions_advice(&facts));
}

static void the_past_of_an_identity(void **state)
{
    (void)state;
    struct kafka_past past = {.identity = "n",
                              .session = "me",
                              .until = 7,
                              .in_doubt = 5,
                              .head_offset = -1,
                              .positions = json_object()};
    take(&past, "[\"other\",\"a\"]", "{\"kind\":\"file\"}", 1);
    take(&past, "[\"other\"]", "{\"session\":\"me\",\"transaction\":7}", 2);
    assert_false(past.ended);
    take(&past, "[\"n\",\"a\"]", "{\"v\":1}", 3);
    take(&past, "[\"n\",\"a\"]", "{\"v\":2}", 4);
    take(&past, "[\"n\",\"b\"]", "{\"v\":3}", 5);
    take(&past, "[\"n\",\"b\"]", NULL, 6);
    take(&past, "garbage", "garbage", 7);
    take(&past, "[\"n\"]", "{\"session\":\"old\",\"transaction\":7}", 8);
    assert_true(past.stranger);
    assert_false(past.ended);
    assert_false(past.committed);
    take(&past, "[\"n\"]", "{\"session\":\"me\",\"transaction\":5}", 9);
    assert_true(past.committed);
    assert_false(past.stranger);
    take(&past, "[\"n\",null]", "{\"session\":\"me\",\"transaction\":7}", 10);
    assert_true(past.ended);
    assert_int_equal(past.head_offset, 10);
    assert_int_equal(json_object_size(past.positions), 1);
    const json_t *known = json_object_get(past.positions, "a");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(known, 0), "v")), 2);
    assert_int_equal(json_integer_value(json_array_get(known, 1)), 1004);
    json_decref(past.positions);
}

/* Who goes on after a failure must see that another delivered lines meanwhile, though its own
 * head is last. */
static void another_process_in_between(void **state)
{
    (void)state;
    struct kafka_past past = {.identity = "n", .session = "me", .until = 7, .head_offset = -1};
    take(&past, "[\"n\",null]", "{\"session\":\"old\",\"transaction\":1}", 1);
    take(&past, "[\"n\"]", "{\"session\":\"old\",\"transaction\":2}", 2);
    take(&past, "[\"n\"]", "{\"session\":\"me\",\"transaction\":5}", 3);
    take(&past, "[\"other\"]", "{\"session\":\"it\",\"transaction\":9}", 4);
    assert_false(past.overtaken); /* those before us are no strangers */
    struct kafka_past late = past;
    take(&past, "[\"n\",null]", "{\"session\":\"me\",\"transaction\":7}", 5);
    assert_true(past.ended);
    assert_false(past.overtaken);
    take(&late, "[\"n\",null]", "{\"session\":\"new\",\"transaction\":1}", 5);
    take(&late, "[\"n\",null]", "{\"session\":\"me\",\"transaction\":7}", 6);
    assert_true(late.ended && late.overtaken);
    assert_false(late.stranger);
    struct kafka_past after = {.identity = "n", .session = "me", .until = 7, .ours = true};
    take(&after, "[\"n\"]", "{\"session\":\"new\",\"transaction\":2}", 8);
    assert_true(after.overtaken); /* ours was dropped by compaction */
}

/* A head that is not there any more, though older ones are, is lost; where none of ours is there, the topic is new. */
static void a_head_that_was_acknowledged(void **state)
{
    (void)state;
    struct kafka_past past = {.identity = "n", .session = "me", .until = 9, .acked = 6};
    take(&past, "[\"n\"]", "{\"session\":\"old\",\"transaction\":6}", 1);
    assert_false(past.kept || past.older);
    struct kafka_past anew = past;
    take(&past, "[\"n\",null]", "{\"session\":\"me\",\"transaction\":1}", 2);
    struct kafka_past lost = past;
    take(&past, "[\"n\"]", "{\"session\":\"me\",\"transaction\":6}", 3);
    assert_true(past.kept && past.older);
    take(&lost, "[\"n\",null]", "{\"session\":\"me\",\"transaction\":9}", 4);
    assert_true(lost.ended && lost.older && !lost.kept);
    take(&anew, "[\"n\",null]", "{\"session\":\"me\",\"transaction\":9}", 1);
    assert_true(anew.ended && !anew.older && !anew.kept);
    struct kafka_past compacted = {.identity = "n", .session = "me", .until = 9, .acked = 6, .in_doubt = 7};
    take(&compacted, "[\"n\",null]", "{\"session\":\"me\",\"transaction\":1}", 1);
    take(&compacted, "[\"n\"]", "{\"session\":\"me\",\"transaction\":7}", 4);
    assert_true(compacted.older && compacted.committed && compacted.kept);
}

static void partitions_stay_when_a_topic_grows(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof(name), "node-%d", i);
        int32_t chosen = kafka_positions_partition(name, 8);
        assert_in_range(chosen, 0, 7);
        assert_int_equal(kafka_positions_partition(name, 64), chosen);
        assert_int_equal(kafka_positions_partition(name, 1), 0);
    }
}

/* A producer without a broker, which notes what is produced to it: keys and values, each with a newline. */
static rd_kafka_resp_err_t note_message(rd_kafka_t *rk, rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct buf *sent = opaque;
    buf_add(sent, m->key, m->key_len);
    buf_add(sent, m->payload ? m->payload : "-", m->payload ? m->len : 1);
    buf_add(sent, "\n", 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t note_messages(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
                                         char *errstr, size_t errstr_size)
{
    (void)conf, (void)errstr, (void)errstr_size;
    return rd_kafka_interceptor_add_on_send(rk, "test", note_message, opaque);
}

/* What the marks have gathered, as text. */
static char *text_of(struct kafka_marks *marks, struct buf *sent)
{
    struct error err = {0};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_conf_interceptor_add_on_new(conf, "test", note_messages, sent);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, "positions", NULL);
    sent->len = 0;
    assert_int_equal(kafka_marks_produce(marks, rk, topic, &err), KAFKA_ALL);
    buf_add(sent, "", 1);
    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    return sent->data;
}

static struct kafka_settings marks_settings = {.identity = "n", .positions_topic = "positions"};

/* A file was deleted, let go, and made anew while one transaction was open: two feeds of one key. */
static void the_last_position_of_a_key_counts(void **state)
{
    (void)state;
    struct feed_key *keys[64];
    struct buf sent = {0};
    struct kafka_marks *marks = kafka_marks_new(&marks_settings, "me");
    for (int older = 0; older < 64; older++) {
        for (int i = 0; i < 64; i++) {
            keys[i] = feed_key_new("/logs/a.log");
        }
        struct mark list[2] = {{.key = keys[older], .moved = true}, {.key = keys[63 - older], .moved = true}};
        struct position pos = {.kind = POSITION_FILE, .at.file.offset = 7};
        assert_int_equal(compact_set(&list[1].pos, &pos), 0);
        struct batch batch = {.marks = list, .nmarks = 2};
        assert_int_equal(kafka_marks_gather(marks, &batch, NULL, 1), 0);
        char *text = text_of(marks, &sent);
        char *found = strstr(text, "[\"n\",\"/logs/a.log\"]");
        assert_non_null(found);
        while (strstr(found + 1, "[\"n\",\"/logs/a.log\"]")) {
            found = strstr(found + 1, "[\"n\",\"/logs/a.log\"]");
        }
        assert_null(strstr(found, "]-\n")); /* a position, not a tombstone */
        for (int i = 0; i < 64; i++) {
            feed_key_unref(keys[i]);
        }
    }
    kafka_marks_free(marks);
    buf_free(&sent);
}

/* What is to be forgotten is so with the next transaction that is gathered, however the commit of another
 * ends meanwhile; and once. */
static void forgotten_positions_leave_a_tombstone(void **state)
{
    (void)state;
    static const char tombstone[] = "[\"n\",\"late\"]-\n";
    struct buf sent = {0};
    struct kafka_marks *marks = kafka_marks_new(&marks_settings, "me");
    assert_int_equal(kafka_marks_forget(marks, "early"), 0);
    assert_int_equal(kafka_marks_gather(marks, NULL, NULL, 1), 0);
    assert_int_equal(kafka_marks_forget(marks, "late"), 0);
    char *text = text_of(marks, &sent);
    assert_non_null(strstr(text, "\"early\"]-\n"));
    assert_null(strstr(text, tombstone));
    kafka_marks_committed(marks);
    assert_int_equal(kafka_marks_gather(marks, NULL, NULL, 2), 0);
    text = text_of(marks, &sent);
    assert_null(strstr(text, "early"));
    assert_non_null(strstr(text, tombstone));
    assert_int_equal(kafka_marks_gather(marks, NULL, NULL, 2), 0); /* the commit failed: again */
    assert_non_null(strstr(text_of(marks, &sent), tombstone));
    kafka_marks_committed(marks);
    assert_int_equal(kafka_marks_gather(marks, NULL, NULL, 3), 0);
    assert_null(strstr(text_of(marks, &sent), tombstone));
    kafka_marks_free(marks);
    buf_free(&sent);
}

/* -- settings ---------------------------------------------------------------------------------- */

static struct config *config_with(const char *properties)
{
    struct config *cfg = config_defaults();
    free(cfg->kafka_brokers);
    free(cfg->kafka_identity);
    cfg->kafka_brokers = strdup("127.0.0.1:1");
    cfg->kafka_identity = strdup("unit");
    json_decref(cfg->kafka_properties);
    cfg->kafka_properties = json_loads(properties, 0, NULL);
    return cfg;
}

static void check_properties(const char *properties, const char *complaint)
{
    struct error err = {0};
    struct config *cfg = config_with(properties);
    struct kafka_settings *s = kafka_settings_new(cfg, &err);
    if (complaint) {
        assert_null(s);
        if (!strstr(err.text, complaint)) {
            fail_msg("%s: '%s' is not in '%s'", properties, complaint, err.text);
        }
    } else if (!s) {
        fail_msg("%s: %s", properties, err.text);
    }
    kafka_settings_free(s);
    config_free(cfg);
}

static void properties_are_passed_through_or_refused(void **state)
{
    (void)state;
    check_properties("{}", NULL);
    check_properties("{\"linger.ms\":\"20\",\"socket.keepalive.enable\":\"false\",\"debug\":\"eos\"}", NULL);
    check_properties("{\"acks\":\"all\"}", NULL);
    check_properties("{\"acks\":\"-1\"}", NULL);
    check_properties("{\"acks\":\"1\"}", "acks may not be 1");
    check_properties("{\"enable.idempotence\":\"true\"}", NULL);
    check_properties("{\"enable.idempotence\":\"false\"}", "enable.idempotence may not be false");
    check_properties("{\"transactional.id\":\"x\"}", "kafka.identity");
    check_properties("{\"sasl.password\":\"geheim\"}", "kafka.sasl_password");
    check_properties("{\"partitioner\":\"random\"}", "order");
    check_properties("{\"partitioner\":\"murmur2_random\"}", NULL);
    check_properties("{\"allow.auto.create.topics\":\"true\"}", "makes topics itself");
    check_properties("{\"no.such\":\"1\"}", "no.such");
    check_properties("{\"linger.ms\":\"soon\"}", "linger.ms");
}

static void a_refused_secret_is_not_told(void **state)
{
    (void)state;
    struct error err = {0};
    struct config *cfg = config_with("{\"sasl.password\":\"geheim\"}");
    assert_null(kafka_settings_new(cfg, &err));
    assert_null(strstr(err.text, "geheim"));
    config_free(cfg);
}

static void combinations_are_checked_too(void **state)
{
    (void)state;
    struct error err = {0};
    struct config *cfg = config_with("{\"max.in.flight\":\"10\"}"); /* librdkafka's own rule */
    assert_int_equal(kafka_settings_check(cfg, &err), -1);
    assert_non_null(strstr(err.text, "max.in.flight"));
    config_free(cfg);
    cfg = config_with("{}");
    free(cfg->kafka_tls_ca);
    cfg->kafka_tls_ca = strdup("/nonexistent/ca.pem");
    cfg->kafka_tls = true;
    assert_int_equal(kafka_settings_check(cfg, &err), -1);
    if (!strstr(err.text, "/nonexistent/ca.pem")) {
        fail_msg("%s", err.text);
    }
    config_free(cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topic_names),
        cmocka_unit_test(long_topic_names_stay_apart),
        cmocka_unit_test(times_too_far_from_now),
        cmocka_unit_test(positions_as_records),
        cmocka_unit_test(names_that_are_not_utf8),
        cmocka_unit_test(identities_are_told_apart),
        cmocka_unit_test(positions_topics_that_keep_too_much),
        cmocka_unit_test(the_past_of_an_identity),
        cmocka_unit_test(another_process_in_between),
        cmocka_unit_test(a_head_that_was_acknowledged),
        cmocka_unit_test(partitions_stay_when_a_topic_grows),
        cmocka_unit_test(the_last_position_of_a_key_counts),
        cmocka_unit_test(forgotten_positions_leave_a_tombstone),
        cmocka_unit_test(properties_are_passed_through_or_refused),
        cmocka_unit_test(a_refused_secret_is_not_told),
        cmocka_unit_test(combinations_are_checked_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
