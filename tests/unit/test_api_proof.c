/* When entries of a stream are doubted. */
#include "api_reader.h"

static void test_gaps(void **state)
{
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S; /* late, so nothing is taken on credit */
    begin_reading(*state, &r, 10000000);
    assert_false(doubts_line(&r, t)); /* the first one has none before it */
    take_line(&r, t);
    assert_false(doubts_line(&r, t + 20 * MS)); /* 10 MB are not written in 20 ms */
    assert_true(doubts_line(&r, t + 30 * MS));
    proof_given(&r.proof, &r.cursor, t + 30 * MS, NULL);
    assert_false(doubts_line(&r, t + 30 * MS));
    take_line(&r, t + 30 * MS);
    assert_true(doubts_line(&r, t + 60 * MS));
    proof_opening(&r.proof, &r.cursor, t + 1060 * MS); /* the stream brings all that was written by then */
    assert_false(doubts_line(&r, t + 60 * MS));
    assert_true(doubts_line(&r, t + 1049 * MS)); /* a busy Engine may have written that after the opening */
    take_line(&r, t + 1051 * MS);                /* and from here on it surely did */
    assert_true(doubts_line(&r, t + 1100 * MS));

    begin_reading(*state, &r, 0); /* one file: nothing is skipped */
    take_line(&r, t);
    assert_false(doubts_line(&r, t + 60 * NS_PER_S));
}

static void test_sizes_of_all_kinds(void **state)
{
    struct reader r;
    const int64_t sizes[] = {1, 20000, 1000000, 100000000, INT64_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        begin_reading(*state, &r, sizes[i]);
        assert_true(r.proof.jump_ns >= MS / 10 && r.proof.jump_ns <= NS_PER_S);
    }
}

static void test_lines_that_do_not_go_on(void **state)
{
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    begin_reading(*state, &r, 10000000);
    struct log_entry piece = entry(STREAM_STDOUT, t, "piece", true);
    struct log_entry rest = entry(STREAM_STDOUT, t, "rest", false);
    struct log_entry other = entry(STREAM_STDOUT, t + 1, "another", false);
    struct log_entry beside = entry(STREAM_STDERR, t + 1, "beside", false);
    take(&r, &piece);
    assert_false(doubts(&r, &rest)); /* far shorter than a file */
    assert_true(doubts(&r, &other));
    assert_false(doubts(&r, &beside));
    r.proof.max_size = 100000; /* one piece is a good part of that */
    assert_true(doubts(&r, &rest));
    assert_false(doubts(&r, &piece)); /* it is asked once, at the line's end */
    proof_given(&r.proof, &r.cursor, t, NULL);
    assert_false(doubts(&r, &rest));
}

/* The pieces of a line all bear the time of its beginning: the last one of a line that is longer than a file comes as a
 * line of its own, a moment after another one, where the file with the others was skipped. */
static void test_long_lines_shorten_the_jump(void **state)
{
    struct reader r;
    int64_t t = clock_now() - 3600 * NS_PER_S;
    static char text[70000];
    memset(text, 'x', sizeof(text) - 1);
    struct log_entry line = entry(STREAM_STDOUT, t, text, false);
    begin_reading(*state, &r, 100000);
    take_line(&r, t - 1);
    assert_false(doubts_line(&r, t + MS / 5));
    take(&r, &line);
    assert_true(doubts_line(&r, t + MS / 5));
    assert_false(doubts_line(&r, t + MS / 20));
    take(&r, &line);
    line.more = true;
    take(&r, &line);
    line.more = false;
    take(&r, &line);
    r.more[STREAM_STDOUT] = false;
    assert_true(doubts_line(&r, t + 1));
    assert_false(doubts_line(&r, t));
}

static void set_jump(struct reader *r, int64_t jump_ns)
{
    r->proof.jump_ns = jump_ns;
    r->proof.longest = 100; /* no line makes it shorter */
}

/* Lines each 60 ms, which come at once. `first` is the time of the first of them. */
static unsigned take_on_credit(struct reader *r, int64_t first)
{
    unsigned n = 0;
    set_jump(r, 50 * MS);
    take_line(r, first);
    assert_true(doubts_line(r, first + 60 * MS));
    proof_given(&r->proof, &r->cursor, first + 60 * MS, NULL);
    r->proof.prompt_ns = 3600 * NS_PER_S; /* each comes at once, however slow the machine */
    take_line(r, first + 60 * MS);
    for (n = 2;; n++) {
        int64_t at = first + n * 60 * MS;
        bool doubted = doubts_line(r, at);
        if (doubted) {
            return n;
        }
        take_line(r, at);
    }
}

static void test_credit_is_bounded(void **state)
{
    struct reader r;
    int64_t t = clock_now() - 60 * NS_PER_S;
    begin_reading(*state, &r, 100000000);
    unsigned n = take_on_credit(&r, t);
    assert_int_equal(n, PROOF_CREDIT + 1); /* in number */
    assert_true(r.proof.owed);
    proof_given(&r.proof, &r.cursor, t + n * 60 * MS, NULL);
    assert_false(r.proof.owed);
    assert_false(doubts_line(&r, t + n * 60 * MS));

    begin_reading(*state, &r, 1000000);
    n = take_on_credit(&r, t);
    assert_in_range(n, 10, PROOF_CREDIT / 2); /* and in bytes: 1 MB / 256, some 84 each */

    begin_reading(*state, &r, 1000000);
    r.proof.tail_harms = true; /* a check is dear: 1 MB / 16 */
    n = take_on_credit(&r, t);
    assert_int_equal(n, PROOF_CREDIT + 1);
}

/* What was taken on credit is passed over when the stream is opened anew, once each, and what is between is new. */
static void test_credit_is_settled_by_a_new_stream(void **state)
{
    struct reader r;
    int64_t t = clock_now() - 60 * NS_PER_S;
    begin_reading(*state, &r, 100000000);
    unsigned n = take_on_credit(&r, t);
    proof_opening(&r.proof, &r.cursor, clock_now());
    assert_int_equal(cursor_newest(&r.cursor), t);
    assert_true(cursor_open(&r.cursor, r.more) <= t);
    union source_offset offset;
    for (unsigned i = 0; i < n; i++) {
        struct log_entry e = entry(STREAM_STDOUT, t + i * 60 * MS, "line", false);
        struct log_entry missed = entry(STREAM_STDOUT, e.time_ns + 1, "missed", false);
        bool passes = cursor_passes(&r.cursor, e.stream, e.time_ns) || proof_passes(&r.proof, &e);
        assert_true(passes);
        cursor_take(&r.cursor, e.stream, e.time_ns, &offset);
        assert_false(proof_passes(&r.proof, &missed));
        assert_false(cursor_passes(&r.cursor, missed.stream, missed.time_ns));
        take(&r, &missed);
    }
    struct log_entry last = entry(STREAM_STDOUT, t + (n - 1) * 60 * MS, "line", false);
    assert_false(proof_passes(&r.proof, &last));
}

/* Pieces of one time cannot be told apart: none is taken on credit, nor while there is any. */
static void test_no_credit_for_pieces(void **state)
{
    struct reader r;
    int64_t t = clock_now() - 60 * NS_PER_S;
    begin_reading(*state, &r, 100000000);
    set_jump(&r, 50 * MS);
    r.proof.prompt_ns = 3600 * NS_PER_S;
    take_line(&r, t);
    proof_given(&r.proof, &r.cursor, t, NULL);
    take_line(&r, t + 60 * MS);
    struct log_entry piece = entry(STREAM_STDOUT, t + 120 * MS, "piece", true);
    assert_true(doubts(&r, &piece));
    assert_false(doubts_line(&r, t + 120 * MS));
    assert_true(r.proof.owed);
    assert_true(doubts(&r, &piece));
    proof_given(&r.proof, &r.cursor, t + 120 * MS, NULL);
    assert_false(doubts(&r, &piece));
    take(&r, &piece);
    r.more[STREAM_STDOUT] = false;
    assert_true(doubts_line(&r, t + 180 * MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_gaps),
        T(test_sizes_of_all_kinds),
        T(test_lines_that_do_not_go_on),
        T(test_long_lines_shorten_the_jump),
        T(test_credit_is_bounded),
        T(test_credit_is_settled_by_a_new_stream),
        T(test_no_credit_for_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
