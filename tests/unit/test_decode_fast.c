/* The in-place decoder held against jansson: on lines as Docker writes them, and on lines broken in all sorts
 * of ways, what it takes must be what jansson makes of it, and what jansson refuses it must refuse. The same
 * for its form without vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/text.h"
#include "decode/decode.h"

/* The form of machines without SSE2 or NEON, under another name. */
#define SCAN_PORTABLE
#define decode_json_fast decode_json_portable
#include "decode/json_file/fast.c"
#undef decode_json_fast

static uint64_t seed = 20261124;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void add(struct buf *b, const char *text)
{
    assert_int_equal(buf_add(b, text, strlen(text)), 0);
}

/* One line as Docker writes it, with the odd thing that it would not. */
static void make_line(struct buf *line)
{
    static const char *const pieces[] = {"a",
                                         "some words of text ",
                                         "0123456789abcdef",
                                         "\\\"",
                                         "\\\\",
                                         "\\n",
                                         "\\t",
                                         "\\u003c",
                                         "\\u001b",
                                         "é",
                                         "日本",
                                         "\\ufffd",
                                         "\\r",
                                         "\\u2028",
                                         "\\u0000",
                                         "🚀"};
    static const char *const odd[] = {"\\ud83d\\ude80", "\\u000a", "\\/", "\\b",    "\\ud83d", "\\q",
                                      "\xff",           "\x01",    "\"",  "\\uABCD"};
    static const char *const streams[] = {"stdout", "stderr", "stdin", ""};
    line->len = 0;
    add(line, "{\"log\":\"");
    for (uint32_t i = draw(30); i > 0; i--) {
        add(line, draw(60) ? pieces[draw(sizeof(pieces) / sizeof(pieces[0]))]
                           : odd[draw(sizeof(odd) / sizeof(odd[0]))]);
    }
    add(line, draw(10) ? "\\n" : "");
    assert_int_equal(buf_addf(line, "\",\"stream\":\"%s\"", streams[draw(50) ? draw(2) : draw(4)]), 0);
    static const char *const attrs[] = {",\"attrs\":{}",
                                        ",\"attrs\":{\"a\":\"x\\\"\",\"b\":\"é\"}",
                                        ",\"attrs\":{\"b\":\"\",\"a\":\"\"}",
                                        ",\"attrs\":{\"a\":\"\",\"a\":\"\"}",
                                        ",\"attrs\":{\"tag\":7}",
                                        ",\"attrs\":{\"\\u0061\":\"\"}"};
    add(line, draw(5) ? "" : attrs[draw(sizeof(attrs) / sizeof(attrs[0]))]);
    assert_int_equal(buf_addf(line, ",\"time\":\"20%02u-%02u-%02uT%02u:%02u:%02u", draw(100), 1 + draw(12),
                              1 + draw(31), draw(24), draw(60), draw(61)),
                     0);
    if (draw(5)) {
        assert_int_equal(buf_addf(line, ".%u", draw(1000000000)), 0);
    }
    add(line, draw(40) ? "Z\"}\n" : "+01:00\"}\n");
}

/* Breaks the line in one to three places. */
static void mutate(struct buf *line)
{
    static const char likely[] = "\"\\{}:,nu0\n\x00\xc3\xff ";
    for (uint32_t i = 1 + draw(3); i > 0; i--) {
        size_t at = draw((uint32_t)line->len);
        char c = draw(2) ? likely[draw(sizeof(likely) - 1)] : (char)draw(256);
        switch (draw(4)) {
        case 0:
            line->data[at] = c;
            break;
        case 1:
            line->data[at] = (char)(line->data[at] ^ 1 << draw(8));
            break;
        case 2:
            memmove(line->data + at, line->data + at + 1, line->len - at - 1);
            line->len -= line->len > 1;
            break;
        default:
            assert_int_equal(buf_add(line, "", 1), 0);
            memmove(line->data + at + 1, line->data + at, line->len - at - 1);
            line->data[at] = c;
        }
    }
}

typedef size_t fast_fn(const char *p, const char *end, struct record *out);

static struct buf scratch, text;

/* Decodes from a copy behind which exactly DECODE_PAD bytes may be read, so that ASan sees one too many. True
 * if it was taken. */
static bool check(fast_fn *fast, const struct buf *line)
{
    char *copy = malloc(line->len + DECODE_PAD);
    assert_non_null(copy);
    memcpy(copy, line->data, line->len);
    memset(copy + line->len, draw(2) ? '"' : 0, DECODE_PAD);
    struct record got, want;
    size_t taken = fast(copy, copy + line->len, &got);
    if (taken > 0) {
        assert_true(taken <= line->len);
        assert_ptr_equal(memchr(copy, '\n', line->len), copy + taken - 1);
        assert_int_equal(decode_json_any(copy, taken - 1, &want, &scratch), 0);
        assert_true(got.escaped);
        assert_false(got.malformed || got.partial);
        text.len = 0;
        assert_int_equal(text_unescape(&text, got.text), 0);
        assert_int_equal(text.len, want.text.len);
        assert_memory_equal(text.data, want.text.ptr, text.len);
        assert_int_equal(got.time.len, want.time.len);
        assert_memory_equal(got.time.ptr, want.time.ptr, got.time.len);
        assert_int_equal(got.stream, want.stream);
        assert_int_equal(got.more, want.more);
    }
    free(copy);
    return taken > 0;
}

#define ROUNDS 60000

static void run(bool broken, int *taken)
{
    struct buf line = {0};
    for (int i = 0; i < ROUNDS; i++) {
        make_line(&line);
        if (broken) {
            mutate(&line);
        }
        bool fast = check(decode_json_fast, &line);
        assert_int_equal(fast, check(decode_json_portable, &line));
        *taken += fast;
    }
    buf_free(&line);
}

static void test_as_docker_writes(void **state)
{
    (void)state;
    int taken = 0;
    run(false, &taken);
    assert_in_range(taken, ROUNDS / 3, ROUNDS - 1); /* the test would prove nothing if most were refused */
}

static void test_broken(void **state)
{
    (void)state;
    int taken = 0;
    run(true, &taken);
    assert_in_range(taken, ROUNDS / 20, ROUNDS - 1);
}

/* Whatever the bytes, the whole decoder takes exactly one line, and nothing of it is lost. */
static void test_nothing_lost(void **state)
{
    (void)state;
    struct buf line = {0};
    for (int i = 0; i < ROUNDS; i++) {
        make_line(&line);
        mutate(&line);
        size_t len = line.len;
        assert_int_equal(buf_reserve(&line, DECODE_PAD), 0);
        memset(line.data + len, 0, DECODE_PAD);
        struct record rec;
        size_t taken = decoder_json_file.next(line.data, line.data + len, &rec, &scratch);
        const char *newline = memchr(line.data, '\n', len);
        assert_int_equal(taken, newline ? newline - line.data + 1 : 0);
        if (taken > 0 && rec.malformed) {
            assert_ptr_equal(rec.text.ptr, line.data);
            assert_int_equal(rec.text.len, taken - 1);
            assert_int_equal(decode_json_any(line.data, taken - 1, &rec, &scratch), -1);
        }
    }
    buf_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_docker_writes),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_nothing_lost),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&scratch);
    buf_free(&text);
    return failed;
}
