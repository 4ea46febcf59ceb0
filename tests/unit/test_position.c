#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "record/position.h"

static union source_offset file_place(uint64_t seed)
{
    uint32_t tail = seed >> 1 < FILE_TAIL_MAX ? (uint32_t)(seed >> 1) : FILE_TAIL_MAX;
    return (union source_offset){
        .file = {
            .file = {.dev = seed, .ino = ~seed, .head_hash = seed * 0x9E3779B97F4A7C15u, .head_len = 1024},
            .offset = seed >> 1,
            .mtime_ns = -(int64_t)(seed >> 2),
            .tail = {.hash = tail > 0 ? ~seed * 0x9E3779B97F4A7C15u : 0, .len = tail}}};
}

static void assert_same(const struct position *a, const struct position *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->mid_line, b->mid_line);
    assert_true(a->newest_ns == b->newest_ns);
    assert_memory_equal(&a->outline, &b->outline, sizeof(a->outline));
    assert_int_equal(a->tears.count, b->tears.count);
    for (unsigned i = 0; i < a->tears.count; i++) {
        const struct file_tear *p = &a->tears.at[i], *q = &b->tears.at[i];
        assert_true(p->offset == q->offset && p->time_ns == q->time_ns);
        assert_true(p->before.len == q->before.len && p->before.hash == q->before.hash);
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        assert_int_equal(a->held_set[s], b->held_set[s]);
    }
    for (int i = -1; i < STREAM_COUNT; i++) {
        if (i >= 0 && !a->held_set[i]) {
            continue;
        }
        const union source_offset *p = i < 0 ? &a->at : &a->held[i], *q = i < 0 ? &b->at : &b->held[i];
        if (a->kind == POSITION_API) {
            assert_true(p->api.time_ns == q->api.time_ns && p->api.lines == q->api.lines);
        } else if (a->kind == POSITION_FILE) {
            assert_true(p->file.file.dev == q->file.file.dev && p->file.file.ino == q->file.file.ino);
            assert_true(p->file.file.head_hash == q->file.file.head_hash);
            assert_true(p->file.file.head_len == q->file.file.head_len);
            assert_true(p->file.offset == q->file.offset && p->file.mtime_ns == q->file.mtime_ns);
            assert_true(p->file.tail.len == q->file.tail.len && p->file.tail.hash == q->file.tail.hash);
        }
    }
}

static void there_and_back(const struct position *pos)
{
    struct buf text = {0};
    struct position back;
    assert_int_equal(position_write(&text, pos), 0);
    assert_true(text.len <= POSITION_TEXT_MAX);
    json_t *json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_int_equal(position_from_json(json, &back), 0);
    assert_same(pos, &back);
    json_decref(json);
    buf_free(&text);

    json = position_to_json(pos);
    assert_non_null(json);
    assert_int_equal(position_from_json(json, &back), 0);
    assert_same(pos, &back);
    json_decref(json);
}

static void test_files_survive(void **state)
{
    (void)state;
    const uint64_t seeds[] = {0, 1, 255, 1ull << 32, INT64_MAX, UINT64_MAX, 0xfedcba9876543210u};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        for (int flags = 0; flags < 8; flags++) {
            struct position pos = {.kind = POSITION_FILE,
                                   .at = file_place(seeds[i]),
                                   .mid_line = flags & 1,
                                   .newest_ns = flags & 4 ? (int64_t)seeds[i] : 0};
            if (seeds[i] % 2 == 1) {
                memset(&pos.outline, (int)(seeds[i] % 255 + 1), sizeof(pos.outline));
                pos.outline.sums[3] = 0;
            }
            for (int s = 0; s < STREAM_COUNT; s++) {
                pos.held_set[s] = flags & (2 << s);
                pos.held[s] = file_place(seeds[i] ^ (uint64_t)s);
            }
            for (pos.tears.count = 0;
                 seeds[i] > 1 && (int)pos.tears.count < (flags == 7 ? FILE_TEARS_MAX : flags);
                 pos.tears.count++) {
                const struct file_pos *at = &pos.at.file;
                pos.tears.at[pos.tears.count] =
                    (struct file_tear){at->offset, -(int64_t)pos.tears.count, at->tail};
            }
            there_and_back(&pos);
        }
    }
}

static void test_times_survive(void **state)
{
    (void)state;
    struct position pos = {.kind = POSITION_API,
                           .at.api = {INT64_MAX, UINT32_MAX},
                           .held_set = {[STREAM_STDERR] = true},
                           .held = {[STREAM_STDERR] = {.api = {INT64_MIN, 0}}}};
    there_and_back(&pos);
    there_and_back(&(struct position){.kind = POSITION_NONE});
}

static void test_text_is_as_documented(void **state)
{
    (void)state;
    struct buf text = {0};
    struct position pos = {.kind = POSITION_FILE,
                           .at.file = {{0xfe00, 0x1a2b, 0xabc, 7}, 9, 12, {0xdef, 5}},
                           .held_set = {true, false},
                           .held = {{.file = {{0, 0, 0, 0}, 0, 0, {0, 0}}}},
                           .mid_line = true,
                           .outline = {2, {0x1f, [14] = 0xa0}},
                           .tears = {2, {{5, 77, {0xef, 5}}, {7, 0, {0, 0}}}}};
    assert_int_equal(position_write(&text, &pos), 0);
    const char *expected = "{\"kind\":\"file\",\"at\":{\"dev\":\"fe00\",\"ino\":\"1a2b\",\"head\":"
                           "\"0000000000000abc\",\"head_len\":7,"
                           "\"offset\":9,\"mtime\":12,\"tail\":\"0000000000000def\",\"tail_len\":5},\"held\":"
                           "{\"stdout\":{\"dev\":\"0\",\"ino\":\"0\","
                           "\"head\":\"0000000000000000\","
                           "\"head_len\":0,\"offset\":0,\"mtime\":0}},\"mid_line\":true,"
                           "\"outline\":\"021f00000000000000000000000000a0\",\"tears\":[{\"offset\":5,"
                           "\"time\":77,\"tail\":\"00000000000000ef\",\"tail_len\":5},{\"offset\":7,"
                           "\"time\":0}]}";
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
    buf_free(&text);
}

/* Each field counts; what is not set does not. */
static void test_same(void **state)
{
    (void)state;
    struct position a = {
        .kind = POSITION_FILE, .at = file_place(7), .held_set = {true}, .held = {file_place(9)}};
    struct position b = a;
    uint64_t *numbers[] = {&a.at.file.file.dev, &a.at.file.file.ino, &a.at.file.file.head_hash,
                           &a.at.file.offset, &a.held[0].file.offset};
    assert_true(position_same(&a, &b));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ++*numbers[i];
        assert_false(position_same(&a, &b));
        --*numbers[i];
    }
    b.held[1].file.offset = 5; /* not set */
    assert_true(position_same(&a, &b));
    b.held_set[1] = true;
    assert_false(position_same(&a, &b));
    b = a;
    b.mid_line = true;
    assert_false(position_same(&a, &b));
    b = a;
    b.outline.sums[7] = 1;
    assert_false(position_same(&a, &b));
    a.tears = b.tears = (struct file_tears){1, {{3, 4, {5, 2}}}};
    b.at = a.at, b.mid_line = a.mid_line, b.outline = a.outline;
    assert_true(position_same(&a, &b));
    b.tears.at[0].time_ns++;
    assert_false(position_same(&a, &b));
    b.tears.count = 0;
    assert_false(position_same(&a, &b));
    b = a;
    b.at.file.file.head_len--;
    assert_false(position_same(&a, &b));
    b = a;
    b.at.file.mtime_ns--;
    assert_false(position_same(&a, &b));
    b = a;
    b.at.file.tail.hash--;
    assert_false(position_same(&a, &b));
    b = a;
    b.at.file.tail.len = 0;
    assert_false(position_same(&a, &b));
    b.kind = POSITION_NONE;
    assert_false(position_same(&a, &b));
    a.kind = POSITION_NONE;
    assert_true(position_same(&a, &b));
}

static void test_same_times(void **state)
{
    (void)state;
    struct position a = {.kind = POSITION_API, .at.api = {5, 6}}, b = a;
    assert_true(position_same(&a, &b));
    a.at.api.lines++;
    assert_false(position_same(&a, &b));
    a.at.api = (struct api_pos){4, 6};
    assert_false(position_same(&a, &b));
}

#define AT_OFFSET_5                                                                                          \
    "\"dev\":\"1\",\"ino\":\"2\",\"head\":\"0000000000000003\",\"head_len\":4,\"offset\":5,\"mtime\":6"
#define AT   "{" AT_OFFSET_5 "}"
#define TEAR "{\"offset\":3,\"time\":1}"

static int parse(const char *text)
{
    struct position pos;
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    int result = position_from_json(json, &pos);
    if (result < 0) {
        assert_int_equal(pos.kind, POSITION_NONE);
    }
    json_decref(json);
    return result;
}

static void test_refuses_what_is_no_position(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"kind\":\"file\",\"at\":" AT "}"), 0);
    assert_int_equal(parse("{\"kind\":\"file\",\"at\":" AT ",\"held\":{}}"), 0);
    assert_int_equal(parse("{\"kind\":\"file\",\"at\":" AT ",\"tears\":[" TEAR "," TEAR "]}"), 0);
    assert_int_equal(parse("{\"kind\":\"file\",\"at\":{" AT_OFFSET_5 ",\"tail\":\"3\",\"tail_len\":5}}"), 0);
    static const char *const wrong[] = {
        "3",
        "[]",
        "{}",
        "{\"kind\":\"tape\",\"at\":" AT "}",
        "{\"kind\":\"api\",\"at\":" AT "}",
        "{\"kind\":\"file\"}",
        "{\"kind\":\"none\",\"at\":" AT "}",
        "{\"kind\":\"file\",\"at\":" AT ",\"more\":1}",
        "{\"kind\":\"file\",\"at\":" AT ",\"mid_line\":1}",
        "{\"kind\":\"file\",\"at\":" AT ",\"outline\":\"021f00000000000000000000000000a\"}",
        "{\"kind\":\"file\",\"at\":" AT ",\"outline\":\"021f00000000000000000000000000ag\"}",
        "{\"kind\":\"file\",\"at\":" AT ",\"outline\":\"001f00000000000000000000000000a0\"}",
        "{\"kind\":\"file\",\"at\":" AT ",\"held\":{\"stdin\":" AT "}}",
        "{\"kind\":\"file\",\"at\":" AT ",\"held\":{\"stdout\":5}}",
        "{\"kind\":\"file\",\"at\":" AT ",\"held\":[]}",
        "{\"kind\":\"file\",\"at\":{\"dev\":1,\"ino\":\"2\",\"head\":\"3\",\"head_len\":4,\"offset\":5,"
        "\"mtime\":6}}",
        "{\"kind\":\"file\",\"at\":{\"dev\":\"1\",\"ino\":\"G\",\"head\":\"3\",\"head_len\":4,\"offset\":5,"
        "\"mtime\":6}}",
        "{\"kind\":\"file\",\"at\":{\"dev\":\"1\",\"ino\":\"\",\"head\":\"3\",\"head_len\":4,\"offset\":5,"
        "\"mtime\":6}}",
        "{\"kind\":\"file\",\"at\":{\"dev\":\"1\",\"ino\":\"10000000000000000\",\"head\":\"3\",\"head_len\":"
        "4,"
        "\"offset\":5,\"mtime\":6}}",
        "{\"kind\":\"file\",\"at\":{\"dev\":\"1\",\"ino\":\"2\",\"head\":\"3\",\"head_len\":1025,\"offset\":"
        "5,\"mtime\":6}}",
        "{\"kind\":\"file\",\"at\":{\"dev\":\"1\",\"ino\":\"2\",\"head\":\"3\",\"head_len\":4,\"offset\":-5,"
        "\"mtime\":6}}",
        "{\"kind\":\"file\",\"at\":{\"dev\":\"1\",\"ino\":\"2\",\"head\":\"3\",\"head_len\":4,\"offset\":5.5,"
        "\"mtime\":6}}",
        "{\"kind\":\"file\",\"at\":{\"dev\":\"1\",\"ino\":\"2\",\"head\":\"3\",\"head_len\":4,\"offset\":5}}",
        "{\"kind\":\"file\",\"at\":{" AT_OFFSET_5 ",\"tail\":\"3\",\"tail_len\":6}}",
        "{\"kind\":\"file\",\"at\":{" AT_OFFSET_5 ",\"tail\":\"3\",\"tail_len\":-1}}",
        "{\"kind\":\"file\",\"at\":{" AT_OFFSET_5 ",\"tail\":\"x\",\"tail_len\":1}}",
        "{\"kind\":\"file\",\"at\":{" AT_OFFSET_5 ",\"tail\":3}}",
        "{\"kind\":\"file\",\"at\":" AT ",\"tears\":{}}",
        "{\"kind\":\"file\",\"at\":" AT ",\"tears\":[]}",
        "{\"kind\":\"file\",\"at\":" AT ",\"tears\":[3]}",
        "{\"kind\":\"file\",\"at\":" AT ",\"tears\":[{\"offset\":0,\"time\":1}]}",
        "{\"kind\":\"file\",\"at\":" AT ",\"tears\":[{\"offset\":3}]}",
        "{\"kind\":\"file\",\"at\":" AT ",\"tears\":[" TEAR ",{\"offset\":3,\"time\":1,\"tail\":\"1\","
        "\"tail_len\":4}]}",
        "{\"kind\":\"file\",\"at\":" AT ",\"tears\":[" TEAR "," TEAR "," TEAR "," TEAR "," TEAR "," TEAR
        "," TEAR "," TEAR "," TEAR "]}",
        "{\"kind\":\"api\",\"at\":{\"time\":1,\"lines\":-1}}",
        "{\"kind\":\"api\",\"at\":{\"time\":1,\"lines\":4294967296}}",
        "{\"kind\":\"api\",\"at\":{\"time\":\"1\",\"lines\":1}}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (parse(wrong[i]) == 0) {
            fail_msg("taken for a position: %s", wrong[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_survive),
        cmocka_unit_test(test_times_survive),
        cmocka_unit_test(test_text_is_as_documented),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_same_times),
        cmocka_unit_test(test_refuses_what_is_no_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
