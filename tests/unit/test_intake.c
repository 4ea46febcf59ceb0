/* How many files of a log may be open at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "source/log/intake.h"

/* The room of a log of `count` open files, of which the head alone was written to. */
static size_t room_of(struct segment *files, uint32_t count, int64_t hold_files, uint64_t descriptors)
{
    struct config cfg = {.hold_files = hold_files};
    struct open_files open = {.most = descriptors};
    struct chain chain = {.count = count, .head = files, .tail = &files[count - 1], .open = &open};
    struct intake in = {.cfg = &cfg, .chain = &chain};
    files[0].size = 1;
    for (uint32_t i = 0; i + 1 < count; i++) {
        files[i].next = &files[i + 1];
    }
    metrics.open_files = count;
    intake_measure(&in);
    return intake_room(&in);
}

static void test_empty_files_take_no_place(void **state)
{
    (void)state;
    struct segment files[4] = {0};
    assert_int_equal(room_of(files, 1, 1, 0), 1);
    assert_int_equal(room_of(files, 4, 1, 0), 1);
    assert_int_equal(room_of(files, 4, 5, 0), 5);
}

/* Beyond what there is of descriptors, there is room for the one that lets the head be left, and no more. */
static void test_descriptors_run_out(void **state)
{
    (void)state;
    struct segment files[4] = {0};
    assert_int_equal(room_of(files, 4, 5, 6), 2);
    assert_int_equal(room_of(files, 4, 5, 4), 1);
    assert_int_equal(room_of(files, 4, 5, 2), 1);
    files[3].size = 1;
    assert_int_equal(room_of(files, 4, 5, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_files_take_no_place),
        cmocka_unit_test(test_descriptors_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
