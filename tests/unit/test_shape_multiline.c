/* Lines joined into groups. */
#include <dirent.h>

#include "shape_fixture.h"

/* Every trace that the real programs wrote is one record, and the lines around it stay apart. */
static unsigned feed_trace(const char *path, const char *rule, const char *name)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[4096];
    struct buf whole = {0};
    set(&cfg->multiline_rule, rule);
    begin();
    assert_int_equal(put("an ordinary line before"), PUT_DONE);
    for (unsigned n = 0; fgets(line, sizeof(line), file); n++) {
        line[strcspn(line, "\n")] = '\0';
        int result = put(line);
        if (result != PUT_HELD) {
            fail_msg("%s by rule %s: returned %d at '%s'", name, rule, result, line);
        }
        buf_add(&whole, "\n", n > 0);
        buf_add(&whole, line, strlen(line));
    }
    fclose(file);
    buf_add(&whole, "", 1);
    assert_int_equal(put("an ordinary line behind"), PUT_DONE);
    assert_int_equal(nseen, 3);
    assert_string_equal(seen[1].text, whole.data);
    assert_string_equal(seen[2].text, "an ordinary line behind");
    buf_free(&whole);
    forget();
    shape_close(st);
    shape_unref(shape);
    shape = NULL;
    st = NULL;
    return 1;
}

static void test_real_traces(void **state)
{
    (void)state;
    static const char directory[] = "tests/data/traces";
    DIR *dir = opendir(directory);
    assert_non_null(dir);
    unsigned tried = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[512], rule[16];
        if (sscanf(entry->d_name, "%15[a-z]-", rule) == 1 && strstr(entry->d_name, ".txt")) {
            snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
            tried += feed_trace(path, rule, entry->d_name);
            tried += feed_trace(path, "auto", entry->d_name);
        }
    }
    closedir(dir);
    assert_true(tried >= 68);
}

/* A group of exceptions ends with its rule, and an exception with its message: a word behind them is a line of
 * its own, though it looks like an exception without a message. */
static void test_word_behind_a_group(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "  + Exception Group Traceback (most recent call last):",
        "  |   File \"g.py\", line 3, in f",
        "  | ExceptionGroup: eg (1 sub-exception)",
        "  +-+---------------- 1 ----------------",
        "    | ValueError: 1",
        "    +------------------------------------",
    };
    static const char *const rules[] = {"python", "auto"};
    for (size_t r = 0; r < 2; r++) {
        set(&cfg->multiline_rule, rules[r]);
        begin();
        for (size_t from = 0; from < 3; from += 2) { /* also of a group that was not raised */
            for (size_t i = from; i < sizeof(lines) / sizeof(lines[0]); i++) {
                assert_int_equal(put(lines[i]), PUT_HELD);
            }
            assert_int_equal(put("shutdown"), PUT_DONE);
            assert_string_equal(last(), "shutdown");
        }
        /* Nor is a word within one, where the rule never came, or behind the frames of a plain one. */
        assert_int_equal(put(lines[0]), PUT_HELD);
        assert_int_equal(put(lines[1]), PUT_HELD);
        assert_int_equal(put("done"), PUT_DONE);
        assert_string_equal(last(), "done");
        put("Traceback (most recent call last):");
        put("  File \"a.py\", line 1, in f");
        put("    | b");
        assert_int_equal(put("KeyboardInterrupt"), PUT_HELD);
        assert_int_equal(put("done"), PUT_DONE);
        assert_int_equal(nseen, 8);
        forget();
        shape_close(st);
        shape_unref(shape);
        shape = NULL;
        st = NULL;
    }
}

static void test_results(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "python");
    begin();
    assert_int_equal(put("Traceback (most recent call last):"), PUT_HELD);
    assert_int_equal(put("  File \"a.py\", line 1"), PUT_HELD);
    assert_int_equal(put("Traceback (most recent call last):"), PUT_HELD_NEW);
    assert_int_equal(nseen, 1);
    assert_int_equal(put("KeyError: 'x'"), PUT_HELD);
    assert_int_equal(put("plain"), PUT_DONE);
    assert_int_equal(nseen, 3);
    assert_string_equal(seen[1].text, "Traceback (most recent call last):\nKeyError: 'x'");
    assert_int_equal(shape_memory(shape), 0);
}

/* The two streams of a container come in any order; each has its own group, and the first line's time. */
static void test_streams(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "java");
    begin();
    put_at("Exception in thread \"main\" x.y.ZException: boom", STREAM_STDERR, "2026-11-24T12:00:01Z");
    assert_int_equal(put_at("GET / 200", STREAM_STDOUT, "2026-11-24T12:00:02Z"), PUT_DONE);
    put_at("\tat x.y.Z.a(Z.java:1)", STREAM_STDERR, "2026-11-24T12:00:03Z");
    assert_int_equal(nseen, 1);
    assert_int_equal(shape_tick(st, INT64_MAX, out), 1 << STREAM_STDERR);
    assert_int_equal(nseen, 2);
    assert_string_equal(last(), "Exception in thread \"main\" x.y.ZException: boom\n\tat x.y.Z.a(Z.java:1)");
    assert_string_equal(seen[1].time, "2026-11-24T12:00:01Z");
    assert_int_equal(seen[1].stream, STREAM_STDERR);
    assert_int_equal(shape_tick(st, INT64_MAX, out), 0);
}

static void test_wait(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "go");
    cfg->multiline_wait = NS_PER_S;
    begin();
    assert_true(shape_due(st) == INT64_MAX);
    int64_t now = clock_monotonic();
    put("panic: x");
    int64_t due = shape_due(st);
    assert_true(due >= now + NS_PER_S && due <= clock_monotonic() + NS_PER_S);
    assert_int_equal(shape_tick(st, due - 1, out), 0);
    assert_int_equal(shape_tick(st, due, out), 1);
    assert_string_equal(last(), "panic: x");
    assert_true(shape_due(st) == INT64_MAX);
}

static void test_escaped_and_terminal(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "auto");
    begin();
    assert_int_equal(put_escaped("Traceback (most recent call last):\\r"), PUT_HELD);
    assert_int_equal(put_escaped("  File \\\"a.py\\\", line 1\\r"), PUT_HELD);
    assert_int_equal(put_escaped("\\u0009x\\r"), PUT_HELD);
    assert_int_equal(put_escaped("caf\\u00e9"), PUT_HELD);
    assert_int_equal(put_escaped("plain \\u003cb\\u003e"), PUT_DONE);
    assert_true(seen[nseen - 1].escaped); /* what is not joined goes on as it came */
    assert_string_equal(
        seen[0].text, "Traceback (most recent call last):\r\n  File \"a.py\", line 1\r\n\tx\r\ncaf\xc3\xa9");
}

static void test_regex_pair(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "regex");
    set(&cfg->multiline_first, "^\\d{4}-");
    begin();
    assert_int_equal(put("before any first line"), PUT_DONE);
    assert_int_equal(put("2026-11-24 a"), PUT_HELD);
    assert_int_equal(put("more of a"), PUT_HELD);
    assert_int_equal(put(""), PUT_HELD);
    assert_int_equal(put("2026-11-24 b"), PUT_HELD_NEW);
    shape_tick(st, INT64_MAX, out);
    assert_int_equal(nseen, 3);
    assert_string_equal(seen[1].text, "2026-11-24 a\nmore of a\n");
    assert_string_equal(seen[2].text, "2026-11-24 b");
}

static void test_regex_next(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "regex");
    set(&cfg->multiline_next, "^(\\s|\\\\$)");
    begin();
    assert_int_equal(put("SELECT"), PUT_HELD);
    assert_int_equal(put("  1"), PUT_HELD);
    assert_int_equal(put("SELECT"), PUT_HELD_NEW);
    assert_int_equal(put("done"), PUT_HELD_NEW);
    assert_string_equal(seen[0].text, "SELECT\n  1");
    assert_string_equal(seen[1].text, "SELECT");
}

static void test_regex_both(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "regex");
    set(&cfg->multiline_first, "^BEGIN");
    set(&cfg->multiline_next, "^ ");
    begin();
    assert_int_equal(put(" x"), PUT_DONE);
    assert_int_equal(put("BEGIN"), PUT_HELD);
    assert_int_equal(put(" x"), PUT_HELD);
    assert_int_equal(put("other"), PUT_DONE);
    assert_int_equal(nseen, 3);
    assert_string_equal(seen[1].text, "BEGIN\n x");
}

static void test_long_group(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "java");
    begin();
    put("a.b.CException: deep");
    for (int i = 1; i < 1000; i++) {
        assert_int_equal(put("\tat a.b.C.d(C.java:1)"), PUT_HELD);
    }
    assert_int_equal(put("\tat a.b.C.d(C.java:2)"), PUT_HELD_NEW); /* the 1001st */
    assert_int_equal(nseen, 1);
    assert_true(seen[0].partial);
    assert_int_equal(put("\tat a.b.C.d(C.java:3)"), PUT_HELD); /* it goes on as a group */
    assert_int_equal(put("plain"), PUT_DONE);
    assert_int_equal(nseen, 3);
    assert_string_equal(seen[1].text, "\tat a.b.C.d(C.java:2)\n\tat a.b.C.d(C.java:3)");
    assert_false(seen[1].partial);
    assert_int_equal(put("plain"), PUT_DONE);
}

static void test_big_group(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "python");
    cfg->line_max = 16384;
    begin();
    char line[8000];
    memset(line, ' ', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    put("Traceback (most recent call last):");
    assert_int_equal(put(line), PUT_HELD);
    assert_int_equal(put(line), PUT_HELD);
    assert_int_equal(put(line), PUT_HELD_NEW);
    assert_true(strlen(seen[0].text) <= 16384);
    assert_true(seen[0].partial);
    assert_int_equal(shape_memory(shape), sizeof(line) - 1);
}

static void test_memory_bound(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "python");
    cfg->memory_max = 8 << 20;
    cfg->line_max = 1 << 20;
    begin();
    struct shape_state *states[64];
    char *line = malloc(100001);
    memset(line, ' ', 100000);
    line[100000] = '\0';
    for (int i = 0; i < 64; i++) {
        states[i] = shape_open(shape);
        struct record rec = {.text = SLICE("Traceback (most recent call last):"), .time = SLICE(NOON)};
        assert_true(shape_put(states[i], &rec, out) >= 0);
        rec.text = slice_str(line);
        assert_true(shape_put(states[i], &rec, out) >= 0);
        assert_true(shape_memory(shape) <= 1 << 20);
    }
    assert_true(nseen > 40); /* what did not fit went on its way */
    for (int i = 0; i < 64; i++) {
        shape_close(states[i]);
    }
    assert_int_equal(shape_memory(shape), 0);
    free(line);
}

/* A line in pieces is not a first line of anything. */
static void test_pieces_pass(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "auto");
    begin();
    assert_int_equal(put("panic: x"), PUT_HELD);
    assert_int_equal(put_piece("panic: begin", true), PUT_DONE);
    assert_int_equal(put_piece("panic: end", false), PUT_DONE);
    assert_int_equal(put("panic: y"), PUT_HELD);
    assert_int_equal(nseen, 3);
    assert_string_equal(seen[0].text, "panic: x");
    assert_true(seen[1].partial);
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {
        TEST(test_real_traces), TEST(test_word_behind_a_group),
        TEST(test_results),     TEST(test_streams),
        TEST(test_wait),        TEST(test_escaped_and_terminal),
        TEST(test_regex_pair),  TEST(test_regex_next),
        TEST(test_regex_both),  TEST(test_long_group),
        TEST(test_big_group),   TEST(test_memory_bound),
        TEST(test_pieces_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
