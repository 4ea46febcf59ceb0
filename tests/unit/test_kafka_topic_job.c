/* Which topics are got ready together, and what becomes of those that are not to be had: by a producer without a
 * broker, and settings by which nobody waits for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "record/tags.h"
#include "sink/kafka/topic_job.h"

enum { MANY = KAFKA_WANTS_MAX + 44, HALF = MANY / 2 };

static struct {
    struct kafka_settings settings;
    struct event_base *base;
    struct worker *worker;
    struct kafka_trouble trouble;
    struct kafka_topic_job job;
    struct kafka_routes *routes;
    rd_kafka_t *rk;
    struct batch batches[2];
    struct kafka_topic *topics[MANY];
    int done;
    enum kafka_topic_outcome outcome;
} w;

static void on_done(void *arg, enum kafka_topic_outcome outcome)
{
    (void)arg;
    w.done++;
    w.outcome = outcome;
}

static struct tags *tags_of(int number)
{
    size_t room = 40;
    struct tags *tags = calloc(1, sizeof(*tags) + room);
    char *name = (char *)(tags + 1);
    snprintf(name, room, "c-%d", number);
    tags->refs = 1;
    tags->service = "web";
    tags->container = name;
    return tags;
}

/* Two batches, each of half of the containers; a container's lines are all on one of the streams. */
static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    metrics = (struct metrics){0};
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    w.settings = (struct kafka_settings){
        .topic = "logs.{container}.{stream}", .topics_max = 2 * MANY, .message_max = 1000000, .ending = true};
    w.base = loop_new();
    w.worker = worker_new(w.base);
    assert_int_equal(kafka_trouble_init(&w.trouble, w.base, NS_PER_S), 0);
    kafka_topic_job_init(&w.job, w.worker, &w.settings, &w.trouble, on_done, NULL);
    w.routes = kafka_routes_new(&w.settings);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, NULL);
    w.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    w.batches[0].next = &w.batches[1];
    for (int i = 0; i < MANY; i++) {
        struct batch *batch = &w.batches[i / HALF];
        struct tags *tags = tags_of(i);
        enum stream stream = i % 2 ? STREAM_STDERR : STREAM_STDOUT;
        batch->seq = (uint64_t)i / HALF + 1;
        struct mark *mark = batch_add_mark(batch);
        mark->tags = tags;
        mark->lines[stream] = 1;
        w.topics[i] = kafka_route_find(w.routes, tags, batch->seq, 1)->topics[stream];
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    worker_free(w.worker);
    kafka_topic_job_free(&w.job);
    kafka_routes_free(w.routes);
    for (int i = 0; i < MANY; i++) {
        tags_unref(w.batches[i / HALF].marks[i % HALF].tags);
    }
    free(w.batches[0].marks);
    free(w.batches[1].marks);
    kafka_trouble_free(&w.trouble);
    rd_kafka_destroy(w.rk);
    event_base_free(w.base);
    return 0;
}

static void start(struct kafka_topic *missing)
{
    kafka_topic_job_start(&w.job, w.rk, missing, w.routes, w.batches);
}

static void wait_done(int times)
{
    while (w.done < times) {
        event_base_loop(w.base, EVLOOP_ONCE);
    }
}

/* The first comes first, those that are ready are left out, and each is in it once. */
static void check_job(void)
{
    assert_ptr_equal(w.job.topics[0], w.topics[3]);
    assert_ptr_equal(w.job.topics[1], w.topics[1]);
    for (size_t i = 0; i < w.job.wants.count; i++) {
        assert_true(w.job.topics[i]->in_job && !w.job.topics[i]->ready);
        assert_string_equal(w.job.list[i].name, w.job.topics[i]->name);
        for (size_t j = 0; j < i; j++) {
            assert_ptr_not_equal(w.job.topics[i], w.job.topics[j]);
        }
    }
}

/* Until it is full. It ends before where that takes longer than it may hold the loop up: then, on a busy machine, the
 * next job is looked at. */
static void those_of_all_batches_are_made_together(void **state)
{
    (void)state;
    w.topics[0]->ready = w.topics[HALF]->ready = true;
    size_t found = 0;
    for (int i = 1; found < KAFKA_WANTS_MAX; i++) {
        start(w.topics[3]);
        found = w.job.wants.count;
        check_job();
        start(w.topics[MANY - 1]); /* one is under way */
        assert_int_equal(w.job.wants.count, found);
        wait_done(i);
    }
    assert_int_equal(found, KAFKA_WANTS_MAX);
}

/* However many they are, it is one fault, said and counted once for each try. */
static void many_that_are_not_to_be_had_are_one_fault(void **state)
{
    (void)state;
    start(w.topics[0]);
    assert_false(w.trouble.topic_said);
    wait_done(1);
    assert_int_equal(w.outcome, KAFKA_TOPIC_NOT_READY);
    assert_true(w.trouble.topic_said);
    assert_int_equal(metrics.sink_errors, 1);
    for (int i = 0; i < MANY; i++) {
        assert_false(w.topics[i]->ready || w.topics[i]->in_job || w.topics[i]->handle);
    }
    assert_true(w.topics[0]->awaited);
    start(w.topics[0]);
    wait_done(2);
    assert_int_equal(metrics.sink_errors, 2);
}

static void a_producer_that_goes_is_used_no_more(void **state)
{
    (void)state;
    assert_false(kafka_topic_job_drop(&w.job));
    start(w.topics[0]);
    assert_true(kafka_topic_job_drop(&w.job));
    wait_done(1);
    assert_int_equal(w.outcome, KAFKA_TOPIC_DROPPED);
    assert_false(kafka_topic_job_drop(&w.job));
    assert_int_equal(metrics.sink_errors, 0); /* nobody waits for them there any more */
    assert_false(w.topics[0]->ready || w.topics[0]->in_job || w.topics[0]->awaited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_of_all_batches_are_made_together, setup, teardown),
        cmocka_unit_test_setup_teardown(many_that_are_not_to_be_had_are_one_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(a_producer_that_goes_is_used_no_more, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
