#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "decode/frame.h"

#define T0 "2026-11-24T13:00:15.674264929Z "
#define T1 "2026-11-24T13:00:16.000000000Z "
#define T2 "2026-11-24T13:00:17.000000001Z "

static int64_t ns_of(const char *stamp)
{
    int64_t ns;
    assert_int_equal(clock_parse(slice_of(stamp, strlen(stamp) - 1), &ns), 0);
    return ns;
}

static void assert_text(struct slice got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

/* -- frames ------------------------------------------------------------------------------------ */

static void test_frame_whole(void **state)
{
    (void)state;
    const char bytes[] = "\2\0\0\0\0\0\0\3abc\1\0\0\0\0\0\0\0";
    struct frame f;
    size_t need;
    assert_int_equal(frame_next(bytes, bytes + sizeof(bytes) - 1, &f, &need, NULL), 11);
    assert_int_equal(f.stream, FRAME_STDERR);
    assert_text(f.payload, "abc");
    assert_int_equal(frame_next(bytes + 11, bytes + sizeof(bytes) - 1, &f, &need, NULL), 8);
    assert_int_equal(f.stream, FRAME_STDOUT);
    assert_int_equal(f.payload.len, 0);
}

static void test_frame_torn_anywhere(void **state)
{
    (void)state;
    const char bytes[] = "\1\0\0\0\0\0\1\4"; /* 260 bytes of payload */
    char whole[8 + 260];
    memset(whole, 'x', sizeof(whole));
    memcpy(whole, bytes, 8);
    for (size_t len = 0; len < sizeof(whole); len++) {
        struct frame f;
        size_t need = 0;
        assert_int_equal(frame_next(whole, whole + len, &f, &need, NULL), 0);
        assert_int_equal(need, len < 8 ? 8 - len : sizeof(whole) - len);
    }
}

static void test_frame_damaged(void **state)
{
    (void)state;
    static const char *const bad[] = {"\4\0\0\0\0\0\0\1", "\1\1\0\0\0\0\0\1", "\1\0\0\1\0\0\0\1",
                                      "\1\0\0\0\1\0\0\0", "2026-11-"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct frame f;
        struct error err = {0};
        size_t need;
        assert_int_equal(frame_next(bad[i], bad[i] + 8, &f, &need, &err), -1);
        assert_non_null(strstr(err.text, "damaged"));
    }
}

/* -- messages ---------------------------------------------------------------------------------- */

static void test_message(void **state)
{
    (void)state;
    struct message m;
    assert_true(message_parse(SLICE(T0 "some text\n"), &m));
    assert_text(m.text, "some text");
    assert_text(m.time, "2026-11-24T13:00:15.674264929Z");
    assert_true(m.newline && m.time_ns == ns_of(T0));
    assert_true(message_parse(SLICE(T0 "piece"), &m));
    assert_true(!m.newline);
    assert_text(m.text, "piece");
    assert_true(message_parse(SLICE(T0 "\n"), &m));
    assert_true(m.newline && m.text.len == 0);
    assert_true(message_parse(SLICE(T0), &m));
    assert_true(!m.newline && m.text.len == 0);
    /* A dockerd in another time zone, with the local driver. */
    assert_true(message_parse(SLICE("2026-11-24T18:30:15.674264929+05:30 x\n"), &m));
    assert_true(m.time_ns == ns_of(T0));
    assert_text(m.text, "x");
}

static void test_message_without_time(void **state)
{
    (void)state;
    static const char *const odd[] = {"",
                                      "\n",
                                      "no time\n",
                                      "2026-11-24T13:00:15.674264929Z",
                                      "2026-11-24T13:00:15.6742x4929Z x\n",
                                      "2026-11-24 13:00:15.674264929Z x\n"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct message m;
        assert_false(message_parse(slice_str(odd[i]), &m));
        assert_int_equal(m.time.len, 0);
        assert_true(m.time_ns == 0);
    }
}

/* -- terminals --------------------------------------------------------------------------------- */

struct expected {
    const char *stamp;
    size_t len; /* of the text */
    char first;
    bool newline;
};

/* Cuts the stream as it comes in pieces of `step` bytes, and holds the messages against what is expected. */
static void cut(struct tty_cutter cutter, const char *bytes, size_t len, size_t step,
                const struct expected *want, size_t count)
{
    size_t at = 0, have = 0, n = 0;
    while (at < len) {
        struct message m;
        bool last = have == len;
        ssize_t taken = at < have ? tty_next(&cutter, bytes + at, bytes + have, last, &m, NULL) : 0;
        if (taken == 0) {
            assert_false(last);
            have = have + step < len ? have + step : len;
            continue;
        }
        assert_true(taken > 0 && n < count);
        assert_int_equal(m.text.len, want[n].len);
        assert_true(m.time_ns == ns_of(want[n].stamp));
        assert_true(m.newline == want[n].newline);
        assert_true(m.text.len == 0 || m.text.ptr[0] == want[n].first);
        at += (size_t)taken;
        n++;
    }
    assert_int_equal(n, count);
}

static void cut_in_steps(struct tty_cutter cutter, const struct buf *bytes, const struct expected *want,
                         size_t count)
{
    static const size_t steps[] = {1, 7, 31, 100, 16384, 16415, 20000, 1000000};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i] == 1 && bytes->len > 60000) {
            continue;
        }
        cut(cutter, bytes->data, bytes->len, steps[i], want, count);
    }
}

static void add_run(struct buf *b, char c, size_t n)
{
    assert_int_equal(buf_reserve(b, n), 0);
    memset(b->data + b->len, c, n);
    b->len += n;
}

static void add(struct buf *b, const char *text)
{
    assert_int_equal(buf_add(b, text, strlen(text)), 0);
}

/* As Engine 20.10 sends 40,003 bytes in one line and a short one, from the json-file driver. */
static void test_tty_pieces(void **state)
{
    (void)state;
    struct buf b = {0};
    add(&b, T0);
    add_run(&b, 'x', 16384);
    add(&b, T0);
    add_run(&b, 'y', 16384);
    add(&b, T0);
    add_run(&b, 'z', 7236);
    add(&b, "\n" T1 "short\r\n" T2 "\n");
    const struct expected want[] = {{T0, 16384, 'x', false},
                                    {T0, 16384, 'y', false},
                                    {T0, 7236, 'z', true},
                                    {T1, 6, 's', true},
                                    {T2, 0, 0, true}};
    cut_in_steps((struct tty_cutter){0}, &b, want, 5);
    buf_free(&b);
}

/* As it sends them from journald: each piece has its own time, of microseconds. */
static void test_tty_pieces_of_own_times(void **state)
{
    (void)state;
    struct buf b = {0};
    add(&b, T0);
    add_run(&b, 'x', 16384);
    add(&b, T1);
    add_run(&b, 'y', 16384);
    add(&b, T2 "\r\n" T2 "short " T2 "\n" T2);
    add_run(&b, 'z', 16384);
    add(&b, T0 "a time of the container's own, for it is earlier\n");
    const struct expected want[] = {{T0, 16384, 'x', false},
                                    {T1, 16384, 'y', false},
                                    {T2, 1, '\r', true},
                                    {T2, 6 + 31, 's', true},
                                    {T2, 16384 + 31 + 48, 'z', true}};
    cut_in_steps((struct tty_cutter){.own_times = true}, &b, want, 5);
    buf_free(&b);
}

/* The local driver of 20.10 leaves out the newline behind a line's last piece. */
static void test_tty_bare_end(void **state)
{
    (void)state;
    struct buf b = {0};
    add(&b, T0);
    add_run(&b, 'x', 16384);
    add(&b, T0 "end\r" T1 "short\r\n");
    const struct expected want[] = {{T0, 16384, 'x', false}, {T0, 4, 'e', false}, {T1, 6, 's', true}};
    cut_in_steps((struct tty_cutter){.bare_end = true}, &b, want, 3);
    buf_free(&b);
}

/* A container that ended without a newline, and was started again. */
static void test_tty_restart(void **state)
{
    (void)state;
    struct buf b = {0};
    add(&b, T0 "prompt # " T2 "first\n");
    const struct expected apart[] = {{T0, 9, 'p', false}, {T2, 5, 'f', true}},
                          together[] = {{T0, 45, 'p', true}};
    cut_in_steps((struct tty_cutter){.started_ns = ns_of(T1)}, &b, apart, 2);
    cut_in_steps((struct tty_cutter){.known_ns = ns_of(T0)}, &b, apart, 2);
    /* Nothing says that a newline misses: a time in the text is the container's own. */
    cut_in_steps((struct tty_cutter){.bare_end = true}, &b, together, 1);
    cut_in_steps((struct tty_cutter){.started_ns = ns_of(T0)}, &b, together, 1);
    buf_free(&b);
}

/* The Engine's own time, as a container may print it: too early in the line to begin a piece. */
static void test_tty_own_times(void **state)
{
    (void)state;
    struct buf b = {0};
    add(&b, T0 "it is " T0 "now, and " T1 "soon\n");
    const struct expected want[] = {{T0, 6 + 31 + 9 + 31 + 4, 'i', true}};
    cut_in_steps((struct tty_cutter){.bare_end = true}, &b, want, 1);
    buf_free(&b);
}

static void test_tty_rest(void **state)
{
    (void)state;
    struct buf b = {0};
    add(&b, T0 "line\nno time here\n" T1 "no end");
    struct message m;
    struct tty_cutter cutter = {0};
    const char *p = b.data, *end = b.data + b.len;
    p += tty_next(&cutter, p, end, false, &m, NULL);
    assert_text(m.text, "line");
    p += tty_next(&cutter, p, end, false, &m, NULL);
    assert_text(m.text, "no time here");
    assert_true(m.time.len == 0 && m.time_ns == 0);
    assert_int_equal(tty_next(&cutter, p, end, false, &m, NULL), 0);
    assert_int_equal(tty_next(&cutter, p, end, true, &m, NULL), end - p);
    assert_text(m.text, "no end");
    assert_false(m.newline);
    buf_free(&b);
}

static void test_tty_endless(void **state)
{
    (void)state;
    struct buf b = {0};
    add(&b, T0);
    add_run(&b, 'x', FRAME_MAX + 1);
    struct message m;
    struct tty_cutter cutter = {0};
    struct error err = {0};
    assert_int_equal(tty_next(&cutter, b.data, b.data + b.len, false, &m, &err), -1);
    assert_non_null(strstr(err.text, "damaged"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_whole),
        cmocka_unit_test(test_frame_torn_anywhere),
        cmocka_unit_test(test_frame_damaged),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_message_without_time),
        cmocka_unit_test(test_tty_pieces),
        cmocka_unit_test(test_tty_pieces_of_own_times),
        cmocka_unit_test(test_tty_bare_end),
        cmocka_unit_test(test_tty_restart),
        cmocka_unit_test(test_tty_own_times),
        cmocka_unit_test(test_tty_rest),
        cmocka_unit_test(test_tty_endless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
