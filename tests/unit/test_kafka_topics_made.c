/* Many topics are made at once, by a job that the sink goes on beside. */
#include "kafka_mock_fixture.h"

/* Services whose topics are there. */
static void make_services(void)
{
    set(&w.cfg->kafka_topic, "{service}");
    for (unsigned i = 0; i < SERVICES; i++) {
        char name[24];
        snprintf(name, sizeof(name), "service-%u", i);
        assert_int_equal(rd_kafka_mock_topic_create(w.cluster, name, 1, 1), 0);
        struct identity who = {.id = name, .name = name, .service = name};
        w.services[i] = tags_new(&who, w.cfg);
    }
}

static void topics_are_made_ready_at_once(void **state)
{
    (void)state;
    make_services();
    const struct kafka *k = open_sink(&sink_kafka);
    const struct kafka_topic_job *job = &k->flow.producer.topic_job;
    submit_of(w.services, 20);
    assert_int_equal(job->wants.count, 20); /* each once, though it is the first that is missing */
    submit_of(w.services + 10, 20);         /* these two come when the job is under way … */
    submit_of(w.services + 20, SERVICES - 20);
    run_until(&w.acked, 1, NULL);
    assert_true(job->wants.count >
                1); /* … and are taken up by the next one together, as far as its time goes */
    run_until(&w.acked, 3, NULL);
    assert_int_equal(metrics.sink_errors + metrics.sink_retries, 0);
    for (unsigned i = 0; i < SERVICES; i++) {
        const struct kafka_topic *topic =
            kafka_topic_known(k->flow.producer.out.routes, w.services[i]->service);
        assert_true(topic && topic->ready && topic->proven && !topic->in_job);
    }
}

/* What a job that never began still holds is not its own. */
static void ends_before_a_job_begins(void **state)
{
    (void)state;
    make_services();
    open_sink(&sink_kafka);
    submit_of(w.services, 20);
    run_until(&w.acked, 1, NULL);
    submit_of(w.services + 20, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(topics_are_made_ready_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_before_a_job_begins, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
