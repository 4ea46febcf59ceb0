/* Between escaped text and raw bytes; jansson is the judge of what the escapes mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
// cmocka.h wants the above
#include <cmocka.h>
#include <jansson.h>

#include "base/text.h"

static struct buf out;

static struct slice escape(struct slice raw)
{
    out.len = 0;
    assert_int_equal(text_escape(&out, raw), 0);
    return slice_of(out.data, out.len);
}

static struct slice unescape(struct slice escaped)
{
    out.len = 0;
    assert_int_equal(text_unescape(&out, escaped), 0);
    return slice_of(out.data, out.len);
}

static void same(struct slice got, struct slice want)
{
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.ptr ? got.ptr : "", want.ptr, want.len);
}

static void test_escape(void **state)
{
    (void)state;
    same(escape(SLICE("")), SLICE(""));
    same(escape(SLICE("plain text, longer than one block of sixteen")),
         SLICE("plain text, longer than one block of sixteen"));
    same(escape(SLICE("\"\\/\b\f\n\r\t")), SLICE("\\\"\\\\/\\b\\f\\n\\r\\t"));
    same(escape(SLICE("a\0b\x01\x1f\x7f\x1b[0m")), SLICE("a\\u0000b\\u0001\\u001f\x7f\\u001b[0m"));
    same(escape(SLICE("упал №1 — 日本 🚀")), SLICE("упал №1 — 日本 🚀"));
    same(escape(SLICE("0123456789abcde\"0123456789abcdef\\")),
         SLICE("0123456789abcde\\\"0123456789abcdef\\\\"));
}

static void test_escape_invalid(void **state)
{
    (void)state;
    same(escape(SLICE("a\xff"
                      "b")),
         SLICE("a\\ufffdb"));
    same(escape(SLICE("\xc3")), SLICE("\\ufffd"));                       /* cut short */
    same(escape(SLICE("\xe2\x82")), SLICE("\\ufffd\\ufffd"));            /* one for each byte, as Go */
    same(escape(SLICE("\xc0\xaf")), SLICE("\\ufffd\\ufffd"));            /* overlong */
    same(escape(SLICE("\xed\xa0\x80")), SLICE("\\ufffd\\ufffd\\ufffd")); /* a surrogate */
    same(escape(SLICE("\xf4\x90\x80\x80")), SLICE("\\ufffd\\ufffd\\ufffd\\ufffd")); /* above U+10FFFF */
}

static void test_unescape(void **state)
{
    (void)state;
    same(unescape(SLICE("")), SLICE(""));
    same(unescape(SLICE("no escapes here, and more than a block")),
         SLICE("no escapes here, and more than a block"));
    same(unescape(SLICE("\\\"\\\\\\/\\b\\f\\n\\r\\t")), SLICE("\"\\/\b\f\n\r\t"));
    same(unescape(SLICE("\\u003cb\\u003E \\u00e9 \\u20ac")), SLICE("<b> é €"));
    same(unescape(SLICE("a\\u0000b")), SLICE("a\0b"));
    same(unescape(SLICE("\\ud83d\\ude80!")), SLICE("🚀!"));
    same(unescape(SLICE("\\ud83d!")), SLICE("\xef\xbf\xbd!"));
    same(unescape(SLICE("\\ude80\\ud83d")), SLICE("\xef\xbf\xbd\xef\xbf\xbd"));
    same(unescape(SLICE("\\ud83d\\u0041")), SLICE("\xef\xbf\xbd"
                                                  "A"));
    same(unescape(SLICE("0123456789abcde\\n0123456789abc\\\\n")), SLICE("0123456789abcde\n0123456789abc\\n"));
}

/* Only what has to be escaped still is. */
static void test_reescape(void **state)
{
    (void)state;
    static const struct {
        const char *given, *want;
    } cases[] = {
        {"", ""},
        {"no escapes here, and more than a block", "no escapes here, and more than a block"},
        {"\\u003cb\\u003E \\u0026 \\/ \\u00e9 \\ud83d\\ude80", "<b> & / é 🚀"},
        {"\\\"\\u0022\\\\\\u005c\\u000a\\n\\u0000\\u007f", "\\\"\\\"\\\\\\\\\\n\\n\\u0000\x7f"},
        {"\\ud83d!", "\xef\xbf\xbd!"},
        {"unchecked \\x \\", "unchecked \\\\x \\\\"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        out.len = 0;
        assert_int_equal(text_reescape(&out, slice_str(cases[i].given)), 0);
        same(slice_of(out.data, out.len), slice_str(cases[i].want));
    }
}

/* Escaped text that was never checked: nothing is read beyond its end, nothing is lost. */
static void expect_length(const char *escaped)
{
    struct slice text = slice_str(escaped);
    out.len = 0;
    assert_int_equal(text_unescape(&out, text), 0);
    assert_int_equal(text_unescaped_length(text), out.len);
}

static void test_unescaped_length(void **state)
{
    (void)state;
    expect_length("");
    expect_length("plain \\u0001 \\u00e9 \\u20ac \\ud83d\\ude00 \\n\\\\ \\ud83d \\u12");
    expect_length("\\");
}

static void test_unescape_unchecked(void **state)
{
    (void)state;
    same(unescape(SLICE("a\\")), SLICE("a\\"));
    same(unescape(SLICE("\\u12")), SLICE("\\u12"));
    same(unescape(SLICE("\\u12zz \\q")), SLICE("\\u12zz \\q"));
    same(unescape(SLICE("\\ud83d\\u")), SLICE("\xef\xbf\xbd\\u"));
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(text_utf8_valid(SLICE("")));
    assert_true(text_utf8_valid(SLICE("0123456789abcdef0123456789abcdef")));
    assert_true(
        text_utf8_valid(SLICE("\x7f \xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf "
                              "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xef\xbf",
                                      "\xf0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t before = 0; before < 34;
             before++) { /* in each place of a block, and behind the last one */
            char text[64];
            memset(text, 'a', sizeof(text));
            memcpy(text + before, bad[i], strlen(bad[i]));
            assert_false(text_utf8_valid(slice_of(text, before + strlen(bad[i]))));
            assert_false(text_utf8_valid(slice_of(text, sizeof(text))));
        }
    }
}

static uint64_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* Bytes of many kinds, invalid ones among them when `wild`. */
static size_t random_text(char *to, size_t most, bool wild)
{
    static const char *const pieces[] = {
        "a", "0123456789abcdefghij", "\"", "\\", "\n", "\r\n", "\t", "\x1b[1m", "é", "日", "🚀", "<&>"};
    size_t len = 0;
    while (len + 32 < most && draw(40) > 0) {
        if (wild && draw(4) == 0) {
            to[len++] = (char)draw(256);
            continue;
        }
        const char *piece = pieces[draw(sizeof(pieces) / sizeof(pieces[0]))];
        memcpy(to + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

/* jansson reads what text_escape wrote as the text that went in; so does text_unescape. */
static void test_round_trip(void **state)
{
    (void)state;
    struct buf quoted = {0};
    for (int i = 0; i < 20000; i++) {
        char raw[1024];
        size_t len = random_text(raw, sizeof(raw), i % 2);
        bool valid = text_utf8_valid(slice_of(raw, len));
        quoted.len = 0;
        assert_int_equal(buf_add(&quoted, "\"", 1), 0);
        assert_int_equal(text_escape(&quoted, slice_of(raw, len)), 0);
        assert_int_equal(buf_add(&quoted, "\"", 1), 0);
        json_t *json = json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        struct slice judged = {json_string_value(json), json_string_length(json)};
        same(unescape(slice_of(quoted.data + 1, quoted.len - 2)), judged);
        if (valid) {
            same(judged, slice_of(raw, len));
        } else {
            assert_non_null(memmem(judged.ptr, judged.len, "\xef\xbf\xbd", 3));
        }
        json_decref(json);
    }
    buf_free(&quoted);
}

/* text_utf8_valid agrees with jansson on random bytes. */
static void test_utf8_random(void **state)
{
    (void)state;
    int valid = 0;
    for (int i = 0; i < 200000; i++) {
        char text[8] = "\"";
        static const unsigned char edges[] = {0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                              0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                              0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5};
        size_t len = 1 + draw(5);
        for (size_t k = 1; k <= len; k++) {
            text[k] = (char)edges[draw(sizeof(edges))];
        }
        text[len + 1] = '"';
        json_t *json = json_loadb(text, len + 2, JSON_DECODE_ANY, NULL);
        assert_int_equal(text_utf8_valid(slice_of(text + 1, len)), json != NULL);
        valid += json != NULL;
        json_decref(json);
    }
    assert_true(valid > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_escape_invalid),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_reescape),
        cmocka_unit_test(test_unescape_unchecked),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_unescaped_length),
        cmocka_unit_test(test_utf8_random),
        cmocka_unit_test(test_round_trip),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&out);
    return failed;
}
