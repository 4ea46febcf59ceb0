#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "checkpoint/entries.h"

enum { KEYS = 500 };

static size_t name(char key[32], int number)
{
    return (size_t)snprintf(key, 32, "/logs/%d/a.log", number);
}

static struct position at(uint64_t offset, bool held)
{
    struct position pos = {
        .kind = POSITION_FILE,
        .newest_ns = (int64_t)offset + 1,
        .at.file = {
            .file = {1, 2, offset * 3, 1024}, .offset = offset, .mtime_ns = 5, .tail = {offset * 7, 9}}};
    pos.held_set[STREAM_STDERR] = held; /* takes more room than others */
    pos.held[STREAM_STDERR] = held ? pos.at : (union source_offset){0};
    return pos;
}

static void assert_has(struct entries *entries, int number, const struct position *given)
{
    char key[32];
    struct entry *e = entries_find(entries, key, name(key, number));
    assert_int_equal(e != NULL, given->kind != POSITION_NONE);
    if (e) {
        assert_string_equal(e->key, key);
        assert_true(position_same(entry_position(entries, e), given));
    }
}

/* Added, moved and removed in any order: each key has what it was given last. */
static void test_any_order(void **state)
{
    (void)state;
    struct entries entries = {0};
    struct position given[KEYS] = {0};
    char key[32];
    uint32_t count = 0;
    srand(11);
    for (int step = 1; step <= 20000; step++) {
        int number = rand() % KEYS, what = rand() % 8;
        size_t len = name(key, number);
        struct entry *e = entries_find(&entries, key, len);
        if (what < 4 && e) {
            entries_remove(&entries, e);
            given[number] = (struct position){0};
            count--;
        } else if (what >= 4) {
            count += !e;
            given[number] = at((uint64_t)step, what == 7);
            assert_int_equal(compact_set(&entries_add(&entries, key, len)->pos, &given[number]), 0);
        }
        assert_int_equal(entries.count, count);
        number = rand() % KEYS;
        assert_has(&entries, number, &given[number]);
    }
    for (int number = 0; number < KEYS; number++) {
        assert_has(&entries, number, &given[number]);
    }
    entries_clear(&entries);
}

/* Keys of which one begins like the other, and what is in none. */
static void test_keys(void **state)
{
    (void)state;
    struct entries entries = {0};
    assert_null(entries_find(&entries, "", 0));
    struct entry *shorter = entries_add(&entries, "/a.log.1", 6),
                 *longer = entries_add(&entries, "/a.log.1", 8);
    assert_ptr_not_equal(shorter, longer);
    assert_string_equal(shorter->key, "/a.log");
    assert_ptr_equal(entries_find(&entries, "/a.log", 6), shorter);
    assert_ptr_equal(entries_add(&entries, "/a.log.1", 8), longer);
    assert_null(entries_find(&entries, "/a.log.", 7));
    entries_clear(&entries);
    assert_null(entries_find(&entries, "/a.log", 6));
}

static void note(void *arg, const char *key)
{
    (void)key;
    ++*(int *)arg;
}

/* Every third one is in use, and every other of the rest was seen of late. */
static void test_expire(void **state)
{
    (void)state;
    struct entries entries = {0};
    char key[32];
    int gone = 0, kept = 0;
    for (int number = 0; number < KEYS; number++) {
        struct entry *e = entries_add(&entries, key, name(key, number));
        e->in_use = number % 3 == 0;
        entry_set_seen(e, number % 2 ? INT64_MAX : 99);
    }
    entries_expire(&entries, 100, note, &gone);
    for (int number = 0; number < KEYS; number++) {
        bool stays = number % 3 == 0 || number % 2;
        assert_int_equal(entries_find(&entries, key, name(key, number)) != NULL, stays);
        kept += stays;
    }
    assert_int_equal(gone, KEYS - kept);
    assert_int_equal(entries.count, kept);
    entries_clear(&entries);
}

/* Where one is removed the last one takes its place: what was known of where either is holds no more. */
static void test_found_where_it_was(void **state)
{
    (void)state;
    struct entries entries = {0};
    uint32_t first = 7, second = 0, third = 0;
    struct entry *a = entries_at(&entries, "a", &first), *b = entries_at(&entries, "b", &second),
                 *c = entries_at(&entries, "c", &third);
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
    assert_ptr_equal(entries_at(&entries, "a", &first), a);
    entries_remove(&entries, a);
    assert_ptr_equal(entries_at(&entries, "c", &third), c);
    assert_int_equal(third, 0);
    assert_ptr_equal(entries_at(&entries, "b", &second), b);
    assert_string_equal(entries_at(&entries, "a", &first)->key, "a"); /* "c" is where it was */
    assert_int_equal(first, 2);
    assert_int_equal(entries.count, 3);
    entries_clear(&entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_expire),
        cmocka_unit_test(test_found_where_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
