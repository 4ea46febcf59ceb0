/* Each decoder on lines of its format, and on what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "decode/decode.h"

#define T "2026-11-24T05:00:39.668510088Z"

static char input[1 << 17];
static struct buf scratch;

/* Decodes the first line of the text. */
static size_t decode(const struct decoder *decoder, struct slice text, struct record *rec)
{
    assert_true(text.len + DECODE_PAD <= sizeof(input));
    memset(input, '"', sizeof(input)); /* what lies behind may be anything */
    memcpy(input, text.ptr, text.len);
    return decoder->next(input, input + text.len, rec, &scratch);
}

struct want {
    struct slice text, time;
    enum stream stream;
    bool escaped, more, malformed;
};

static void check(const struct decoder *decoder, struct slice line, struct want want)
{
    struct record rec;
    assert_int_equal(decode(decoder, line, &rec), line.len);
    assert_int_equal(rec.text.len, want.text.len);
    assert_memory_equal(rec.text.ptr, want.text.ptr, want.text.len);
    assert_int_equal(rec.time.len, want.time.len);
    assert_memory_equal(rec.time.ptr ? rec.time.ptr : "", want.time.ptr ? want.time.ptr : "", want.time.len);
    assert_int_equal(rec.stream, want.stream);
    assert_int_equal(rec.escaped, want.escaped);
    assert_int_equal(rec.more, want.more);
    assert_int_equal(rec.malformed, want.malformed);
    assert_false(rec.partial);
}

#define WANT(text_, time_, ...) ((struct want){.text = text_, .time = time_, ##__VA_ARGS__})
#define NO_TIME                 ((struct slice){0})
#define JSON(line, ...)         check(&decoder_json_file, SLICE(line), WANT(__VA_ARGS__))
#define MALFORMED(line)         JSON(line "\n", SLICE(line), NO_TIME, .malformed = true)

static void test_docker_shape(void **state)
{
    (void)state;
    JSON("{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n", SLICE("hello"), SLICE(T),
         .escaped = true);
    JSON("{\"log\":\"\\n\",\"stream\":\"stderr\",\"time\":\"" T "\"}\n", SLICE(""), SLICE(T),
         .stream = STREAM_STDERR, .escaped = true);
    JSON("{\"log\":\"end\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n", SLICE("end"), SLICE(T),
         .escaped = true);
    JSON("{\"log\":\"a\\r\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n", SLICE("a\\r"), SLICE(T),
         .escaped = true);
    /* A backslash and an n, not a newline. */
    JSON("{\"log\":\"a\\\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n", SLICE("a\\\\n"), SLICE(T),
         .escaped = true);
    JSON("{\"log\":\"a\\\\\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n", SLICE("a\\\\"), SLICE(T),
         .escaped = true);
    JSON("{\"log\":\"\\u001b[31mупал\\u001b[0m "
         "\\\"q\\\"\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39Z\"}\n",
         SLICE("\\u001b[31mупал\\u001b[0m \\\"q\\\""), SLICE("2026-11-24T05:00:39Z"), .escaped = true);
}

static void test_other_shapes(void **state)
{
    (void)state;
    JSON("{ \"time\": \"" T "\", \"stream\": \"stderr\", \"log\": \"a\\u000ab\\n\" }\n", SLICE("a\nb"),
         SLICE(T), .stream = STREAM_STDERR);

    JSON("{\"log\":\"\\ud83d\\ude80\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n", SLICE("🚀"), SLICE(T));
    JSON("{\"log\":\"a\\u000a\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n", SLICE("a"), SLICE(T));
    JSON("{\"log\":\"nul \\u0000\\n\"}\n", SLICE("nul \0"), NO_TIME);
    JSON("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39+01:00\"}\n", SLICE("a"),
         SLICE("2026-11-24T05:00:39+01:00"));
    JSON("{\"log\":\"\"}\n", SLICE(""), NO_TIME);
}

/* Docker cuts at 16 KiB of what was written, whatever that takes in JSON: an entry with less ends a stream. */
static void test_pieces(void **state)
{
    (void)state;
    static const char *const forms[] = {"{\"log\":\"%s%s\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n",
                                        "{ \"log\": \"%s%s\" }\n"};
    static char line[4 * PIECE_MIN], text[3 * PIECE_MIN];
    static const struct {
        const char *end;
        size_t length; /* of what it stands for */
    } cases[] = {{"", 0}, {"\\n", 0}, {"\\u001b\\\\", 2}};
    for (size_t form = 0; form < 2; form++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            for (size_t length = PIECE_MIN - 1; length <= PIECE_MIN + 1; length++) {
                struct record rec;
                size_t fill = length - cases[i].length;
                memset(text, 'x', fill);
                text[fill] = '\0';
                int len = snprintf(line, sizeof(line), forms[form], text, cases[i].end);
                assert_int_equal(decode(&decoder_json_file, slice_of(line, (size_t)len), &rec), len);
                assert_int_equal(rec.more, length >= PIECE_MIN && strcmp(cases[i].end, "\\n") != 0);
            }
        }
    }
}

static void test_malformed(void **state)
{
    (void)state;
    MALFORMED("");
    MALFORMED("not json");
    MALFORMED("{\"log\":\"torn by a crash");
    MALFORMED("{\"log\":7}");
    MALFORMED("[\"log\"]");
    MALFORMED("{\"stream\":\"stdout\"}");
    MALFORMED("{\"log\":\"a\",\"log\":\"b\"}");
    MALFORMED("{\"log\":\"lone \\ud83d\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}");
    MALFORMED("{\"log\":\"bad \\q\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}");
    MALFORMED("{\"log\":\"bad \xff\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}");
    MALFORMED("{\"log\":\"control \x01\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}");
    MALFORMED("{\"log\":\"nul \0\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}");
    MALFORMED("{\"log\":\"a\\n\",\"stream\":\"stdin\",\"time\":\"" T "\"}");
    MALFORMED("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2026-13-24T05:00:39Z\"}");
    MALFORMED("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"yesterday\"}");
    MALFORMED("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}{");
    MALFORMED("\0\0\0\0");
}

#define ATTRS(object) "{\"log\":\"a\\n\",\"stream\":\"stderr\",\"attrs\":" object ",\"time\":\"" T "\"}\n"

/* The log options labels, env and tag add attributes to every line. */
static void test_attrs(void **state)
{
    (void)state;
    static const char *const fast[] = {ATTRS("{\"tag\":\"x\"}"),
                                       ATTRS("{\"a\":\"\",\"ab\":\"\\\"é\\u003c\",\"b\":\"y\"}")};
    static const char *const slow[] = {ATTRS("{}"), ATTRS("{\"b\":\"x\",\"a\":\"y\"}"),
                                       ATTRS("{\"\\u0061\":\"x\"}"), ATTRS("{\"a\":1}")};
    static const char *const bad[] = {ATTRS("{\"a\":\"x\",\"a\":\"y\"}"), ATTRS("{\"a\":\"x\",}"),
                                      ATTRS("{\"a\":\"\xff\"}"), ATTRS("{\"a\"}"), ATTRS("{\"a\":\"x\"")};
    struct record rec;
    for (size_t i = 0; i < 2; i++) {
        check(&decoder_json_file, slice_str(fast[i]),
              WANT(SLICE("a"), SLICE(T), .stream = STREAM_STDERR, .escaped = true));
    }
    for (size_t i = 0; i < 4; i++) {
        check(&decoder_json_file, slice_str(slow[i]), WANT(SLICE("a"), SLICE(T), .stream = STREAM_STDERR));
    }
    for (size_t i = 0; i < 5; i++) {
        decode(&decoder_json_file, slice_str(bad[i]), &rec);
        assert_true(rec.malformed);
    }
}

/* A line is taken only once its newline is there; cut anywhere before, it waits. */
static void test_torn(void **state)
{
    (void)state;
    const struct slice line =
        SLICE("{\"log\":\"a \\u003c \\\\ long enough to fill a block of sixty-four bytes and more: "
              "0123456789 0123456789\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n");
    const struct decoder *all[] = {&decoder_json_file, &decoder_cri, &decoder_plain};
    struct record rec;
    for (size_t len = 0; len < line.len; len++) {
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(decode(all[i], slice_of(line.ptr, len), &rec), 0);
        }
        assert_int_equal(decode_json_fast(input, input + len, &rec), 0);
        /* What lies behind the end, even the rest of the line, must not be taken for read. */
        assert_int_equal(decode_json_fast(line.ptr, line.ptr + len, &rec), 0);
    }
    assert_int_equal(decode_json_fast(line.ptr, line.ptr + line.len, &rec), line.len);
}

static void test_stamps(void **state)
{
    (void)state;
    static const char *const good[] = {"2026-11-24T05:00:39Z",          "2026-11-24T05:00:39.6Z",
                                       "2026-11-24T05:00:39.66851008Z", "2026-11-24T05:00:39.123456789Z",
                                       "2000-01-01T00:00:00Z",          "2028-02-29T00:00:00Z",
                                       "2026-12-31T00:00:00Z",          "2099-12-31T23:59:60Z"};
    static const char *const bad[] = {"1999-11-24T05:00:39Z",
                                      "2026-00-24T05:00:39Z",
                                      "2026-13-24T05:00:39Z",
                                      "2026-11-00T05:00:39Z",
                                      "2026-11-32T05:00:39Z",
                                      "2026-11-31T05:00:39Z",
                                      "2026-02-29T05:00:39Z",
                                      "2028-02-30T05:00:39Z",
                                      "2026-11-24T24:00:39Z",
                                      "2026-11-24T05:60:39Z",
                                      "2026-11-24T05:00:61Z",
                                      "2026-11-24T05:00:39.Z",
                                      "2026-11-24T05:00:39",
                                      "2026-11-24 05:00:39Z",
                                      "2026-11-24T05:00:39.1234567890Z",
                                      "2026-11-24T05:00:39z",
                                      "2026-1a-24T05:00:39Z",
                                      "2026/11/24T05:00:39Z",
                                      "2026-11-24T05:00:39+01:00",
                                      "2026-11-24T05:00:3:Z",
                                      "2026-11-24T05-00:39Z",
                                      "",
                                      "2026-11-24T05:00:39.1a3Z"};
    char line[256] = "";
    struct record rec;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int len = snprintf(line, sizeof(line), "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"%s\"}\n",
                           good[i]);
        assert_int_equal(decode_json_fast(line, line + len, &rec), len);
        assert_int_equal(rec.time.len, strlen(good[i]));
        assert_memory_equal(rec.time.ptr, good[i], rec.time.len);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int len = snprintf(line, sizeof(line), "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"%s\"}\n",
                           bad[i]);
        assert_int_equal(decode_json_fast(line, line + len, &rec), 0);
    }
}

static void test_plain(void **state)
{
    (void)state;
    check(&decoder_plain, SLICE("a line\n"), WANT(SLICE("a line"), NO_TIME));
    check(&decoder_plain, SLICE("\n"), WANT(SLICE(""), NO_TIME));
    check(&decoder_plain, SLICE("a\0b\xff\r\n"), WANT(SLICE("a\0b\xff\r"), NO_TIME));
}

#define CRI(line, ...) check(&decoder_cri, SLICE(line), WANT(__VA_ARGS__))

static void test_cri(void **state)
{
    (void)state;
    CRI(T " stdout F a line\n", SLICE("a line"), SLICE(T));
    CRI(T " stderr P a part\n", SLICE("a part"), SLICE(T), .stream = STREAM_STDERR, .more = true);
    CRI(T " stdout F \n", SLICE(""), SLICE(T));
    CRI(T " stdout F\n", SLICE(""), SLICE(T));
    CRI(T " stdout F:x:y  two spaces\n", SLICE(" two spaces"), SLICE(T));
    CRI("2016-10-06T00:17:09.669794202+02:00 stdout F x\n", SLICE("x"),
        SLICE("2016-10-06T00:17:09.669794202+02:00"));
    CRI("1999-10-06T00:17:09Z stdout F \xff\n", SLICE("\xff"), SLICE("1999-10-06T00:17:09Z"));
    static const char *const bad[] = {"\n",
                                      "plain text\n",
                                      T "\n",
                                      T " \n",
                                      T " stdout\n",
                                      T " stdout \n",
                                      T " stdin F x\n",
                                      T " stdout X x\n",
                                      T " stdout FP x\n",
                                      "2016-10-06 stdout F x\n",
                                      " " T " stdout F x\n",
                                      T "stdout F x\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct slice line = slice_str(bad[i]);
        check(&decoder_cri, line, WANT(slice_of(line.ptr, line.len - 1), NO_TIME, .malformed = true));
    }
}

/* As the Engine 20.10 wrote it: `hello`, a line of any bytes, an empty one to stderr. */
#define LOCAL_HELLO "\0\0\0\x19\x0a\x06stdout\x10\xb5\xc0\xb1\xec\xd0\xd6\x88\xf6\x18\x1a\x05hello\0\0\0\x19"
#define LOCAL_BYTES                                                                                          \
    "\0\0\0\x1a\x0a\x06stdout\x10\xb8\x9c\xb4\xec\xd0\xd6\x88\xf6\x18\x1a\x06"                               \
    "bin\xff\xfe\r\0\0\0\x1a"
#define LOCAL_EMPTY "\0\0\0\x12\x0a\x06stderr\x10\xdb\xb1\xb4\xec\xd0\xd6\x88\xf6\x18\0\0\0\x12"
/* A piece of a long line, with its id, and the attributes that Engine 29 adds. */
#define LOCAL_PIECE(meta)                                                                                    \
    "\0\0\0\x1d\x0a\x06stdout\x10\x01\x1a\x01x\x20\x01\x2a\x05" meta "\x12\x01i"                             \
    "\x32\x05\x0a\x01k\x12\0\0\0\0\x1d"

/* A text of 64 bytes. */
#define LOCAL_LONG                                                                                           \
    "\0\0\0\x54\x0a\x06stdout\x10\xb8\x9c\xb4\xec\xd0\xd6\x88\xf6\x18\x1a\x40"                               \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\0\0\0\x54"

static void test_local(void **state)
{
    (void)state;
    check(&decoder_local, SLICE(LOCAL_HELLO), WANT(SLICE("hello"), SLICE("2026-11-28T06:48:32.425713717Z")));
    check(&decoder_local, SLICE(LOCAL_BYTES),
          WANT(SLICE("bin\xff\xfe\r"), SLICE("2026-11-28T06:48:32.425758264Z")));
    check(&decoder_local, SLICE(LOCAL_EMPTY),
          WANT(SLICE(""), SLICE("2026-11-28T06:48:32.425760987Z"), .stream = STREAM_STDERR));
    check(&decoder_local, SLICE(LOCAL_PIECE("\x18\x01")),
          WANT(SLICE("x"), SLICE("1970-01-01T00:00:00.000000001Z")));
    check(&decoder_local, SLICE(LOCAL_PIECE("\x08\x01")),
          WANT(SLICE("x"), SLICE("1970-01-01T00:00:00.000000001Z")));
}

static size_t damaged(const void *text, size_t len, bool last)
{
    memset(input, '"', sizeof(input));
    memcpy(input, text, len);
    return decoder_local.framing->damaged(input, input + len, last);
}

/* Torn anywhere it waits; where nothing more will come, it is damaged. */
static void test_local_torn(void **state)
{
    (void)state;
    struct slice whole = SLICE(LOCAL_BYTES);
    struct record rec;
    for (size_t len = 1; len < whole.len; len++) {
        assert_int_equal(decode(&decoder_local, slice_of(whole.ptr, len), &rec), 0);
        assert_int_equal(damaged(whole.ptr, len, false), 0);
        assert_int_equal(damaged(whole.ptr, len, true), len);
    }
    assert_int_equal(damaged(whole.ptr, whole.len, true), 0);
}

/* Whichever byte of the frame is damaged, and wherever a record breaks off: the next whole one is found. */
static void test_local_damaged(void **state)
{
    (void)state;
    const size_t first = sizeof(LOCAL_BYTES) - 1, len = first + sizeof(LOCAL_HELLO) - 1;
    static const size_t frame[] = {0, 1, 2, 3, 4, 5, 6, 30, 31, 32, 33};
    char text[sizeof(LOCAL_BYTES) + sizeof(LOCAL_HELLO)];
    struct record rec;
    for (size_t i = 0; i < sizeof(frame) / sizeof(frame[0]); i++) {
        memcpy(text, LOCAL_BYTES LOCAL_HELLO, len);
        text[frame[i]] ^= 0x40;
        assert_int_equal(decode(&decoder_local, slice_of(text, len), &rec), 0);
        assert_int_equal(damaged(text, len, true), first);
    }
    for (size_t cut = 1; cut < first; cut++) {
        memcpy(text, LOCAL_BYTES, cut);
        memcpy(text + cut, LOCAL_HELLO, len - first);
        assert_int_equal(damaged(text, cut + len - first, true), cut);
    }
}

/* The Engine appends to a log without a look at what that ends with: wherever a record broke off, it is
 * passed over as soon as a whole one stands behind it. */
static void test_local_torn_before_another(void **state)
{
    (void)state;
    const struct slice torn[] = {SLICE(LOCAL_BYTES), SLICE(LOCAL_EMPTY), SLICE(LOCAL_LONG),
                                 SLICE(LOCAL_PIECE("\x18\x01"))};
    struct slice whole = SLICE(LOCAL_HELLO);
    char text[sizeof(LOCAL_LONG) + sizeof(LOCAL_HELLO)];
    struct record rec;
    for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
        for (size_t cut = 1; cut < torn[i].len; cut++) {
            memcpy(text, torn[i].ptr, cut);
            memcpy(text + cut, whole.ptr, whole.len);
            assert_int_equal(decode(&decoder_local, slice_of(text, cut + whole.len), &rec), 0);
            assert_int_equal(damaged(text, cut + whole.len, false), cut);
        }
    }
}

/* Whatever its length says: here that is a mebibyte. */
static void test_local_torn_that_claims_much(void **state)
{
    (void)state;
    static const char head[] =
        "\0\x0f\xff\xff\x0a\x06stdout\x10\xb8\x9c\xb4\xec\xd0\xd6\x88\xf6\x18\x1a\xe0\xff\x3f"
        "text";
    char text[sizeof(head) + sizeof(LOCAL_HELLO)];
    memcpy(text, head, sizeof(head) - 1);
    memcpy(text + sizeof(head) - 1, LOCAL_HELLO, sizeof(LOCAL_HELLO) - 1);
    size_t len = sizeof(head) - 1 + sizeof(LOCAL_HELLO) - 1;
    assert_int_equal(damaged(text, sizeof(head) - 1, false), 0);
    assert_int_equal(damaged(text, len - 1, false), 0);
    assert_int_equal(damaged(text, len, false), sizeof(head) - 1);
}

/* What a container can log of a record is no record, for want of the newline in it. A length may be that, and
 * the attributes of Engine 29 may hold anything. */
static void test_local_torn_with_records_inside(void **state)
{
    (void)state;
    const struct slice whole[] = {
        SLICE("\0\0\0\x1e\x0a\x06stdout\x10\xb8\x9c\xb4\xec\xd0\xd6\x88\xf6\x18\x1a\x0a"
              "\x06stdout\x10\x01!\0\0\0\x1e"),
        SLICE("\0\0\0\x34\x0a\x06stdout\x10\xb8\x9c\xb4\xec\xd0\xd6\x88\xf6\x18\x1a\x20"
              "\0\0\0\x19\x06stdout\x10\xb5\xc0\xb1\xec\xd0\xd6\x88\xf6\x18\x1a\x05hello\0\0\0\x19"
              "\0\0\0\x34"),
        SLICE("\0\0\0\x35\x0a\x06stdout\x10\xb8\x9c\xb4\xec\xd0\xd6\x88\xf6\x18\x32\x21" LOCAL_HELLO
              "\0\0\0\x35")};
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        struct record rec;
        assert_int_equal(decode(&decoder_local, whole[i], &rec), whole[i].len);
        for (size_t len = 1; len < whole[i].len; len++) {
            assert_int_equal(decode(&decoder_local, slice_of(whole[i].ptr, len), &rec), 0);
            assert_int_equal(damaged(whole[i].ptr, len, false), 0);
        }
    }
}

static void test_long_line(void **state)
{
    (void)state;
    static char line[100000];
    static const char tail[] = "\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n";
    memset(line, 'x', sizeof(line));
    memcpy(line, "{\"log\":\"", 8);
    memcpy(line + sizeof(line) - sizeof(tail) + 1, tail, sizeof(tail) - 1);
    struct record rec;
    assert_int_equal(decode(&decoder_json_file, slice_of(line, sizeof(line)), &rec), sizeof(line));
    assert_int_equal(rec.text.len, sizeof(line) - 8 - sizeof(tail) + 1);
    assert_true(rec.escaped);
    decode_as_text(line, 100, &rec);
    assert_ptr_equal(rec.text.ptr, line);
    assert_int_equal(rec.text.len, 100);
}

/* A run of backslashes of every length across every place of a block, odd and even. */
static void test_backslashes(void **state)
{
    (void)state;
    for (size_t before = 0; before < 130; before++) {
        for (size_t run = 0; run < 140; run++) {
            char line[512] = "{\"log\":\"", want[300];
            char *p = line + 8;
            memset(p, 'a', before);
            memset(p + before, '\\', run);
            p += before + run;
            size_t text_len = before + run;
            if (run % 2) { /* the last of an odd run escapes: a quote, every other time */
                *p++ = before % 2 ? '"' : 't';
                text_len++;
            }
            memcpy(want, line + 8, text_len);
            static const char tail[] = "\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n";
            memcpy(p, tail, sizeof(tail));
            struct record rec;
            size_t len = (size_t)(p - line) + sizeof(tail) - 1;
            assert_int_equal(decode_json_fast(line, line + len, &rec), len);
            assert_int_equal(rec.text.len, text_len);
            assert_memory_equal(rec.text.ptr, want, text_len);
        }
    }
}

static void test_table(void **state)
{
    (void)state;
    assert_ptr_equal(decoder_find("json-file"), &decoder_json_file);
    assert_ptr_equal(decoder_find("plain"), &decoder_plain);
    assert_ptr_equal(decoder_find("cri"), &decoder_cri);
    assert_null(decoder_find("xml"));
}

static const struct decoder *guess(struct slice text)
{
    memset(input, 'x', sizeof(input));
    memcpy(input, text.ptr, text.len);
    return decoder_guess(input, input + text.len);
}

static void test_guess(void **state)
{
    (void)state;
    assert_ptr_equal(guess(SLICE("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\nx")),
                     &decoder_json_file);
    assert_ptr_equal(guess(SLICE("{\"time\":\"" T "\",\"log\":\"a\\n\"}\n")), &decoder_json_file);
    assert_ptr_equal(guess(SLICE(T " stdout F x\n")), &decoder_cri);
    assert_ptr_equal(guess(SLICE("{\"log\":\"of the program's own\"}\n")), &decoder_plain);
    assert_ptr_equal(guess(SLICE("text\n")), &decoder_plain);
    assert_ptr_equal(guess(SLICE("\n")), &decoder_plain);
    assert_null(guess(SLICE("{\"log\":\"a\\n\",\"str")));
    assert_null(guess(SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_docker_shape),
        cmocka_unit_test(test_other_shapes),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_attrs),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_cri),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_backslashes),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_local_torn),
        cmocka_unit_test(test_local_damaged),
        cmocka_unit_test(test_local_torn_before_another),
        cmocka_unit_test(test_local_torn_that_claims_much),
        cmocka_unit_test(test_local_torn_with_records_inside),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&scratch);
    return failed;
}
