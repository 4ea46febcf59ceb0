/* What becomes of long, torn and malformed lines of the files that are followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "world.h"

#define LOG WORLD_ID "/" WORLD_ID "-json.log"
#define ENTRY(text)                                                                                          \
    "{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.668510088Z\"}\n"

static void repeat(struct buf *out, const char *text, int times)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(buf_add(out, text, strlen(text)), 0);
    }
}

/* Writes it, with its NUL, and forgets it. */
static void write_buf(struct world *w, const char *name, struct buf *text)
{
    assert_int_equal(buf_add(text, "", 1), 0);
    world_write(w, name, text->data);
    buf_free(text);
}

/* A line that is cut is one malformed line, whichever way its last piece comes out. */
static void test_rest_of_a_cut_line(void **state)
{
    (void)state;
    struct world w;
    struct buf line = {0};
    world_new_json(&w);
    world_container(&w);
    w.cfg->line_max = 16384;
    uint64_t malformed = metrics.malformed_lines;
    world_write(&w, LOG, ENTRY("one\\n"));
    repeat(&line, "x", 300000);
    write_buf(&w, LOG, &line);
    world_start(&w);
    world_settle(&w);
    world_rename(&w, LOG, LOG ".1");
    world_write(&w, LOG, ENTRY("two\\n"));
    world_settle(&w);
    assert_int_equal(metrics.malformed_lines, malformed + 1);
    world_free(&w);
}

/* line_max counts what a line holds, not how JSON writes it down. */
static void test_joined_line_of_control_characters(void **state)
{
    (void)state;
    struct world w;
    struct buf entry = {0}, expected = {0};
    world_new_json(&w);
    world_container(&w);
    w.cfg->line_max = 65536;
    uint64_t cut = metrics.cut_lines;
    for (int piece = 0; piece < 3; piece++) {
        repeat(&entry, "{\"log\":\"", 1);
        repeat(&entry, "\\u0001", 20000);
        repeat(&entry, piece < 2 ? "" : "\\n", 1);
        repeat(&entry, "\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.668510088Z\"}\n", 1);
    }
    write_buf(&w, LOG, &entry);
    world_start(&w);
    world_settle(&w);
    repeat(&expected, "\x01", 60000);
    assert_int_equal(buf_add(&expected, "\n", 2), 0);
    assert_int_equal(w.out.len, expected.len - 1);
    world_expect(&w, expected.data);
    assert_int_equal(metrics.cut_lines, cut);
    buf_free(&expected);
    world_free(&w);
}

/* After a restart, too, it is the file's first line that tells the format, not the next one to be read. */
static void test_format_of_a_file_read_before(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    w.cfg->files_format = FILE_AUTO;
    world_write(&w, "web/a.log", ENTRY("one\\n"));
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "torn\n" ENTRY("two\\n"));
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "one\ntorn\ntwo\n");
    world_free(&w);
}

/* The byte order mark at the beginning of a file goes, and does not hide the format; elsewhere it is text. */
static void test_byte_order_mark(void **state)
{
    (void)state;
    static const char mark[] = "\xef\xbb\xbf";
    struct world w;
    char text[256];
    world_new_plain(&w);
    w.cfg->files_format = FILE_AUTO;
    world_write(&w, "web/a.log", mark);
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", ENTRY("one\\n"));
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", ENTRY("two\\n"));
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.1");
    snprintf(text, sizeof(text), "%s%s%storn\n", mark, ENTRY("three\\n"), mark);
    world_write(&w, "web/a.log", text);
    world_settle(&w);
    snprintf(text, sizeof(text), "one\ntwo\nthree\n%storn\n", mark);
    world_expect(&w, text);
    world_free(&w);
}

/* A cut goes back only to where a character begins: where none does, it stays where it is. */
static void test_cut_of_what_is_no_utf8(void **state)
{
    (void)state;
    struct world w;
    struct buf line = {0};
    world_new_plain(&w);
    w.cfg->line_max = 16384;
    repeat(&line, "\x80", 300000);
    repeat(&line, "\n", 1);
    write_buf(&w, "web/a.log", &line);
    world_start(&w);
    world_settle(&w);
    const char *newline = memchr(w.out.data, '\n', w.out.len);
    assert_non_null(newline);
    assert_int_equal(newline - w.out.data, 16384);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rest_of_a_cut_line),
        cmocka_unit_test(test_joined_line_of_control_characters),
        cmocka_unit_test(test_format_of_a_file_read_before),
        cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_cut_of_what_is_no_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
