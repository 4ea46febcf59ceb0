/* From batches to messages: routes, topics, and lines that were cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "record/tags.h"
#include "sink/kafka/produce.h"
#include "sink/kafka/route.h"
#include "under_valgrind.h"

#define IDLE_NS (INT64_C(601) * 1000000000)

static struct tags *tags_of(const char *format, int number)
{
    size_t room = 40;
    struct tags *tags = calloc(1, sizeof(*tags) + room);
    char *name = (char *)(tags + 1);
    snprintf(name, room, format, number);
    tags->refs = 1;
    tags->service = "web";
    tags->host = "node-1";
    tags->container = name;
    return tags;
}

/* A producer without a broker, which may note what is produced to it. */
static rd_kafka_t *producer(struct buf *sent, rd_kafka_interceptor_f_on_new_t *on_new)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, NULL);
    if (on_new) {
        rd_kafka_conf_interceptor_add_on_new(conf, "test", on_new, sent);
    }
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
}

static struct mark mark_of(struct tags *tags)
{
    return (struct mark){.tags = tags, .lines = {3, 4}};
}

/* Beyond so many topics, lines go to one: until there is room again. */
static void topics_are_bounded(void **state)
{
    (void)state;
    struct kafka_settings settings = {
        .topic = "logs.{container}", .overflow_topic = "rest", .message_max = 1000000, .topics_max = 2};
    struct kafka_routes *routes = kafka_routes_new(&settings);
    struct tags *tags[4];
    struct kafka_topic *topics[4];
    for (int i = 0; i < 4; i++) {
        tags[i] = tags_of("c-%d", i);
        topics[i] = kafka_route_find(routes, tags[i], 1, 1)->topics[STREAM_STDOUT];
    }
    assert_string_equal(topics[0]->name, "logs.c-0");
    assert_string_equal(topics[1]->name, "logs.c-1");
    assert_string_equal(topics[2]->name, "rest");
    assert_ptr_equal(topics[3], topics[2]);
    struct mark marks[] = {mark_of(tags[1]), mark_of(tags[2]), mark_of(tags[3])};
    struct batch batch = {.marks = marks, .nmarks = 3};
    assert_int_equal(kafka_routes_overflowed(routes, &batch), 14);
    kafka_routes_acked(routes, 1, IDLE_NS * 2);
    struct tags *late = tags_of("late-%d", 1);
    assert_string_equal(kafka_route_find(routes, late, 2, IDLE_NS * 2)->topics[STREAM_STDOUT]->name,
                        "logs.late-1");
    kafka_routes_free(routes);
    tags_unref(late);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(tags[i]->refs, 1);
        tags_unref(tags[i]);
    }
}

/* Containers come and go, each with a topic of its own: what was not used for a while is let go, but nothing
 * that has records under way, or that is asked for by name. */
static void routes_and_topics_are_let_go(void **state)
{
    (void)state;
    struct kafka_settings settings = {
        .topics_max = 100000, .topic = "logs.{container}", .message_max = 1000000};
    struct kafka_routes *routes = kafka_routes_new(&settings);
    rd_kafka_t *rk = producer(NULL, NULL);
    struct kafka_topic *kept = kafka_topic_find(routes, "positions");
    char name[40];
    for (int i = 0; i < 1000; i++) { /* all at once in use */
        struct tags *tags = tags_of("c-%d", i);
        struct kafka_route *route = kafka_route_find(routes, tags, 1, 1);
        assert_non_null(route);
        assert_ptr_equal(route, kafka_route_find(routes, tags, 1, 1));
        snprintf(name, sizeof(name), "logs.c-%d", i);
        struct kafka_topic *topic = kafka_topic_known(routes, name);
        assert_ptr_equal(topic, route->topics[STREAM_STDOUT]);
        topic->handle = rd_kafka_topic_new(rk, name, NULL);
        topic->ready = topic->proven = true;
        tags_unref(tags);
    }
    for (int i = 0; i < 200; i++) { /* not acknowledged: however long it takes */
        kafka_routes_acked(routes, 0, IDLE_NS * 2);
    }
    assert_non_null(kafka_topic_known(routes, "logs.c-0"));
    kafka_routes_acked(routes, 1, IDLE_NS / 2); /* acknowledged, and used not long ago */
    assert_non_null(kafka_topic_known(routes, "logs.c-0"));
    assert_false(kafka_routes_stale(routes));
    struct tags *late = tags_of("late-%d", 1);
    kafka_route_find(routes, late, 2, IDLE_NS);
    for (int i = 0; i < 200; i++) {
        kafka_routes_acked(routes, 1, IDLE_NS * 2);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "logs.c-%d", i);
        assert_null(kafka_topic_known(routes, name));
    }
    assert_non_null(kafka_topic_known(routes, "logs.late-1"));
    assert_ptr_equal(kafka_topic_known(routes, "positions"), kept);
    assert_true(kafka_routes_stale(routes)); /* the producer still knows them */
    tags_unref(late);
    late = tags_of("c-%d", 1); /* its topic was proven, and is to be made ready alone */
    const struct kafka_topic *again = kafka_route_find(routes, late, 3, IDLE_NS * 2)->topics[STREAM_STDOUT];
    assert_true(again->proven && !again->ready);
    kafka_routes_detach(routes);
    assert_false(kafka_routes_stale(routes));
    kafka_routes_free(routes);
    assert_int_equal(late->refs, 1);
    tags_unref(late);
    rd_kafka_destroy(rk);
}

/* As many containers in each batch as one likes: the topics of all are looked at without holding the loop up,
 * and each is found once. One that an earlier process may have left something in is proven first. */
static void many_containers_in_a_batch(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct kafka_settings settings = {
        .topics_max = 100000, .topic = "logs.{container}", .message_max = 1000000};
    struct kafka_out out = {.settings = &settings, .routes = kafka_routes_new(&settings)};
    struct batch batch = {.seq = 1, .marks = calloc(COUNT, sizeof(struct mark)), .nmarks = COUNT};
    for (int i = 0; i < COUNT; i++) {
        struct tags *tags = tags_of("c-%d", i);
        batch.marks[i] = (struct mark){.tags = tags, .lines = {1, 0}};
        struct kafka_topic *topic = kafka_route_find(out.routes, tags, 1, 1)->topics[STREAM_STDOUT];
        topic->ready = i + 1 < COUNT;
        topic->proven = i != 7;
    }
    struct kafka_topic *missing = NULL;
    struct error err;
    int64_t longest = 0;
    enum kafka_progress progress = KAFKA_BUSY;
    while (progress == KAFKA_BUSY) {
        int64_t began = clock_monotonic();
        progress = kafka_produce(&out, &batch, &missing, &err);
        int64_t took = clock_monotonic() - began;
        longest = took > longest ? took : longest;
    }
    assert_int_equal(progress, KAFKA_NEEDS_TOPIC); /* that of the last one: the others were not forgotten */
    assert_string_equal(missing->name, "logs.c-19999");
    assert_int_equal(out.prepared, COUNT - 1);
    assert_in_range(longest, 0, under_valgrind() ? INT64_MAX : 200 * NS_PER_MS);
    missing->ready = true;
    assert_int_equal(kafka_produce(&out, &batch, &missing, &err), KAFKA_NEEDS_PROOF);
    kafka_out_proven(&out);
    assert_int_equal(kafka_produce(&out, &batch, &missing, &err), KAFKA_ALL);
    kafka_routes_free(out.routes);
    for (int i = 0; i < COUNT; i++) {
        tags_unref(batch.marks[i].tags);
    }
    free(batch.marks);
}

/* Notes of each message: P where it is marked partial, and its value. */
static rd_kafka_resp_err_t note_partial(rd_kafka_t *rk, rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct buf *sent = opaque;
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    bool partial = !rd_kafka_message_headers(m, &headers) &&
                   !rd_kafka_header_get_last(headers, "partial", &value, &size) && !strcmp(value, "true");
    buf_add(sent, partial ? "P " : "- ", 2);
    buf_add(sent, m->payload, m->len);
    buf_add(sent, "\n", 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t note_partials(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
                                         char *errstr, size_t errstr_size)
{
    (void)conf, (void)errstr, (void)errstr_size;
    return rd_kafka_interceptor_add_on_send(rk, "test", note_partial, opaque);
}

static void add_item(struct batch *batch, const char *text, bool partial)
{
    struct item *item = &batch->items[batch->nitems++];
    *item = (struct item){
        .offset = (uint32_t)batch->out.len, .len = (uint32_t)strlen(text) + 1, .partial = partial};
    buf_add(&batch->out, text, strlen(text));
    buf_add(&batch->out, "\n", 1);
}

/* Produces the batch so many times over, and notes each time what was sent. */
static void produce_all(struct buf *sent, struct batch *batch, struct kafka_settings *settings,
                        rd_kafka_interceptor_f_on_new_t *note, int times)
{
    struct kafka_out out = {.settings = settings, .routes = kafka_routes_new(settings)};
    struct mark mark = {.tags = tags_of("web_%d", 1), .lines = {batch->nitems, 0}};
    struct kafka_topic *missing;
    struct error err = {0};
    batch->marks = &mark;
    batch->nmarks = 1;
    out.rk = producer(sent, note);
    struct kafka_topic *topic = kafka_topic_find(out.routes, "logs");
    topic->handle = rd_kafka_topic_new(out.rk, "logs", NULL);
    topic->ready = topic->proven = true;
    for (int i = 0; i < times; i++) {
        assert_int_equal(kafka_produce(&out, batch, &missing, &err), KAFKA_ALL);
        kafka_rewind(batch);
        kafka_out_reset(&out);
    }
    rd_kafka_purge(out.rk, RD_KAFKA_PURGE_F_QUEUE);
    kafka_routes_free(out.routes);
    rd_kafka_destroy(out.rk);
    tags_unref(mark.tags);
}

/* Produces the batch as its format says, twice, as after a transaction that failed; gives back what was sent
 * the first time. */
static void produce_twice(struct buf *sent, struct batch *batch, size_t limit)
{
    struct kafka_settings settings = {
        .topics_max = 100000, .topic = "logs", .message_max = limit, .key = KAFKA_KEY_NONE};
    produce_all(sent, batch, &settings, note_partials, 2);
    size_t len = sent->len / 2;
    assert_memory_equal(sent->data, sent->data + len, len);
    sent->data[len] = '\0';
}

/* The header stands where JSON says "partial":true: on each piece of a line but its last, whoever cut it. */
static void what_was_cut_is_marked(void **state)
{
    (void)state;
    struct item items[4];
    struct batch batch = {.seq = 1, .items = items, .format = FORMAT_RAW};
    struct buf sent = {0};
    char text[1201] = "";
    memset(text, 'x', 1200);
    add_item(&batch, "cut by the pipeline", true);
    add_item(&batch, "its end", false);
    add_item(&batch, text, false);
    produce_twice(&sent, &batch, 1500);
    assert_memory_equal(sent.data, "P cut by the pipeline\n- its end\nP xxx", 37);
    unsigned partial = 0, whole = 0;
    for (char *line = strtok(sent.data, "\n"); line; line = strtok(NULL, "\n")) {
        partial += line[0] == 'P';
        whole += line[0] == '-';
    }
    assert_true(partial >= 2);
    assert_int_equal(whole, 2);
    buf_free(&sent);
    buf_free(&batch.out);
}

/* A line that is cut again, for its transaction failed, is one line. */
static void what_was_cut_is_counted_once(void **state)
{
    (void)state;
    struct item items[4];
    struct batch batch = {.seq = 1, .items = items, .format = FORMAT_RAW};
    struct buf sent = {0};
    char text[1401] = "";
    memset(text, 'x', 1400);
    add_item(&batch, text, false);
    add_item(&batch, "short", false);
    add_item(&batch, text, false);
    produce_twice(&sent, &batch, 1500);
    unsigned messages = 0;
    for (char *line = strtok(sent.data, "\n"); line; line = strtok(NULL, "\n")) {
        messages++;
    }
    assert_int_equal(metrics.cut_lines, messages - 3);
    buf_free(&sent);
    buf_free(&batch.out);
}

/* What a batch was encoded as counts, not what the sink began with. */
static void a_batch_is_cut_by_its_own_format(void **state)
{
    (void)state;
    struct item items[1];
    struct batch batch = {.seq = 1, .items = items, .format = FORMAT_JSON};
    struct buf sent = {0};
    struct buf line = {0};
    buf_addf(&line, "{\"service\":\"web\",\"log\":\"%01400d\"}", 0);
    buf_add(&line, "", 1);
    add_item(&batch, line.data, false);
    produce_twice(&sent, &batch, 1500);
    unsigned pieces = 0;
    for (char *piece = strtok(sent.data, "\n"); piece; piece = strtok(NULL, "\n"), pieces++) {
        json_t *json = json_loads(piece + 2, 0, NULL);
        assert_non_null(json);
        assert_int_equal(json_is_true(json_object_get(json, "partial")), piece[0] == 'P');
        json_decref(json);
    }
    assert_true(pieces > 1);
    buf_free(&line);
    buf_free(&sent);
    buf_free(&batch.out);
}

/* The names of each message's headers, in their order, and its value where that is short. */
static rd_kafka_resp_err_t note_headers(rd_kafka_t *rk, rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct buf *sent = opaque;
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    bool any = !rd_kafka_message_headers(m, &headers);
    for (size_t i = 0; any && !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
        buf_addf(sent, "%s,", name);
    }
    buf_addf(sent, " %.*s\n", m->len < 40 ? (int)m->len : 0, (const char *)m->payload);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t note_all_headers(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
                                            char *errstr, size_t errstr_size)
{
    (void)conf, (void)errstr, (void)errstr_size;
    return rd_kafka_interceptor_add_on_send(rk, "test", note_headers, opaque);
}

/* Produces a whole line, a piece that the pipeline cut, and a line that is too long. */
static void expect_headers(enum kafka_headers headers, enum format_kind format, const char *expected)
{
    struct item items[3];
    struct batch batch = {.seq = 1, .items = items, .format = format};
    struct buf sent = {0}, line = {0};
    buf_addf(&line, "{\"service\":\"web\",\"log\":\"%01400d\"}", 0);
    buf_add(&line, "", 1);
    add_item(&batch, "{\"log\":\"whole\"}", false);
    add_item(&batch, "{\"log\":\"cut\",\"partial\":true}", true);
    add_item(&batch, line.data, false);
    struct kafka_settings settings = {.topics_max = 100000,
                                      .topic = "logs",
                                      .message_max = 1500,
                                      .key = KAFKA_KEY_NONE,
                                      .headers = headers};
    produce_all(&sent, &batch, &settings, note_all_headers, 1);
    buf_add(&sent, "", 1);
    assert_string_equal(sent.data, expected);
    buf_free(&line);
    buf_free(&sent);
    buf_free(&batch.out);
}

/* A message is without headers only where its value says the same: a whole record of JSON does, with its "partial", but a
 * piece that is cut to size may have no more than its text. */
static void headers_that_the_value_makes_needless(void **state)
{
    (void)state;
#define SAME "service,stream,container,host,"
    expect_headers(KAFKA_HEADERS_NEEDED, FORMAT_JSON,
                   " {\"log\":\"whole\"}\n {\"log\":\"cut\",\"partial\":true}\n" SAME "partial, \n" SAME
                   " \n");
    const char *all = SAME " {\"log\":\"whole\"}\n" SAME "partial, {\"log\":\"cut\",\"partial\":true}\n" SAME
                           "partial, \n" SAME " \n";
    expect_headers(KAFKA_HEADERS_ALL, FORMAT_JSON, all);
    expect_headers(KAFKA_HEADERS_NEEDED, FORMAT_RAW, all);
    expect_headers(KAFKA_HEADERS_NEEDED, FORMAT_LOGFMT, all);
#undef SAME
}

static int setup(void **state)
{
    (void)state;
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    metrics = (struct metrics){0};
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(topics_are_bounded, setup),
        cmocka_unit_test_setup(routes_and_topics_are_let_go, setup),
        cmocka_unit_test_setup(many_containers_in_a_batch, setup),
        cmocka_unit_test_setup(what_was_cut_is_marked, setup),
        cmocka_unit_test_setup(what_was_cut_is_counted_once, setup),
        cmocka_unit_test_setup(a_batch_is_cut_by_its_own_format, setup),
        cmocka_unit_test_setup(headers_that_the_value_makes_needless, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
