/* Records over the broker's limit, cut into pieces that are marked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "config/config.h"
#include "sink/kafka/cut.h"

static json_t *piece_json(const struct kafka_pieces *pieces, size_t i)
{
    size_t from = i ? pieces->ends[i - 1] : 0;
    json_t *json = json_loadb(pieces->out.data + from, pieces->ends[i] - from, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    return json;
}

/* Cuts, and checks that the pieces are marked, small enough, and make the text again. */
static void check_cut(json_t *record, size_t max, bool last_partial)
{
    struct kafka_pieces pieces = {0};
    struct buf text = {0};
    char *line = json_dumps(record, JSON_COMPACT);
    assert_int_equal(kafka_cut(&pieces, FORMAT_JSON, slice_str(line), max), 0);
    assert_true(pieces.count > 1);
    size_t from = 0;
    for (size_t i = 0; i < pieces.count; i++) {
        assert_true(pieces.ends[i] - from <= max);
        from = pieces.ends[i];
        json_t *json = piece_json(&pieces, i);
        const json_t *log = json_object_get(json, "log");
        buf_add(&text, json_string_value(log), json_string_length(log));
        assert_string_equal(json_string_value(json_object_get(json, "service")), "web");
        assert_int_equal(json_is_true(json_object_get(json, "partial")),
                         i + 1 < pieces.count || last_partial);
        json_decref(json);
    }
    const json_t *log = json_object_get(record, "log");
    assert_int_equal(text.len, json_string_length(log));
    assert_memory_equal(text.data, json_string_value(log), text.len);
    buf_free(&text);
    free(line);
    kafka_pieces_free(&pieces);
}

static json_t *record_of(const char *unit, size_t unit_len, int times, bool partial)
{
    struct buf text = {0};
    for (int i = 0; i < times; i++) {
        buf_add(&text, unit, unit_len);
    }
    json_t *record = json_pack("{sssssssosb}", "time", "2026-11-24T05:00:39Z", "service", "web", "stream",
                               "stdout", "log", json_stringn(text.data, text.len), "partial", partial);
    if (!partial) {
        json_object_del(record, "partial");
    }
    buf_free(&text);
    return record;
}

static void json_is_cut_into_json(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        size_t len;
    } units[] = {{"abc", 3},  {"\xc3\xa9", 2}, {"\xf0\x9f\x98\x80", 4},
                 {"\"\\", 2}, {"a\x01\n", 3},  {"\0x", 2}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        for (int partial = 0; partial < 2; partial++) {
            json_t *record = record_of(units[i].unit, units[i].len, 1000, partial);
            check_cut(record, 300, partial);
            check_cut(record, 777, partial);
            json_decref(record);
        }
    }
}

static void pieces_are_as_large_as_may_be(void **state)
{
    (void)state;
    struct kafka_pieces pieces = {0};
    json_t *record = record_of("x", 1, 100000, false);
    char *line = json_dumps(record, JSON_COMPACT);
    assert_int_equal(kafka_cut(&pieces, FORMAT_JSON, slice_str(line), 10000), 0);
    assert_int_equal(pieces.ends[0], 10000);
    assert_int_equal(pieces.count, 11);
    free(line);
    json_decref(record);
    kafka_pieces_free(&pieces);
}

static void raw_is_cut_between_characters(void **state)
{
    (void)state;
    struct kafka_pieces pieces = {0};
    char text[900];
    for (size_t i = 0; i < sizeof(text); i += 3) {
        memcpy(text + i, "\xe2\x82\xac", 3);
    }
    assert_int_equal(kafka_cut(&pieces, FORMAT_RAW, slice_of(text, sizeof(text)), 400), 0);
    assert_int_equal(pieces.count, 3);
    assert_int_equal(pieces.ends[0], 399);
    assert_int_equal(pieces.out.len, sizeof(text));
    assert_memory_equal(pieces.out.data, text, sizeof(text));
    kafka_pieces_free(&pieces);
    assert_int_equal(kafka_cut(&pieces, FORMAT_RAW, slice_of(text, sizeof(text)), 10), -1);
    kafka_pieces_free(&pieces);
}

#define LOGFMT_HEAD "time=2026-11-24T05:00:39Z service=\"a msg=\\\"b msg=\" stream=stdout level=warn msg=\""
#define LOGFMT_TAIL "\" container=web_1 id=909cac8e1261 label.x=\"a partial=true\""

/* Cuts, and checks that each piece is the line with a part of its text, small enough and marked. */
static void check_logfmt(const char *unit, size_t times, size_t max, bool partial)
{
    struct kafka_pieces pieces = {0};
    struct buf line = {0}, text = {0}, want = {0};
    buf_add(&line, LOGFMT_HEAD, strlen(LOGFMT_HEAD));
    for (size_t i = 0; i < times; i++) {
        buf_add(&line, unit, strlen(unit));
        buf_add(&want, unit, strlen(unit));
    }
    buf_add(&line, LOGFMT_TAIL, strlen(LOGFMT_TAIL));
    buf_add(&line, " partial=true", partial ? 13 : 0);
    assert_int_equal(kafka_cut(&pieces, FORMAT_LOGFMT, slice_of(line.data, line.len), max), 0);
    assert_true(pieces.count > 1);
    for (size_t i = 0, from = 0; i < pieces.count; from = pieces.ends[i++]) {
        struct slice piece = slice_of(pieces.out.data + from, pieces.ends[i] - from);
        bool marked = i + 1 < pieces.count || partial;
        const char *tail = marked ? LOGFMT_TAIL " partial=true" : LOGFMT_TAIL;
        size_t head_len = strlen(LOGFMT_HEAD), tail_len = strlen(tail);
        assert_true(piece.len <= max && piece.len > head_len + tail_len);
        assert_memory_equal(piece.ptr, LOGFMT_HEAD, head_len);
        assert_memory_equal(piece.ptr + piece.len - tail_len, tail, tail_len);
        struct slice part = slice_of(piece.ptr + head_len, piece.len - head_len - tail_len);
        assert_int_equal(part.len % strlen(unit), 0); /* nothing is torn */
        buf_add(&text, part.ptr, part.len);
    }
    assert_true(slice_eq(slice_of(text.data, text.len), slice_of(want.data, want.len)));
    buf_free(&line);
    buf_free(&text);
    buf_free(&want);
    kafka_pieces_free(&pieces);
}

static void logfmt_is_cut_into_logfmt(void **state)
{
    (void)state;
    static const char *const units[] = {"x",    "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\\n",
                                        "\\\\", "\\\"",         "\\u001b"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        for (int partial = 0; partial < 2; partial++) {
            check_logfmt(units[i], 1000, 300, partial);
            check_logfmt(units[i], 1000, 777, partial);
        }
    }
}

/* As in JSON: a payload has no text to cut, so the record as a whole is the text. */
static void logfmt_long_by_more_than_its_text(void **state)
{
    (void)state;
    static const char bare[] =
        "time=2026-11-24T05:00:39Z service=web stream=stdout container=web_1 id=909cac8e1261 msg=\"";
    struct kafka_pieces pieces = {0};
    struct buf line = {0}, text = {0}, whole = {0};
    buf_addf(&line,
             "time=2026-11-24T05:00:39Z service=web stream=stdout msg=\"short\" container=web_1 "
             "id=909cac8e1261 host=node-1 message=\"{\\\"deep\\\":\\\"%0*d\\\"}\"",
             2000, 0);
    assert_int_equal(kafka_cut(&pieces, FORMAT_LOGFMT, slice_of(line.data, line.len), 600), 0);
    assert_true(pieces.count > 3);
    for (size_t i = 0, from = 0; i < pieces.count; from = pieces.ends[i++]) {
        const char *tail = i + 1 < pieces.count ? "\" partial=true" : "\"";
        size_t len = pieces.ends[i] - from, around = strlen(bare) + strlen(tail);
        assert_true(len <= 600 && len > around);
        assert_memory_equal(pieces.out.data + from, bare, strlen(bare));
        assert_memory_equal(pieces.out.data + pieces.ends[i] - strlen(tail), tail, strlen(tail));
        buf_add(&text, pieces.out.data + from + strlen(bare), len - around);
    }
    assert_int_equal(text_unescape(&whole, slice_of(text.data, text.len)), 0);
    assert_true(slice_eq(slice_of(whole.data, whole.len), slice_of(line.data, line.len)));
    buf_free(&line);
    buf_free(&text);
    buf_free(&whole);
    kafka_pieces_free(&pieces);
}

/* What is no line of the encoder, or has tags alone that are too long, is cut as raw text. */
static void logfmt_that_cannot_be_cut_is_raw(void **state)
{
    (void)state;
    struct kafka_pieces pieces = {0};
    static const char *const starts[] = {"time=x msg=", "time=x msg=\"never closed", "msg=\"\""};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct buf line = {0};
        buf_addf(&line, "%s%0*d", starts[i], 1000, 0);
        assert_int_equal(kafka_cut(&pieces, FORMAT_LOGFMT, slice_of(line.data, line.len), 400), 0);
        assert_int_equal(pieces.count, 3);
        assert_true(slice_eq(slice_of(pieces.out.data, pieces.out.len), slice_of(line.data, line.len)));
        buf_free(&line);
    }
    kafka_pieces_free(&pieces);
}

/* A payload that is an object has no text to cut: the record as a whole is the text. */
static void a_record_long_by_more_than_its_text(void **state)
{
    (void)state;
    struct kafka_pieces pieces = {0};
    struct buf text = {0};
    json_t *record = record_of("y", 1, 2000, false);
    json_t *message = json_pack("{sO}", "deep", json_object_get(record, "log"));
    json_object_del(record, "log");
    json_object_set_new(record, "message", message);
    char *line = json_dumps(record, JSON_COMPACT);
    assert_int_equal(kafka_cut(&pieces, FORMAT_JSON, slice_str(line), 600), 0);
    assert_true(pieces.count > 3);
    for (size_t i = 0; i < pieces.count; i++) {
        json_t *json = piece_json(&pieces, i);
        const json_t *log = json_object_get(json, "log");
        buf_add(&text, json_string_value(log), json_string_length(log));
        assert_string_equal(json_string_value(json_object_get(json, "service")), "web");
        json_decref(json);
    }
    assert_int_equal(text.len, strlen(line));
    assert_memory_equal(text.data, line, text.len);
    buf_free(&text);
    free(line);
    json_decref(record);
    kafka_pieces_free(&pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_cut_into_json),
        cmocka_unit_test(pieces_are_as_large_as_may_be),
        cmocka_unit_test(raw_is_cut_between_characters),
        cmocka_unit_test(a_record_long_by_more_than_its_text),
        cmocka_unit_test(logfmt_is_cut_into_logfmt),
        cmocka_unit_test(logfmt_long_by_more_than_its_text),
        cmocka_unit_test(logfmt_that_cannot_be_cut_is_raw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
