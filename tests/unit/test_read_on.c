/* Reading on in a busy log: one call to the kernel, and what shows that a log is not what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "source/log/read_on.h"
#include "world.h"

static struct world w;
static struct read_buffer buffer;
static struct segment *seg;
static unsigned preads;

/* In place of libc's. */
ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
    preads++;
    return syscall(SYS_pread64, fd, buf, len, offset);
}

#define LINE "a line as any other, which says no more than that\n"

/* A log of a head and so many lines that are all alike, read to its end. */
static void write_log(const char *head, int lines)
{
    world_truncate_to(&w, "web/a.log", head);
    for (int i = 0; i < lines; i++) {
        world_write(&w, "web/a.log", LINE);
    }
}

static int set_up(void **state)
{
    struct error err = {0};
    (void)state;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "");
    write_log("begun at 10\n", 100);
    seg = segment_open(world_path(&w, "web/a.log"), &err);
    assert_non_null(seg);
    assert_int_equal(read_buffer_grow(&buffer, 65536), 0);
    segment_seek(seg, seg->size);
    segment_note(seg);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segment_close(seg);
    read_buffer_free(&buffer);
    buffer = (struct read_buffer){0};
    world_free(&w);
    return 0;
}

static void test_takes_one_call(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        world_write(&w, "web/a.log", LINE LINE);
        preads = 0;
        assert_int_equal(read_on(seg, &buffer, false), 2 * strlen(LINE));
        assert_memory_equal(buffer.data, LINE LINE, 2 * strlen(LINE));
        assert_int_equal(seg->size, seg->offset + 2 * strlen(LINE));
        seg->window = &buffer.window;
        segment_consume(seg, 2 * strlen(LINE));
        struct file_pos noted = segment_note(seg);
        seg->window = NULL;
        assert_int_equal(preads, 1);
        assert_int_equal(segment_match_at(seg, &noted), SEGMENT_SAME);
    }
    assert_int_equal(read_on(seg, &buffer, true), 0);
}

static void test_shorter_is_another_look(void **state)
{
    (void)state;
    write_log("begun at 11\n", 3);
    assert_int_equal(read_on(seg, &buffer, false), -1);
}

static void test_other_bytes_are_another_look(void **state)
{
    (void)state;
    write_log("begun\n", 200);
    assert_int_equal(read_on(seg, &buffer, false), -1);
}

/* Lines without a time may stand before the same offset of the next log as well. */
static void test_alike_lines_ask_the_beginning(void **state)
{
    (void)state;
    write_log("begun at 11\n", 200);
    assert_int_equal(read_on(seg, &buffer, true), -1);
}

static void test_long_read_asks_the_beginning(void **state)
{
    (void)state;
    write_log("begun at 11\n", 1000);
    assert_int_equal(read_on(seg, &buffer, false), -1);
}

static void test_nothing_noted_is_another_look(void **state)
{
    (void)state;
    segment_seek(seg, 100);
    assert_int_equal(read_on(seg, &buffer, false), -1);
}

/* More may follow than the buffer holds: how much is asked. */
static void test_full_buffer_knows_the_size(void **state)
{
    (void)state;
    write_log("begun at 10\n", 2000);
    assert_int_equal(read_on(seg, &buffer, false), 65536);
    assert_int_equal(seg->size, strlen("begun at 10\n") + 2000 * strlen(LINE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_takes_one_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shorter_is_another_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_bytes_are_another_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alike_lines_ask_the_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_read_asks_the_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_noted_is_another_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_buffer_knows_the_size, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
