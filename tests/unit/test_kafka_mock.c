/* Transactions that fail, or that wait, as the whole sink meets them. */
#include "kafka_mock_fixture.h"

/* A commit is answered by an error that ends the producer, but was done: the next producer finds the
 * transaction's head, and the lines are acknowledged, not produced again. */
static void a_commit_in_doubt_was_done(void **state)
{
    (void)state;
    const struct kafka *k = open_sink(&sink_kafka);
    submit();
    run_until(&w.acked, 1, NULL);
    rd_kafka_mock_push_request_errors(w.cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    submit();
    run_until(&w.acked, 2, NULL);
    assert_int_equal(metrics.commit_errors, 1);
    assert_int_equal(metrics.sink_retries, 0);
    /* It may have been too large. */
    assert_int_equal(k->flow.backoff.commit_bytes, k->settings->commit_bytes / 2);
    submit(); /* and it goes on */
    run_until(&w.acked, 3, NULL);
    assert_int_equal(k->flow.backoff.commit_bytes, k->settings->commit_bytes);
    assert_int_equal(metrics.commit_errors, 1);
    /* The partition of what an earlier process may have left, and of the transaction that failed. */
    assert_int_equal(expect_lines(), 2);
}

/* A commit was answered just now: the next transaction would be turned away, and waits. */
static void the_brokers_mark_a_transaction_first(void **state)
{
    (void)state;
    struct kafka *k = (struct kafka *)w.sink;
    k->flow.pace.committed_ns = clock_monotonic() + NS_PER_S;
    submit();
    assert_non_null(k->flow.batches.waiting.head);
    run_until(&w.acked, w.submitted, NULL);
    assert_true(kafka_pace_marking(&k->flow.pace) <= KAFKA_MARKING_NS);
    assert_int_equal(metrics.sink_retries, 0);
    expect_lines();
}

/* Somebody made the topic anew, with fewer partitions: nothing is left in one that it has no more. */
static void a_partition_that_is_gone_holds_nothing_up(void **state)
{
    (void)state;
    struct kafka *k = (struct kafka *)w.sink;
    metrics = (struct metrics){0};
    kafka_doubt_add(&k->flow.producer.session.doubt, "lines", 5);
    rd_kafka_mock_push_request_errors(w.cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    submit();
    run_until(&w.acked, w.submitted, NULL);
    assert_int_equal(metrics.commit_errors, 1);
    assert_int_equal(metrics.sink_retries, 0);
    expect_lines();
}

/* Before the first line there is a transaction that ends what an earlier process may have left. It fails: no line goes
 * before another one did not. */
static void a_proof_that_fails_is_made_again(void **state)
{
    (void)state;
    const struct kafka *k = open_sink(&sink_kafka);
    const size_t batch_max = k->settings->batch_max;
    rd_kafka_mock_push_request_errors(w.cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    submit();
    run_until(&w.acked, 1, NULL);
    assert_int_equal(metrics.sink_errors, 1);
    assert_int_equal(metrics.sink_retries + metrics.commit_errors, 0); /* no line was under way */
    assert_int_equal(k->settings->batch_max, batch_max);               /* nor was one refused */
    submit();
    run_until(&w.acked, 2, NULL);
    /* One by the next producer, for this process may have left something there now, and one by the second proof. */
    assert_int_equal(expect_lines(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_commit_in_doubt_was_done, setup),
        cmocka_unit_test(the_brokers_mark_a_transaction_first),
        cmocka_unit_test_teardown(a_partition_that_is_gone_holds_nothing_up, teardown),
        cmocka_unit_test_setup_teardown(a_proof_that_fails_is_made_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
