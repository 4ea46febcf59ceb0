/* What a check of the log makes of the pieces of a line. */
#include "api_check_fixture.h"

/* Pieces of its time before it: it is the end of a line whose beginning was skipped. */
static void test_checks_of_a_line_that_is_none(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry held = entry(STREAM_STDOUT, t, "x", false);
    begin_reading(server, &r, 100000);
    take_line(&r, t - MS);
    log_has_pieces(server, t, 1, 3);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND);
    log_has_pieces(server, t, 1, 1);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL);
}

/* Another line follows: the rest of the unfinished one was skipped, or never written. */
static void test_checks_of_an_unfinished_line(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry piece = entry(STREAM_STDOUT, t, "x", true),
                     held = entry(STREAM_STDOUT, t + MS, "x", false);
    begin_reading(server, &r, 100000);
    take_line(&r, t - MS);
    take(&r, &piece);
    take(&r, &piece);
    log_has_pieces(server, t, 1, 2);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL);
    log_has_pieces(server, t, 0, 2); /* no more than that: its first one is among them */
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_LEVEL);
    log_has_pieces(server, t, 1, 3);
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND);
    log_has_pieces(server, t, 0, 64); /* it may begin anywhere in the line */
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND);
}

static void test_checks_of_pieces(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry piece = entry(STREAM_STDOUT, t, "x", true), last = entry(STREAM_STDOUT, t, "x", false);
    begin_reading(server, &r, 100000);
    take_line(&r, t - MS);
    take(&r, &piece);
    take(&r, &piece);
    log_has_pieces(server, t, 1, 3);
    check(server, &r, &last);
    assert_int_equal(r.result, CHECK_LEVEL);
    log_has_pieces(server, t, 1, 4);
    check(server, &r, &last);
    assert_int_equal(r.result, CHECK_BEHIND);
    cursor_restart_line(&r.cursor, STREAM_STDOUT);
    assert_int_equal(r.cursor.stream[STREAM_STDOUT].last.time_ns, t);
    assert_int_equal(r.cursor.stream[STREAM_STDOUT].last.lines, 0);
    take(&r, &piece);
    take(&r, &piece);
    log_has_pieces(server, t, 0, 3); /* all of the log: nothing is before the line */
    check(server, &r, &last);
    assert_int_equal(r.result, CHECK_LEVEL);
    log_has_pieces(server, t, 0, 2); /* the line's beginning was rotated away, after it was taken */
    check(server, &r, &last);
    assert_int_equal(r.result, CHECK_LEVEL);
    log_has_pieces(server, t, 0, 26); /* not all of it, perhaps: as many came as were asked for */
    check(server, &r, &last);
    assert_int_equal(r.result, CHECK_BEHIND);
}

/* The stream brought a piece twice, so it brought more than the log has. */
static void test_checks_of_a_piece_that_came_twice(void **state)
{
    struct server *server = *state;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry piece = entry(STREAM_STDOUT, t, "x", true), last = entry(STREAM_STDOUT, t, "x", false);
    for (int harms = 0; harms < 2; harms++) {
        struct reader r;
        begin_reading(server, &r, 100000);
        r.proof.tail_harms = harms;
        take_line(&r, t - MS);
        for (int i = 0; i < 5; i++) {
            take(&r, &piece);
        }
        log_has_pieces(server, t, 40, 5);
        check(server, &r, &last);
        assert_int_equal(r.result, CHECK_BEHIND);
        assert_null(strstr(server->request, "since="));
        log_has_pieces(server, t, 0, 5); /* or its beginning was rotated away: that cannot be told */
        check(server, &r, &last);
        assert_int_equal(r.result, CHECK_LEVEL);
    }
}

/* The first piece of the held line was skipped, and much of the other stream is between that and the line's end. */
static void test_checks_of_a_line_far_from_its_beginning(void **state)
{
    struct server *server = *state;
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry held = entry(STREAM_STDOUT, t, "end", false);
    begin_reading(server, &r, 100000);
    r.proof.tail_harms = true;
    take_line(&r, t - MS);
    begin_answer(server, CHUNKED);
    add_one(server, STREAM_STDOUT, t - MS, "line\n");
    add_one(server, STREAM_STDOUT, t, NULL);
    for (int i = 1; i <= PROOF_NEXT + 10; i++) {
        add_one(server, STREAM_STDERR, t + i, "beside\n");
    }
    add_one(server, STREAM_STDOUT, t, "end\n");
    add_text(server, "0\r\n\r\n");
    check(server, &r, &held);
    assert_int_equal(r.result, CHECK_BEHIND);
}

/* That a stream is silent inside a line proves nothing of the pieces to come. */
static void test_checks_of_silence_inside_a_line(void **state)
{
    struct server *server = *state;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    struct log_entry piece = entry(STREAM_STDOUT, t, "x", true), last = entry(STREAM_STDOUT, t, "x", false);
    for (int harms = 0; harms < 2; harms++) {
        struct reader r;
        begin_reading(server, &r, 100000);
        r.proof.tail_harms = harms;
        take_line(&r, t - MS);
        begin_answer(server, CHUNKED);
        for (int i = 0; i < 3; i++) {
            take(&r, &piece);
            add_one(server, STREAM_STDOUT, t, NULL);
        }
        add_text(server, "0\r\n\r\n");
        check(server, &r, NULL);
        assert_false(r.check.proves);
        assert_true(doubts(&r, &last));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_checks_of_a_line_that_is_none),
        T(test_checks_of_an_unfinished_line),
        T(test_checks_of_pieces),
        T(test_checks_of_a_piece_that_came_twice),
        T(test_checks_of_a_line_far_from_its_beginning),
        T(test_checks_of_silence_inside_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
