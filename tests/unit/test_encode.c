#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "config/config.h"
#include "encode/encode.h"
#include "encode/pretty/pretty.h"
#include "encode/terminal.h"
#include "record/severity.h"

#define ID "909cac8e12615d0ea0b6d1a5b5a9a1f5d0c4e4f1b9e1a2b3c4d5e6f708192a3b"
#define T  "2026-11-24T05:00:39.668510088Z"

static struct buf out;

static struct tags *tags_of(const char *name, const char *labels_text, const struct config *cfg)
{
    json_t *labels = json_loads(labels_text, 0, NULL);
    assert_non_null(labels);
    struct tags *tags =
        tags_new(&(struct identity){.id = ID, .name = name, .image = "web:1", .labels = labels}, cfg);
    assert_non_null(tags);
    json_decref(labels);
    return tags;
}

static struct tags *web(void)
{
    static const struct config cfg = {.host = "node-1", .service = ""};
    return tags_of("/shop_web_1",
                   "{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\"}", &cfg);
}

/* What the encoder makes of one record. */
static const char *encode(const struct encoder *encoder, void *state, const struct tags *tags,
                          struct record rec)
{
    out.len = 0;
    assert_int_equal(encoder->encode(state, tags, &rec, &out), 0);
    assert_int_equal(buf_add(&out, "", 1), 0);
    return out.data;
}

static const char *json(const struct tags *tags, struct record rec)
{
    void *state = encoder_json.open(NULL, false);
    const char *text = encode(&encoder_json, state, tags, rec);
    encoder_json.close(state);
    return text;
}

#define REC(str, ...) ((struct record){.text = SLICE(str), .time = SLICE(T), ##__VA_ARGS__})
#define WEB_TAIL                                                                                             \
    "\"project\":\"shop\",\"container\":\"shop_web_1\",\"id\":\"909cac8e1261\",\"host\":\"node-1\","         \
    "\"image\":\"web:1\""

static void test_json(void **state)
{
    (void)state;
    struct tags *tags = web();
    assert_string_equal(json(tags, REC("hello \\\"you\\\"", .escaped = true)),
                        "{\"time\":\"" T
                        "\",\"service\":\"web\",\"stream\":\"stdout\",\"log\":\"hello \\\"you\\\"\"," WEB_TAIL
                        "}\n");
    assert_string_equal(
        json(tags, REC("raw \"you\"\xff", .stream = STREAM_STDERR)),
        "{\"time\":\"" T
        "\",\"service\":\"web\",\"stream\":\"stderr\",\"log\":\"raw \\\"you\\\"\\ufffd\"," WEB_TAIL "}\n");
    assert_string_equal(
        json(tags, REC("", .partial = true, .level = SEVERITY_WARN)),
        "{\"time\":\"" T
        "\",\"service\":\"web\",\"stream\":\"stdout\",\"level\":\"warn\",\"log\":\"\"," WEB_TAIL
        ",\"partial\":true}\n");
    for (size_t len = 20; len <= 39; len++) { /* whatever a time's length */
        char time[41] = "2026-11-24T05:00:39.0000000000000000000", want[80];
        snprintf(want, sizeof(want), "{\"time\":\"%.*s\",\"service\"", (int)len, time);
        const char *got = json(tags, (struct record){.time = {time, len}});
        assert_memory_equal(got, want, strlen(want));
    }
    tags_unref(tags);
}

static void test_json_tags(void **state)
{
    (void)state;
    struct config cfg = {.host = "no\"de", .service = ""};
    cfg.labels = (struct string_list){(char *[]){"b", "a"}, 2};
    struct tags *tags = tags_of("/s.1.x",
                                "{\"com.docker.swarm.task.name\":\"s.1.x\",\"com.docker.swarm.node.id\":"
                                "\"nid\",\"b\":\"2\",\"a\":\"\\n\"}",
                                &cfg);
    assert_string_equal(
        json(tags, REC("x")),
        "{\"time\":\"" T
        "\",\"service\":\"s.1.x\",\"stream\":\"stdout\",\"log\":\"x\",\"container\":\"s.1.x\","
        "\"id\":\"909cac8e1261\",\"host\":\"no\\\"de\",\"task\":\"s.1.x\",\"node\":\"nid\",\"image\":\"web:"
        "1\","
        "\"labels\":{\"a\":\"\\n\",\"b\":\"2\"}}\n");
    tags_unref(tags);
    struct config kube = {.host = "n", .service = ""};
    tags = tags_new(&(struct identity){.service = "api", .namespace_ = "prod", .pod = "api-1"}, &kube);
    assert_string_equal(json(tags, REC("x")),
                        "{\"time\":\"" T
                        "\",\"service\":\"api\",\"stream\":\"stdout\",\"log\":\"x\",\"host\":\"n\","
                        "\"namespace\":\"prod\",\"pod\":\"api-1\"}\n");
    tags_unref(tags);
}

/* A record without a time gets that of now, to the millisecond. */
static void test_json_now(void **state)
{
    (void)state;
    struct tags *tags = web();
    int64_t before = clock_now(), ns;
    const char *text = json(tags, (struct record){.text = SLICE("x")});
    int64_t after = clock_now();
    const char *end = strstr(text + 9, "\",\"service\"");
    assert_int_equal(clock_parse(slice_of(text + 9, (size_t)(end - text - 9)), &ns), 0);
    assert_true(ns >= before && ns <= after);
    tags_unref(tags);
}

/* Whatever the bytes: each line is one JSON object whose log is the text, and lines of all lengths stand one
 * behind the other. */
static void test_json_lengths(void **state)
{
    (void)state;
    struct tags *tags = web();
    void *encoder = encoder_json.open(NULL, false);
    struct buf all = {0};
    char text[600];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)(i % 3 ? 'a' + i % 26 : (int)(i % 256));
    }
    for (size_t len = 0; len < sizeof(text); len++) {
        struct record rec = {.text = {text, len}, .time = SLICE(T), .partial = len % 7 == 0};
        assert_int_equal(encoder_json.encode(encoder, tags, &rec, &all), 0);
    }
    const char *p = all.data;
    for (size_t len = 0; len < sizeof(text); len++) {
        const char *newline = memchr(p, '\n', (size_t)(all.data + all.len - p));
        json_t *object = json_loadb(p, (size_t)(newline - p), JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        struct buf want = {0};
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(text[i] & 0x80 ? buf_add(&want, "\xef\xbf\xbd", 3) : buf_add(&want, text + i, 1),
                             0);
        }
        json_t *log = json_object_get(object, "log");
        assert_int_equal(json_string_length(log), want.len);
        assert_memory_equal(json_string_value(log), want.data ? want.data : "", want.len);
        assert_int_equal(json_is_true(json_object_get(object, "partial")), len % 7 == 0);
        json_decref(object);
        buf_free(&want);
        p = newline + 1;
    }
    assert_ptr_equal(p, all.data + all.len);
    buf_free(&all);
    encoder_json.close(encoder);
    tags_unref(tags);
}

static void test_raw(void **state)
{
    (void)state;
    struct tags *tags = web();
    assert_string_equal(encode(&encoder_raw, NULL, tags, REC("a \\u003cb\\u003e\\t\\\\", .escaped = true)),
                        "a <b>\t\\\n");
    assert_string_equal(encode(&encoder_raw, NULL, tags, REC("as it is \\u003c \xff")),
                        "as it is \\u003c \xff\n");
    assert_string_equal(encode(&encoder_raw, NULL, tags, REC("")), "\n");
    tags_unref(tags);
}

/* With stdout a terminal: cursor, title and answers are out of reach, colours end with their line. */
static void test_raw_on_a_terminal(void **state)
{
    (void)state;
    struct config cfg = {.color = COLOR_ALWAYS};
    struct tags *tags = web();
    int master, slave, old = dup(STDOUT_FILENO);
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    void *raw[3];
    fflush(stdout);
    dup2(slave, STDOUT_FILENO);
    raw[0] = encoder_raw.open(&cfg, true);
    raw[1] = encoder_raw.open(&cfg, false); /* what it makes goes elsewhere */
    cfg.color = COLOR_NEVER;
    raw[2] = encoder_raw.open(&cfg, true);
    dup2(old, STDOUT_FILENO);
    static const char line[] = "\x1b[31mred\x1b[0m \x1b[2J\xc2\x9b\x1b]0;title\x07\n\x1b[1mtwo\r";
    assert_string_equal(encode(&encoder_raw, raw[0], tags, REC(line)),
                        "\x1b[31mred\x1b[0m ^[[2J<U+009B>^[]0;title^G\x1b[0m\n\x1b[1mtwo\x1b[0m\n");
    assert_string_equal(encode(&encoder_raw, raw[1], tags, REC("\x1b[2J\r")), "\x1b[2J\r\n");
    assert_string_equal(encode(&encoder_raw, raw[2], tags, REC(line)),
                        "red ^[[2J<U+009B>^[]0;title^G\ntwo\n");
    assert_string_equal(encode(&encoder_raw, raw[2], tags, REC("\\u001b[2J\\u003c", .escaped = true)),
                        "^[[2J<\n");
    assert_string_equal(encode(&encoder_raw, raw[2], tags, REC("")), "\n");
    for (int i = 0; i < 3; i++) {
        encoder_raw.close(raw[i]);
    }
    close(master);
    close(slave);
    close(old);
    tags_unref(tags);
}

static void check_name(const char *want, const char *name, const char *labels)
{
    const struct config cfg = {.host = "h", .service = ""};
    struct tags *tags = tags_of(name, labels, &cfg);
    struct slice got = pretty_name(tags);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
    tags_unref(tags);
}

static void test_pretty_names(void **state)
{
    (void)state;
    check_name("web_1", "/shop_web_1",
               "{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\"}");
    check_name("web-2", "/shop-web-2",
               "{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\"}");
    check_name("shop_1", "/shop_shop_1",
               "{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"shop\"}");
    check_name("pay", "/shop_web_1",
               "{\"com.docker.compose.project\":\"shop\",\"sidetail.service\":\"pay\"}");
    check_name("shop_web.1", "/shop_web.1.x5k2",
               "{\"com.docker.swarm.service.name\":\"shop_web\",\"com.docker.swarm.task.name\":\"shop_web.1."
               "x5k2\"}");
    check_name("alone", "/alone", "{}");
}

static void test_pretty(void **state)
{
    (void)state;
    const struct config cfg = {.host = "h", .service = "", .color = COLOR_NEVER};
    struct tags *tags = web(), *other = tags_of("/database", "{}", &cfg);
    void *pretty = encoder_pretty.open(&cfg, true);
    assert_string_equal(encode(&encoder_pretty, pretty, tags, REC("one \\\"x\\\"", .escaped = true)),
                        "web_1  | one \"x\"\n");
    assert_string_equal(encode(&encoder_pretty, pretty, other, REC("two\r")), "database  | two\n");
    assert_string_equal(encode(&encoder_pretty, pretty, tags, REC("bad", .stream = STREAM_STDERR)),
                        "web_1     ! bad\n");
    assert_string_equal(encode(&encoder_pretty, pretty, tags, REC("")), "web_1     | \n");
    assert_string_equal(encode(&encoder_pretty, pretty, tags, REC("a\n b\n", .partial = true)),
                        "web_1     | a\nweb_1     |  b\nweb_1     | …\n");
    assert_string_equal(
        encode(&encoder_pretty, pretty, tags, REC("\x1b[31mred\x1b[0m \x1b[2J\x1b]0;title\x07 \\u001b")),
        "web_1     | red ^[[2J^[]0;title^G \\u001b\n");
    encoder_pretty.close(pretty);

    static const char line[] = "{\\\"level\\\":\\\"warn\\\",\\\"msg\\\":\\\"m\\\"}";
    for (int json = 0; json < 2; json++) {
        const struct config with = {.color = COLOR_NEVER, .pretty_json = json};
        pretty = encoder_pretty.open(&with, false);
        assert_string_equal(encode(&encoder_pretty, pretty, tags, REC(line, .escaped = true)),
                            json ? "web_1  | WARN  m\n" : "web_1  | {\"level\":\"warn\",\"msg\":\"m\"}\n");
        encoder_pretty.close(pretty);
    }
    tags_unref(tags);
    tags_unref(other);
}

static void test_pretty_color(void **state)
{
    (void)state;
    const struct config cfg = {.host = "h", .service = "", .color = COLOR_ALWAYS};
    struct tags *tags = web();
    void *pretty = encoder_pretty.open(&cfg, false);
    char first[128], *color;
    strcpy(first, encode(&encoder_pretty, pretty, tags, REC("x")));
    assert_int_equal(first[0], 0x1b);
    color = strndup(first, strcspn(first, "m") + 1);
    char want[128];
    snprintf(want, sizeof(want), "%sweb_1\x1b[0m  \x1b[2m|\x1b[0m x\n", color);
    assert_string_equal(first, want);
    snprintf(want, sizeof(want), "%sweb_1\x1b[0m  \x1b[31m!\x1b[0m x\n", color);
    assert_string_equal(encode(&encoder_pretty, pretty, tags, REC("x", .stream = STREAM_STDERR)), want);
    /* Colours of the text stay, and end with its line. */
    snprintf(want, sizeof(want), "%sweb_1\x1b[0m  \x1b[2m|\x1b[0m \x1b[1;31mx^[[H\x1b[0m\n", color);
    assert_string_equal(encode(&encoder_pretty, pretty, tags, REC("\x1b[1;31mx\x1b[H")), want);
    free(color);
    encoder_pretty.close(pretty);
    tags_unref(tags);
}

static void test_color_choice(void **state)
{
    (void)state;
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_true(pretty_color(COLOR_AUTO, true));
    assert_false(pretty_color(COLOR_AUTO, false));
    assert_true(pretty_color(COLOR_ALWAYS, false));
    assert_false(pretty_color(COLOR_NEVER, true));
    setenv("NO_COLOR", "1", 1);
    assert_false(pretty_color(COLOR_AUTO, true));
    assert_true(pretty_color(COLOR_ALWAYS, true));
    setenv("NO_COLOR", "", 1);
    assert_true(pretty_color(COLOR_AUTO, true));
    setenv("TERM", "dumb", 1);
    assert_false(pretty_color(COLOR_AUTO, true));
}

static void test_terminal_columns(void **state)
{
    (void)state;
    assert_int_equal(terminal_columns(SLICE("")), 0);
    assert_int_equal(terminal_columns(SLICE("web-1")), 5);
    assert_int_equal(terminal_columns(SLICE("f\u00fcr")), 3);
    assert_int_equal(terminal_columns(SLICE("fu\u0308r")), 3);
    assert_int_equal(terminal_columns(SLICE("\u65e5\u672c\u8a9e")), 6);
    assert_int_equal(terminal_columns(SLICE("a\U0001f389b\ufffd")), 5);
}

/* No byte that a terminal obeys comes through but tabs and colours, whatever goes in. */
static void test_terminal_safe(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct buf safe = {0};
    for (int i = 0; i < 50000; i++) {
        char text[48];
        for (size_t k = 0; k < sizeof(text); k++) {
            static const char likely[] = "\x1b\x1b\x1b[[[]0;9mHJ\xc2\x9b\x9d\x07\x7f\t\r";
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint32_t r = (uint32_t)(seed >> 33);
            text[k] = r % 4 ? likely[r / 4 % (sizeof(likely) - 1)] : (char)(r >> 8);
        }
        bool colored = false;
        safe.len = 0;
        assert_int_equal(terminal_put(&safe, slice_of(text, sizeof(text)), i % 2, &colored), 0);
        bool found = false;
        for (size_t k = 0; k < safe.len; k++) {
            unsigned char c = (unsigned char)safe.data[k];
            assert_false(c == 0xc2 && k + 1 < safe.len && (unsigned char)safe.data[k + 1] < 0xa0);
            assert_int_not_equal(c, 0x7f);
            if (c == 0x1b) {
                size_t len = 2 + strspn(safe.data + k + 2, "0123456789;:");
                assert_true(i % 2 && k + len < safe.len && safe.data[k + 1] == '[' &&
                            safe.data[k + len] == 'm');
                found = true;
            } else {
                assert_true(c >= 0x20 || c == '\t');
            }
        }
        assert_int_equal(found, colored);
    }
    buf_free(&safe);
}

/* Above ASCII: C1, and what turns the direction of writing; their neighbours stay. */
static void test_terminal_high(void **state)
{
    (void)state;
    static const char text[] = "\xc2\x9b \xc2\x80 \xc2\xa0 \u061b\u061c \u200d\u200e\u200f\u2010 "
                               "\u2029\u202a\u202e\u202f \u2065\u2066\u2069\u206a \U0001f389";
    struct buf safe = {0};
    bool colored = false;
    assert_int_equal(terminal_put(&safe, SLICE(text), false, &colored), 0);
    assert_int_equal(buf_add(&safe, "", 1), 0);
    assert_string_equal(safe.data, "<U+009B> <U+0080> \u00a0 \u061b<U+061C> \u200d<U+200E><U+200F>\u2010 "
                                   "\u2029<U+202A><U+202E>\u202f \u2065<U+2066><U+2069>\u206a \U0001f389");
    buf_free(&safe);
}

/* In JSON (and logfmt) the same characters are written in another way: the values are what they were. */
static void test_terminal_escape(void **state)
{
    (void)state;
    struct buf json = {0};
    const char *before = "as it was \u202e";
    static const char text[] = "{\"a\":\"\xc2\x9b\x7f\u202e\\u001b\u00a0\",\"b\":\"f\u00fcr\"}\n";
    static const char plain[] = "{\"a\":\"f\u00fcr \u65e5\"}\n";
    assert_int_equal(buf_add(&json, before, strlen(before)), 0);
    assert_int_equal(buf_add(&json, text, sizeof(text) - 1), 0);
    assert_int_equal(terminal_escape(&json, strlen(before)), 0);
    assert_int_equal(buf_add(&json, plain, sizeof(plain) - 1), 0);
    assert_int_equal(terminal_escape(&json, json.len - sizeof(plain) + 1), 0);
    assert_int_equal(buf_add(&json, "", 1), 0);
    assert_string_equal(json.data,
                        "as it was \u202e{\"a\":\"\\u009b\\u007f\\u202e\\u001b\u00a0\",\"b\":\"f\u00fcr\"}\n"
                        "{\"a\":\"f\u00fcr \u65e5\"}\n");
    buf_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),          cmocka_unit_test(test_json_tags),
        cmocka_unit_test(test_json_now),      cmocka_unit_test(test_json_lengths),
        cmocka_unit_test(test_raw),           cmocka_unit_test(test_raw_on_a_terminal),
        cmocka_unit_test(test_pretty_names),  cmocka_unit_test(test_pretty),
        cmocka_unit_test(test_pretty_color),  cmocka_unit_test(test_color_choice),
        cmocka_unit_test(test_terminal_safe), cmocka_unit_test(test_terminal_columns),
        cmocka_unit_test(test_terminal_high), cmocka_unit_test(test_terminal_escape),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&out);
    return failed;
}
