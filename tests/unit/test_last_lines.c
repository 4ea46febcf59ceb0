/* The last N lines of a log: how many, in which order, parts and notices, and within which bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "tail/last_lines.h"
#include "tail/writer.h"

#define PLENTY SIZE_MAX
#define HEAD   32 /* about what a line takes beside its text */

/* `as`: the first character is its stream or kind, | ! or *, the last one of a part is >. */
static struct tail_line line_of(const char *as)
{
    struct tail_line line = {.text = slice_of(as + 1, strlen(as) - 1)};
    line.kind = as[0] == '*' ? TAIL_NOTICE : TAIL_LINE;
    line.stream = as[0] == '!' ? STREAM_STDERR : STREAM_STDOUT;
    line.partial = as[strlen(as) - 1] == '>';
    return line;
}

static struct tail_writer writers[3] = {
    {.refs = 1}, {.refs = 1}, {.refs = 1}}; /* their tags do not matter here */

static void put_of(struct last_lines *l, int writer, int64_t time_ns, const char *as, size_t bytes_max)
{
    struct tail_line line = line_of(as);
    line.writer = &writers[writer];
    line.time_ns = time_ns;
    assert_int_equal(last_lines_put(l, &line, bytes_max), 0);
}

static void put(struct last_lines *l, const char *as, size_t bytes_max)
{
    struct tail_line line = line_of(as);
    assert_int_equal(last_lines_put(l, &line, bytes_max), 0);
}

/* Everything that is left, as it was given to put, with a space behind each. */
static void check_left(struct last_lines *l, const char *want)
{
    char left[4096] = "";
    size_t n = 0;
    struct tail_line line;
    while (last_lines_take(l, &line)) {
        char mark = line.kind == TAIL_NOTICE ? '*' : line.stream == STREAM_STDERR ? '!' : '|';
        n += (size_t)snprintf(left + n, sizeof(left) - n, "%c%.*s ", mark, (int)line.text.len, line.text.ptr);
        tail_writer_unref(line.writer);
    }
    assert_string_equal(left, want);
}

static void check(int64_t most, const char *const *lines, int64_t count, const char *want)
{
    struct last_lines *l = last_lines_new(most);
    assert_non_null(l);
    for (size_t i = 0; lines[i]; i++) {
        put(l, lines[i], PLENTY);
    }
    assert_int_equal(last_lines_count(l), count);
    assert_int_equal(last_lines_has_room(l), count < most);
    assert_false(last_lines_cut_short(l));
    check_left(l, want);
    last_lines_free(l);
}

#define CHECK(most, count, want, ...) check(most, (const char *const[]){__VA_ARGS__, NULL}, count, want)

static void test_how_many(void **state)
{
    (void)state;
    check(3, (const char *const[]){NULL}, 0, "");
    CHECK(3, 2, "|a !b ", "|a", "!b");
    CHECK(3, 3, "|a !b |c ", "|a", "!b", "|c");
    CHECK(3, 3, "!b |c | ", "|a", "!b", "|c", "|");
    CHECK(1, 1, "|d ", "|a", "!b", "|c", "|d");
    CHECK(INT64_MAX, 2, "|a |b ", "|a", "|b");
}

/* A line longer than line_max comes in parts, among which there may be lines of the other stream. */
static void test_parts(void **state)
{
    (void)state;
    CHECK(2, 2, "|b> |c> |d |e ", "|a", "|b>", "|c>", "|d", "|e");
    CHECK(1, 1, "|e ", "|a", "|b>", "|c>", "|d", "|e");
    CHECK(1, 1, "|b> |c> ", "|a", "|b>", "|c>");
    CHECK(2, 2, "|b> !e |c ", "|a", "|b>", "!e", "|c");
    CHECK(1, 1, "!e ", "|a", "|b>", "!e", "|c>", "|d");
    CHECK(2, 2, "!e |f ", "|a", "|b>", "!e", "|c>", "|d", "|f");
}

/* It goes with the line before it. */
static void test_notices(void **state)
{
    (void)state;
    CHECK(2, 2, "|a *stopped |b ", "|a", "*stopped", "|b");
    CHECK(1, 1, "*stopped |b ", "|a", "*stopped", "|b");
    CHECK(1, 1, "|c *stopped ", "|a", "*started", "|b", "|c", "*stopped");
}

static void test_bytes(void **state)
{
    (void)state;
    struct last_lines *l = last_lines_new(4);
    size_t two = 2 * (HEAD + 10);
    put(l, "|0123456789", two);
    put(l, "|1123456789", two);
    assert_true(last_lines_has_room(l));
    assert_false(last_lines_cut_short(l));
    put(l, "|2123456789", two);
    assert_true(last_lines_cut_short(l));
    assert_false(last_lines_has_room(l)); /* what is older would be dropped as well */
    assert_int_equal(last_lines_count(l), 2);
    put(l, "|a", PLENTY);
    put(l, "|b", PLENTY);
    assert_false(last_lines_cut_short(l)); /* as many as are wanted, though there were more */
    put(l, "|longer than all that is there by far, and alone in its place", two);
    assert_true(last_lines_cut_short(l));
    assert_int_equal(last_lines_count(l), 1);
    check_left(l, "|longer than all that is there by far, and alone in its place ");
    last_lines_free(l);
}

/* A line whose parts take more than there may be is not there at all, and takes no memory. */
static void test_a_line_without_end(void **state)
{
    (void)state;
    struct last_lines *l = last_lines_new(2);
    put(l, "|a", 1000);
    for (int i = 0; i < 100; i++) {
        put(l, "!a hundred parts of it are more than a thousand bytes>", 1000);
    }
    assert_true(last_lines_cut_short(l));
    assert_int_equal(last_lines_count(l), 0);
    put(l, "!its end", 1000);
    put(l, "|b", 1000);
    assert_int_equal(last_lines_count(l), 1);
    check_left(l, "|b ");
    last_lines_free(l);
}

/* Against a plain array: any number of lines, of any length. */
static void test_random(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int most = 1; most < 200; most += 1 + most / 3) {
        struct last_lines *l = last_lines_new(most);
        char all[500][64];
        for (int i = 0; i < 500; i++) {
            seed = seed * 1103515245u + 12345u;
            snprintf(all[i], sizeof(all[i]), "|%d %.*s", i, (int)(seed >> 16) % 40,
                     "0123456789012345678901234567890123456789");
            put(l, all[i], PLENTY);
        }
        struct tail_line line;
        for (int i = 500 - most; i < 500; i++) {
            assert_true(last_lines_take(l, &line));
            assert_int_equal(line.text.len, strlen(all[i] + 1));
            assert_memory_equal(line.text.ptr, all[i] + 1, line.text.len);
        }
        assert_false(last_lines_take(l, &line));
        last_lines_free(l);
    }
}

/* The parts of one writer's line have those of others among them. */
static void test_writers(void **state)
{
    (void)state;
    struct last_lines *l = last_lines_new(3);
    put_of(l, 0, 1, "|a>", PLENTY);
    put_of(l, 1, 2, "|b", PLENTY);
    put_of(l, 2, 3, "|c>", PLENTY);
    put_of(l, 0, 4, "|a's end", PLENTY);
    assert_int_equal(last_lines_count(l), 3);
    put_of(l, 1, 5, "|d", PLENTY); /* in place of the line of a */
    assert_int_equal(last_lines_count(l), 3);
    put_of(l, 2, 6, "|c's end", PLENTY);
    assert_int_equal(last_lines_count(l), 3);
    check_left(l, "|b |c> |d |c's end ");
    last_lines_free(l);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(writers[i].refs, 1);
    }
}

static void test_writers_take_memory(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct tail_writer *many = calloc(COUNT, sizeof(*many));
    struct last_lines *l = last_lines_new(COUNT);
    for (int i = 0; i < COUNT; i++) {
        many[i].refs = 1;
        struct tail_line line = line_of(i % 2 ? "|x" : "|x>"); /* of whose rest nothing comes */
        line.writer = &many[i];
        assert_int_equal(last_lines_put(l, &line, (size_t)100 * LAST_LINES_WRITER), 0);
    }
    assert_true(last_lines_cut_short(l));
    assert_in_range(last_lines_count(l), 90, 100);
    int held = 0;
    for (int i = 0; i < COUNT; i++) {
        held += many[i].refs > 1;
    }
    assert_in_range(held, 90, 400); /* not all whose line may go on */
    last_lines_free(l);
    free(many);
}

/* By time, a writer's own in its order, and parts beside each other. */
static void test_list(void **state)
{
    (void)state;
    struct last_lines *l = last_lines_new(5);
    put_of(l, 0, 9, "|dropped>", PLENTY);
    put_of(l, 0, 10, "!w>", PLENTY);
    put_of(l, 1, 8, "|x", PLENTY);
    put_of(l, 0, 11, "|dropped's end", PLENTY);
    put_of(l, 0, 7, "|y", PLENTY);
    put_of(l, 1, 12, "|z", PLENTY);
    put_of(l, 0, 13, "!w's end", PLENTY);
    put_of(l, 1, 14, "|v", PLENTY);
    struct last_line to[8];
    assert_true(last_lines_entries(l) <= 8);
    static const struct {
        int64_t key_ns;
        int begins;
        const char *text;
    } want[] = {{10, 0, "w>"}, {8, 1, "x"}, {10, 2, "y"}, {12, 3, "z"}, {10, 0, "w's end"}, {14, 5, "v"}};
    assert_int_equal(last_lines_list(l, 7, to), 6);
    for (int i = 0; i < 6; i++) {
        struct slice text = last_lines_at(l, to[i].place).text;
        assert_int_equal(to[i].key_ns, want[i].key_ns);
        assert_int_equal(to[i].begins, to[want[i].begins].place);
        assert_int_equal(to[i].owner, 7);
        assert_true(slice_eq(text, slice_str(want[i].text)));
    }
    last_lines_free(l);
}

/* A line that came as JSON keeps it. */
static void test_json(void **state)
{
    (void)state;
    struct last_lines *l = last_lines_new(2);
    struct tail_line line = line_of("|a"), out;
    line.json = SLICE("{\"log\":\"a\"}");
    assert_int_equal(last_lines_put(l, &line, PLENTY), 0);
    put(l, "|b", PLENTY);
    assert_true(last_lines_take(l, &out));
    assert_true(slice_eq(out.text, SLICE("a")) && slice_eq(out.json, line.json));
    assert_true(last_lines_take(l, &out));
    assert_true(slice_eq(out.text, SLICE("b")) && out.json.len == 0);
    last_lines_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers),  cmocka_unit_test(test_writers_take_memory),
        cmocka_unit_test(test_list),     cmocka_unit_test(test_json),
        cmocka_unit_test(test_how_many), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_notices),  cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_random),   cmocka_unit_test(test_a_line_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
