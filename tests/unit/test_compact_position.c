#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <malloc.h>

#include "record/batch.h"
#include "record/compact_position.h"

static const struct position file = {
    .kind = POSITION_FILE,
    .newest_ns = 7,
    .outline = {2, {1, 255}},
    .at.file = {{UINT64_MAX, 2, UINT64_MAX - 3, FILE_ID_HEAD}, 4, -5, {UINT64_MAX - 6, FILE_TAIL_MAX}},
};
static const struct position api = {.kind = POSITION_API, .at.api = {INT64_MAX, UINT32_MAX}};

static void assert_kept(struct compact_position *c, const struct position *pos)
{
    struct position got;
    struct compact_position copy = {0};
    compact_get(c, &got);
    bool same = position_same(&got, pos);
    assert_int_equal(compact_set(&copy, pos), 0);
    assert_int_equal(compact_copy(c, &copy), !same);
    assert_int_equal(compact_copy(c, &copy), 0);
    compact_clear(&copy);
    compact_get(c, &got);
    assert_true(position_same(&got, pos));
    assert_int_equal(compact_set(c, pos), 0);
    assert_int_equal(compact_is_none(c), pos->kind == POSITION_NONE);
    compact_get(c, &got);
    assert_true(position_same(&got, pos));
}

static struct position torn(unsigned tears)
{
    struct position pos = file;
    for (unsigned i = 0; i < tears; i++) {
        pos.tears.at[i] = (struct file_tear){i + 1, i, {i * 3, i}};
    }
    pos.tears.count = (uint8_t)tears;
    return pos;
}

static struct position held(const struct position *of)
{
    struct position pos = *of;
    pos.held_set[STREAM_STDERR] = true;
    pos.held[STREAM_STDERR] = pos.at;
    return pos;
}

/* What is set comes back, whatever was set before. */
static void test_any_after_any(void **state)
{
    (void)state;
    struct position mid_line = file, newest = api, outlined = api;
    mid_line.mid_line = true;
    newest.newest_ns = 1; /* a checkpoint may say so */
    outlined.outline.lines = 1;
    const struct position all[] = {
        {0},         file,      api, mid_line, newest, outlined, torn(1), torn(3), torn(FILE_TEARS_MAX),
        held(&file), held(&api)};
    struct compact_position c = {0};
    assert_true(compact_is_none(&c));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++) {
            assert_kept(&c, &all[i]);
            assert_kept(&c, &all[j]);
        }
    }
    compact_clear(&c);
    assert_true(compact_is_none(&c));
}

/* A mark had 536 bytes with room for tears in each, and 272 without. */
static void test_is_small(void **state)
{
    (void)state;
    struct compact_position c = {0};
    struct position pos = held(&file);
    assert_in_range(sizeof(struct compact_position), 1, 80);
    assert_in_range(sizeof(struct mark), 1, 128);
    assert_int_equal(compact_set(&c, &pos), 0);
    assert_in_range(malloc_usable_size(c.whole), 1, 256); /* without room for tears */
    compact_clear(&c);
}

/* A batch that is emptied frees what its marks hold: the sanitizers and valgrind see it. */
static void test_cleared_with_the_batch(void **state)
{
    (void)state;
    struct batch *batch = batch_new();
    struct position pos = torn(2);
    struct mark *mark = batch_add_mark(batch);
    mark->key = feed_key_new("a");
    assert_int_equal(compact_set(&mark->pos, &pos), 0);
    batch_clear(batch, 0);
    mark = batch_add_mark(batch);
    assert_true(compact_is_none(&mark->pos));
    batch->nmarks = 0;
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_after_any),
        cmocka_unit_test(test_is_small),
        cmocka_unit_test(test_cleared_with_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
