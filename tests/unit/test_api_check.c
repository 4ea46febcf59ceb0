/* What a check of the log makes of an entry that is doubted, and of a stream that is silent. */
#include "api_check_fixture.h"

#include "source/docker_api/repeat.h"

static void test_checks_of_lines(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry held = entry(STREAM_STDOUT, t + 5 * MS, "text", false);
    begin_reading(server, &r, 10000000);
    take_line(&r, t);
    log_has(server, t, 3);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND); /* two between */
    take_line(&r, t + 1 * MS);
    take_line(&r, t + 2 * MS);
    log_has(server, t, 9); /* it goes on behind the one that is held */
    take_line(&r, t + 3 * MS);
    take_line(&r, t + 4 * MS);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL);
    assert_true(r.check.proves);
    assert_non_null(strstr(server->request, "tail=64"));
    log_has(server, t + 6 * MS, 4); /* it does not go back to what was taken, however much is asked for */
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND);
    assert_non_null(strstr(server->request, "tail=16384"));
    log_has(server, t, 5);
    check(server, &r, NULL);
    assert_int_equal(r.result, CHECK_LEVEL);
    assert_non_null(strstr(server->request, "tail=1 "));
    log_has(server, t, 6);
    check(server, &r, NULL);
    assert_int_equal(r.result, CHECK_BEHIND);
}

/* What the answer goes on with, once it has told enough, is not waited for: here its end never comes. */
static void test_reads_no_more_than_needed(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry held = entry(STREAM_STDOUT, t + MS, "text", false);
    begin_reading(server, &r, 10000000);
    take_line(&r, t);
    begin_answer(server, CHUNKED);
    for (int i = 0; i < PROOF_NEXT + 1; i++) {
        add_entry(server, t + i * MS);
    }
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL);
    assert_true(r.check.proves);
    assert_int_equal(r.check.next.count, PROOF_NEXT);
}

/* An answer that begins behind the entry tells nothing, so more is asked for; what the clock was set back before is in its
 * place all the same, which the last answer shows. */
static void test_begins_too_late(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry held = entry(STREAM_STDOUT, t + MS, "text", false);
    begin_reading(server, &r, 10000000);
    take_line(&r, t);
    begin_answer(server, CHUNKED);
    add_entry(server, t + 5 * MS);
    add_entry(server, t);
    add_entry(server, t + MS);
    add_text(server, "0\r\n\r\n");
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL);
    assert_non_null(strstr(server->request, "tail=16384"));
}

/* What a check read behind the held entry needs no other check, as long as it comes as it was read. */
static void test_checks_tell_what_is_next(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry held = entry(STREAM_STDOUT, t + MS, "text", false);
    begin_reading(server, &r, 100000);
    take_line(&r, t);
    assert_true(doubts(&r, &held));
    log_has(server, t, 9);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL);
    proof_given(&r.proof, &r.cursor, held.time_ns, &r.check.next);
    for (int k = 1; k < 6; k++) {
        assert_false(doubts_line(&r, t + k * MS));
        take_line(&r, t + k * MS);
    }
    struct log_entry piece = entry(STREAM_STDOUT, t + 6 * MS, "text", true);
    assert_true(doubts(&r, &piece));              /* of the same time, and yet another one */
    assert_true(doubts_line(&r, t + 5 * MS + 1)); /* near enough, but not what is next */
    assert_true(doubts_line(&r, t + 7 * MS));
    for (int k = 6; k < 9; k++) {
        assert_false(doubts_line(&r, t + k * MS));
        take_line(&r, t + k * MS);
    }
    assert_true(doubts_line(&r, t + 9 * MS));
    assert_false(doubts_line(&r, t + 8 * MS + 1));

    log_has(server, t, 11);
    held.time_ns = t + 9 * MS;
    check(server, &r, &held);
    proof_given(&r.proof, &r.cursor, held.time_ns, &r.check.next);
    take_line(&r, held.time_ns);
    proof_opening(&r.proof, &r.cursor, 1); /* what a new stream brings is another matter */
    assert_true(doubts_line(&r, t + 10 * MS));
}

/* What is older than the last entry taken was told twice if the log has it before that one, else the clock was set back. */
static void test_checks_of_what_comes_again(void **state)
{
    struct server *server = *state;
    struct reader r;
    struct repeat repeat = {0};
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry e = entry(STREAM_STDOUT, t, "text", false);
    begin_reading(server, &r, 100000);
    for (int i = 0; i < 3; i++) {
        take_line(&r, t + i * MS);
    }
    assert_true(repeat_suspects(&repeat, &r.proof, &r.cursor, r.more, &e));
    struct held_entry held = repeat_question(&e);
    log_has(server, t, 3);
    check_held(server, &r, held);
    assert_int_equal(r.result, CHECK_LEVEL);
    log_has_both(server, t + 2 * MS, t);
    check_held(server, &r, held);
    assert_int_equal(r.result, CHECK_BEHIND);
    assert_non_null(strstr(server->request, "tail=64"));
    repeat_settled(&repeat, held.stream, held.time_ns);
    assert_false(repeat_suspects(&repeat, &r.proof, &r.cursor, r.more, &e));

    e.time_ns = t + 2 * MS; /* as long as there are not more of that time */
    assert_true(repeat_suspects(&repeat, &r.proof, &r.cursor, r.more, &e));
    held = repeat_question(&e);
    log_has(server, t, 3);
    check_held(server, &r, held);
    assert_int_equal(r.result, CHECK_LEVEL);
    log_has_both(server, t + 2 * MS, t + 2 * MS);
    check_held(server, &r, held);
    assert_int_equal(r.result, CHECK_BEHIND);
    r.more[STREAM_STDOUT] = true; /* the next piece */
    assert_false(repeat_suspects(&repeat, &r.proof, &r.cursor, r.more, &e));
}

static void test_checks_of_credit(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    begin_reading(server, &r, 10000000);
    take_line(&r, t);
    proof_given(&r.proof, &r.cursor, t, NULL);
    for (int i = 1; i < 6; i++) {
        if (i != 3) {
            take_line(&r, t + i * MS);
        }
    }
    struct log_entry held = entry(STREAM_STDOUT, t + 6 * MS, "text", false);
    log_has(server, t, 7);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL); /* before the newest one nothing was doubted */
    r.proof.owed = true;
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND); /* the fourth */
    assert_non_null(strstr(server->request, "tail=68"));
}

/* An Engine that a question for the last entries may kill is asked for all since what was taken, and not longer than needed. */
static void test_checks_without_a_tail(void **state)
{
    struct server *server = *state;
    struct reader r;
    char since[32];
    int64_t t = (clock_now() / NS_PER_S - 3600) * NS_PER_S;
    struct log_entry held = entry(STREAM_STDOUT, t + 5 * MS, "text", false);
    snprintf(since, sizeof(since), "since=%lld.002000000", (long long)(t / NS_PER_S));
    begin_reading(server, &r, 10000000);
    r.proof.tail_harms = true;
    for (int i = 0; i < 3; i++) {
        take_line(&r, t + i * MS);
    }
    log_has(server, t + 2 * MS, 9);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND); /* two between */
    assert_non_null(strstr(server->request, since));
    assert_null(strstr(server->request, "&tail="));
    take_line(&r, t + 3 * MS);
    take_line(&r, t + 4 * MS);
    begin_answer(server, CHUNKED); /* without an end */
    for (int i = 4; i < 5 + PROOF_NEXT; i++) {
        add_entry(server, t + i * MS);
    }
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL);
    assert_int_equal(r.check.next.count, PROOF_NEXT);
    log_has(server, t + 5 * MS, 1); /* it does not go back to what was taken */
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND);

    struct log_entry piece = entry(STREAM_STDOUT, t + 9 * MS, "x", true), last = piece;
    last.more = false;
    take(&r, &piece);
    log_has_pieces(server, piece.time_ns, 0, 2);
    check(server, &r, &last);
    assert_int_equal(r.result, CHECK_LEVEL);
    assert_non_null(strstr(server->request, ".009000000"));
    assert_null(strstr(server->request, "&tail="));
    log_has_pieces(server, piece.time_ns, 0, 3);
    check(server, &r, &last);
    assert_int_equal(r.result, CHECK_BEHIND);
}

/* Nothing was taken yet, of a log that an old Engine leaves rotated files out of: only what stands before an entry may be in
 * these. */
static void test_checks_before_anything_was_taken(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry held = entry(STREAM_STDOUT, t + 5 * MS, "text", false);
    begin_reading(server, &r, 10000000);
    r.proof.tail_harms = r.proof.since_skips = true;
    cursor_start_at(&r.cursor, t);
    log_has(server, t, 1);
    check(server, &r, NULL);
    assert_int_equal(r.result, CHECK_BEHIND);
    assert_non_null(strstr(server->request, "since="));
    log_has(server, t, 0);
    check(server, &r, NULL);
    assert_int_equal(r.result, CHECK_LEVEL);
    log_has(server, t - 4 * MS, 9);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND);
    assert_null(strstr(server->request, "since="));
}

/* The log's later times are of before the clock was set back, and Engines before 23.0 send these too. */
static void test_checks_after_a_clock_set_back(void **state)
{
    struct server *server = *state;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry one = entry(STREAM_STDOUT, t, "line", false),
                     two = entry(STREAM_STDERR, t + 100 * MS, "line", false),
                     held = entry(STREAM_STDOUT, t + 1000 * MS, "text", false);
    for (int strict = 0; strict < 2; strict++) {
        struct reader r;
        begin_reading(server, &r, 10000000);
        r.proof.tail_harms = true;
        for (int i = 0; i < STREAM_COUNT; i++) {
            r.cursor.stream[i].last.time_ns = t - 2 * NS_PER_S; /* as cursor_set_back does */
        }
        take(&r, &one);
        take(&r, &two);
        begin_answer(server, CHUNKED);
        add_one(server, STREAM_STDOUT, t + 200 * MS, "old\n");
        add_one(server, STREAM_STDERR, t + 300 * MS, "old\n");
        add_one(server, STREAM_STDOUT, one.time_ns, "line\n");
        add_one(server, STREAM_STDERR, two.time_ns, "line\n");
        if (strict) {
            add_one(server, STREAM_STDOUT, held.time_ns, "text\n");
        }
        add_text(server, "0\r\n\r\n");
        check(server, &r, strict ? &held : NULL);
        assert_int_equal(r.result, CHECK_LEVEL);
        char since[64];
        snprintf(since, sizeof(since), "since=%lld.%09d", (long long)(t / NS_PER_S), (int)(t % NS_PER_S));
        assert_non_null(strstr(server->request, since)); /* the earlier one of the two is asked for */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_checks_of_lines),
        T(test_reads_no_more_than_needed),
        T(test_begins_too_late),
        T(test_checks_tell_what_is_next),
        T(test_checks_of_what_comes_again),
        T(test_checks_of_credit),
        T(test_checks_without_a_tail),
        T(test_checks_before_anything_was_taken),
        T(test_checks_after_a_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
