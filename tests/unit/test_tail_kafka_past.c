/* Which lines of a topic's past `sidetail tail --kafka` shows, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "tail/kafka/past.h"

/* Lines of one part; `owner` and time of each. */
static size_t make(struct last_line *lines, const char *owners, const int *times)
{
    size_t count = strlen(owners), next[4] = {0};
    for (size_t i = 0; i < count; i++) {
        unsigned owner = (unsigned)(owners[i] - 'a');
        lines[i] = (struct last_line){times[i], next[owner], next[owner], owner};
        next[owner]++;
    }
    return count;
}

static size_t first_of(struct last_line *lines, size_t count, int64_t wanted, unsigned short_owners,
                       bool *cut)
{
    bool is_short[4];
    for (int i = 0; i < 4; i++) {
        is_short[i] = short_owners >> i & 1;
    }
    return past_first(lines, count, wanted, is_short, cut);
}

static void test_last_by_time(void **state)
{
    (void)state;
    struct last_line lines[6];
    bool cut;
    size_t count = make(lines, "aaabbb", (const int[]){1, 6, 5, 2, 3, 4});
    assert_int_equal(first_of(lines, count, 4, 0, &cut), 2);
    assert_false(cut);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(lines[i].key_ns, i + 1);
    }
    assert_int_equal(first_of(lines, count, 1, 0, &cut), 5);
    assert_int_equal(first_of(lines, count, 6, 0, &cut), 0);
    assert_int_equal(first_of(lines, count, 100, 0, &cut), 0);
    assert_int_equal(first_of(lines, 0, 100, 0, &cut), 0);
}

/* A line's parts stand beside each other, and it counts once; of one of the same time, there is all or nothing. */
static void test_parts(void **state)
{
    (void)state;
    struct last_line lines[] = {{5, 0, 0, 0}, {5, 10, 10, 0}, {5, 0, 20, 0}, {6, 30, 30, 0}};
    bool cut;
    assert_int_equal(first_of(lines, 4, 2, 0, &cut), 2);
    assert_int_equal(lines[0].place, 0);
    assert_int_equal(lines[1].place, 20);
    assert_int_equal(lines[2].place, 10);
    assert_int_equal(first_of(lines, 4, 3, 0, &cut), 0);
}

/* Where memory was too scarce for one partition, no older lines of others are shown: what is shown has no gaps. */
static void test_no_gaps(void **state)
{
    (void)state;
    struct last_line lines[6];
    bool cut;
    size_t count = make(lines, "abaabb", (const int[]){4, 1, 5, 6, 2, 3});
    assert_int_equal(first_of(lines, count, 6, 1, &cut), 3);
    assert_true(cut);
    assert_int_equal(first_of(lines, count, 6, 2, &cut), 0);
    assert_false(cut); /* so many are there */
    assert_int_equal(first_of(lines, count, 7, 2, &cut), 0);
    assert_true(cut);
    assert_int_equal(first_of(lines, count, 2, 1, &cut), 4);
    assert_false(cut); /* so many are there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_by_time),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_no_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
