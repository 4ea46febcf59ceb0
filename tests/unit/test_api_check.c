/* What a check of the log makes of an entry that is doubted, and of a stream that is silent. */
#include "api_reader.h"

#include "source/docker_api/repeat.h"

static void on_checked(void *arg, enum check_result result)
{
    struct reader *r = arg;
    r->result = result;
    r->results++;
    event_base_loopbreak(r->base);
}

/* An entry of the answer: a line, or without a text a piece of one. */
static void add_one(struct server *server, enum stream stream, int64_t time_ns, const char *text)
{
    static char line[CLOCK_TEXT_MAX + 16400];
    size_t n = clock_format(time_ns, line);
    line[n++] = ' ';
    memset(line + n, 'x', 16384);
    strcpy(line + n + (text ? 0 : 16384), text ? text : "");
    add_line(server, stream == STREAM_STDERR ? 2 : 1, line);
}

static void add_entry(struct server *server, int64_t time_ns)
{
    add_one(server, STREAM_STDOUT, time_ns, "text\n");
}

/* The log's last entries: `count` lines at t, t + 1 ms, and so on. */
static void log_has(struct server *server, int64_t t, int count)
{
    begin_answer(server, CHUNKED);
    for (int i = 0; i < count; i++) {
        add_entry(server, t + i * MS);
    }
    add_text(server, "0\r\n\r\n");
}

static void log_has_both(struct server *server, int64_t one, int64_t two)
{
    begin_answer(server, CHUNKED);
    add_entry(server, one);
    add_entry(server, two);
    add_text(server, "0\r\n\r\n");
}

/* A line's pieces of the time t, behind `before` other lines. */
static void log_has_pieces(struct server *server, int64_t t, int before, int pieces)
{
    begin_answer(server, CHUNKED);
    for (int i = -before; i < pieces; i++) {
        add_one(server, STREAM_STDOUT, i < 0 ? t + i * MS : t,
                i < 0 || i == pieces - 1 ? "xxxxxxxxxx\n" : NULL);
    }
    add_text(server, "0\r\n\r\n");
}

static void check_held(struct server *server, struct reader *r, struct held_entry held)
{
    struct log_options options = {0};
    r->check.cursor = &r->cursor;
    r->check.proof = &r->proof;
    r->check.more = r->more;
    r->check.held = held;
    r->check.strict = true;
    r->check.done = on_checked;
    r->check.arg = r;
    r->results = 0;
    assert_int_equal(api_check_start(&r->check, server->engine, "abc", &options), 0);
    run(server);
    assert_int_equal(r->results, 1);
}

static void check(struct server *server, struct reader *r, const struct log_entry *held)
{
    check_held(server, r, held ? held_entry(&r->cursor, r->more, held) : (struct held_entry){0});
}

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
        T(test_checks_of_lines),
        T(test_checks_of_a_line_that_is_none),
        T(test_checks_of_an_unfinished_line),
        T(test_checks_tell_what_is_next),
        T(test_checks_of_what_comes_again),
        T(test_checks_of_credit),
        T(test_checks_of_pieces),
        T(test_checks_without_a_tail),
        T(test_checks_before_anything_was_taken),
        T(test_checks_of_a_piece_that_came_twice),
        T(test_checks_after_a_clock_set_back),
        T(test_checks_of_a_line_far_from_its_beginning),
        T(test_checks_of_silence_inside_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
