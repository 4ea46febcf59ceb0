/* The encoder logfmt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/logfmt.h"
#include "base/text.h"
#include "config/config.h"
#include "encode/encode.h"
#include "record/severity.h"

#define ID   "909cac8e12615d0ea0b6d1a5b5a9a1f5d0c4e4f1b9e1a2b3c4d5e6f708192a3b"
#define T    "2026-11-24T05:00:39.668510088Z"
#define HEAD "time=" T " service=web stream=stdout"
#define TAIL " project=shop container=shop_web_1 id=909cac8e1261 host=node-1 image=web:1"

#define REC(str, ...) ((struct record){.text = SLICE(str), .time = SLICE(T), ##__VA_ARGS__})

static struct buf out;

static struct tags *tags_of(const char *labels_text, const struct config *cfg)
{
    json_t *labels = json_loads(labels_text, 0, NULL);
    assert_non_null(labels);
    struct tags *tags = tags_new(
        &(struct identity){.id = ID, .name = "/shop_web_1", .image = "web:1", .labels = labels}, cfg);
    assert_non_null(tags);
    json_decref(labels);
    return tags;
}

static struct tags *web(void)
{
    static const struct config cfg = {.host = "node-1", .service = ""};
    return tags_of("{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\"}", &cfg);
}

static const char *encode(const struct tags *tags, struct record rec)
{
    out.len = 0;
    void *encoder = encoder_logfmt.open(NULL, false);
    assert_int_equal(encoder_logfmt.encode(encoder, tags, &rec, &out), 0);
    encoder_logfmt.close(encoder);
    assert_int_equal(buf_add(&out, "", 1), 0);
    return out.data;
}

static void a_record_is_one_line(void **state)
{
    (void)state;
    struct tags *tags = web();
    assert_string_equal(encode(tags, REC("GET /cart 200")), HEAD " msg=\"GET /cart 200\"" TAIL "\n");
    assert_string_equal(encode(tags, REC("")), HEAD " msg=\"\"" TAIL "\n");
    assert_string_equal(encode(tags, REC("bad", .stream = STREAM_STDERR, .level = SEVERITY_WARN)),
                        "time=" T " service=web stream=stderr level=warn msg=\"bad\"" TAIL "\n");
    assert_string_equal(encode(tags, REC("cut", .partial = true)),
                        HEAD " msg=\"cut\"" TAIL " partial=true\n");
    tags_unref(tags);
}

/* Raw text is escaped; of an escaped one only what JSON cannot hold otherwise stays escaped. */
static void text_is_escaped_once(void **state)
{
    (void)state;
    struct tags *tags = web();
    assert_string_equal(encode(tags, REC("a \"b\" \\ c=d\n\x01\xff")),
                        HEAD " msg=\"a \\\"b\\\" \\\\ c=d\\n\\u0001\\ufffd\"" TAIL "\n");
    assert_string_equal(encode(tags, REC("\\u003ca\\u003e \\u0026 \\\"b\\\" \\\\ \\n\\u0009\\/\\u001b\\u00e9",
                                         .escaped = true)),
                        HEAD " msg=\"<a> & \\\"b\\\" \\\\ \\n\\t/\\u001b\u00e9\"" TAIL "\n");
    tags_unref(tags);
}

static void all_tags_are_there(void **state)
{
    (void)state;
    struct config cfg = {.host = "no de", .service = ""};
    cfg.labels = (struct string_list){(char *[]){"tier", "a b", "empty"}, 3};
    struct tags *tags =
        tags_of("{\"com.docker.swarm.task.name\":\"s.1.x\",\"com.docker.swarm.node.id\":\"nid\","
                "\"a b\":\"=\",\"empty\":\"\",\"other\":\"1\",\"tier\":\"back end\"}",
                &cfg);
    assert_string_equal(encode(tags, REC("x")),
                        "time=" T
                        " service=shop_web_1 stream=stdout msg=\"x\" container=shop_web_1 id=909cac8e1261"
                        " host=\"no de\" task=s.1.x node=nid image=web:1 label.a_b=\"=\" label.empty=\"\""
                        " label.tier=\"back end\"\n");
    tags_unref(tags);
    struct config kube = {.host = "n", .service = ""};
    tags = tags_new(&(struct identity){.service = "the api", .namespace_ = "prod", .pod = "api-1"}, &kube);
    assert_string_equal(encode(tags, REC("x")),
                        "time=" T " service=\"the api\" stream=stdout msg=\"x\" host=n"
                        " namespace=prod pod=api-1\n");
    tags_unref(tags);
}

static void a_payload_is_one_value(void **state)
{
    (void)state;
    struct tags *tags = web();
    assert_string_equal(encode(tags, REC("x", .extra = SLICE(",\"message\":{\"a\": \"b\\n\"}"))),
                        HEAD " msg=\"x\"" TAIL " message=\"{\\\"a\\\": \\\"b\\\\n\\\"}\"\n");
    assert_string_equal(encode(tags, REC("x", .extra = SLICE(",\"my \\\"k\\\\\":{}"))),
                        HEAD " msg=\"x\"" TAIL " my__k_={}\n");
    tags_unref(tags);
}

/* A record without a time gets that of now, to the millisecond. */
static void no_time_is_now(void **state)
{
    (void)state;
    struct tags *tags = web();
    int64_t before = clock_now(), ns;
    const char *text = encode(tags, (struct record){.text = SLICE("x")});
    int64_t after = clock_now();
    const char *end = strchr(text, ' ');
    assert_int_equal(clock_parse(slice_of(text + 5, (size_t)(end - text - 5)), &ns), 0);
    assert_true(ns >= before && ns <= after);
    tags_unref(tags);
}

/* The value of msg as a reader takes it. */
static struct slice message_of(struct slice line, struct buf *text)
{
    struct slice pair;
    text->len = 0;
    while (logfmt_next(&line, &pair)) {
        if (pair.len > 5 && memcmp(pair.ptr, "msg=\"", 5) == 0) {
            assert_int_equal(pair.ptr[pair.len - 1], '"');
            assert_int_equal(text_unescape(text, slice_of(pair.ptr + 5, pair.len - 6)), 0);
        }
    }
    return slice_of(text->data, text->len);
}

/* Whatever the bytes and the length: each line is whole, holds no control character, and its msg is the
 * text. */
static void any_bytes_come_back(void **state)
{
    (void)state;
    struct tags *tags = web();
    void *encoder = encoder_logfmt.open(NULL, false);
    struct buf got = {0}, want = {0}, escaped = {0};
    char text[600];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)(i % 3 ? 'a' + i % 26 : (int)(i % 256));
    }
    for (size_t len = 0; len < sizeof(text); len++) {
        struct record rec = {.text = {text, len}, .time = SLICE(T)};
        out.len = escaped.len = want.len = 0;
        assert_int_equal(text_escape(&escaped, rec.text), 0);
        assert_int_equal(text_unescape(&want, slice_of(escaped.data, escaped.len)), 0);
        if (len % 2) {
            rec.text = slice_of(escaped.data, escaped.len);
            rec.escaped = true;
        }
        assert_int_equal(encoder_logfmt.encode(encoder, tags, &rec, &out), 0);
        for (size_t i = 0; i + 1 < out.len; i++) {
            assert_true((unsigned char)out.data[i] >= 0x20);
        }
        assert_int_equal(out.data[out.len - 1], '\n');
        assert_true(
            slice_eq(message_of(slice_of(out.data, out.len - 1), &got), slice_of(want.data, want.len)));
    }
    encoder_logfmt.close(encoder);
    buf_free(&got);
    buf_free(&want);
    buf_free(&escaped);
    tags_unref(tags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_one_line), cmocka_unit_test(text_is_escaped_once),
        cmocka_unit_test(all_tags_are_there),   cmocka_unit_test(a_payload_is_one_value),
        cmocka_unit_test(no_time_is_now),       cmocka_unit_test(any_bytes_come_back),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&out);
    return failed;
}
