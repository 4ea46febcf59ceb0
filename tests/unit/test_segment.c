/* Segments, and the order of rotated files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "source/log/rotation.h"
#include "source/log/segment.h"
#include "world.h"

static struct world w;

static int set_up(void **state)
{
    (void)state;
    world_new(&w);
    return 0;
}

static int tear_down(void **state)
{
    world_free(&w);
    world_use_gzip(state);
    return metrics.open_files == 0 ? 0 : -1;
}

static struct segment *must_open(const char *name)
{
    struct error err = {0};
    struct segment *seg = segment_open(world_path(&w, name), &err);
    if (!seg) {
        fail_msg("%s", err.text);
    }
    return seg;
}

static void test_rotated_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *log;
    } cases[] = {
        {"a.log.1", "a.log"},
        {"a.log.12.gz", "a.log"},
        {"a.log-20261124", "a.log"},
        {"a.log-20261124.gz", "a.log"},
        {"a.log-2026-11-24", "a.log"},
        {"a.log-24-11-2026", "a.log"},
        {"a.log.2026-11-24", "a.log"},
        {"a.log.2026-11-24_13.gz", "a.log"},
        {"a.log.2026-11-24.1", "a.log"},
        {"0.log.20261124-050039", "0.log"},
        {"0.log.20261124-050039.gz", "0.log"},
        {"a.1.log", "a.log"},
        {"a-1.log.gz", "a.log"},
        {"a.2026-11-24.log", "a.log"},
        {"a-2026-11-24.log", "a.log"},
        {"a_20261124.log", "a.log"},
        {"a.2026-11-24.1.log.gz", "a.log"},
        {"a-2026-11-24-1.log", "a.log"},
        {"a-2026-11-24-13.log", "a.log"},
        {"a-2026-11-24_13.txt", "a.txt"},
        {"a-2026-11.log", "a.log"},
        {"a-2026-11-24.log.1", "a-2026-11-24.log"},
        {"a-1.2.log", "a-1.log"},
        {"a.1-b.log", NULL},
        {"0.log.2026112", NULL},
        {"0.log", NULL},
        {"2026-11-24.log", NULL},
        {"a.log", NULL},
        {"a.log.gz", "a.log"},
        {"app-out__2026-11-24_13-00-00.log", "app-out.log"},
        {"app-out__2026-11-24_13-00-00.log.gz", "app-out.log"},
        {"a.log.zst", "a.log"},
        {"a.log.12.zst", "a.log"},
        {"a-2026-11-24.log.zst", "a.log"},
        {"a.zst", "a"},
        {".zst", NULL},
        {"a-2026-11-25T13-00-00.000.log", "a.log"},
        {"a-2026-11-25T13-00-00.000.log.gz", "a.log"},
        {"a.log.2026-11-25T13-00-00", "a.log"},
        {"a-20251125T130000.log", "a.log"},
        {"a-11-25-2026-1.log", "a.log"},
        {"a-25-11-2026.log", "a.log"},
        {"a.log.0", NULL},
        {"a-0.log", NULL},
        {"a1.log", NULL},
        {"1", NULL},
        {".1", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool inside;
        char *log = rotation_log(cases[i].name, &inside);
        if (cases[i].log ? !log || strcmp(log, cases[i].log) != 0 : log != NULL) {
            fail_msg("%s: %s", cases[i].name, log ? log : "none");
        }
        free(log);
    }
}

static void expect_order(const char *const *names, size_t count)
{
    struct generation *list;
    size_t n;
    assert_int_equal(rotation_list(world_path(&w, "a.log"), NULL, &list, &n), 0);
    assert_int_equal(n, count);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(strrchr(list[i].path, '/') + 1, names[i]);
    }
    rotation_free(list, n);
}

static void test_order(void **state)
{
    (void)state;
    static const char *const made[] = {"a.log",      "a.log.10", "a.log.2",   "a.log.1", "a.log.1.gz",
                                       "a.log.3.gz", "b.log.1",  "a.log.txt", "aa.log.1"};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        world_write(&w, made[i], "x\n");
    }
    /* a.log.1.gz is still being made from a.log.1 */
    expect_order((const char *const[]){"a.log.1", "a.log.2", "a.log.3.gz", "a.log.10"}, 4);
}

static void test_order_of_dates(void **state)
{
    (void)state;
    world_write(&w, "a.log-20261122.gz", "x");
    world_write(&w, "a.log-20261124", "x");
    world_write(&w, "a.log-20261123", "x");
    expect_order((const char *const[]){"a.log-20261124", "a.log-20261123", "a.log-20261122.gz"}, 3);
}

static void test_order_of_kubelet(void **state)
{
    (void)state;
    static const char *const made[] = {"a.log",
                                       "a.log.20261123-235959.gz",
                                       "a.log.20261124-000001",
                                       "a.log.20261124-000001.tmp",
                                       "a.log.20261123-060000.gz",
                                       "a.log.20261124-050039"};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        world_write(&w, made[i], "x");
    }
    expect_order((const char *const[]){"a.log.20261124-050039", "a.log.20261124-000001",
                                       "a.log.20261123-235959.gz", "a.log.20261123-060000.gz"},
                 4);
}

static void test_order_before_the_ending(void **state)
{
    (void)state;
    static const char *const made[] = {"a.log",
                                       "a.2026-11-24.2.log.gz",
                                       "a.2026-11-24.10.log",
                                       "a.2026-11-25.1.log",
                                       "a-2026-11-23-13.log",
                                       "a-2026-11-23-09.log",
                                       "a.2026-11-25.log",
                                       "b.2026-11-25.log",
                                       "a.2026-11-25.txt"};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        world_write(&w, made[i], "x");
    }
    expect_order((const char *const[]){"a.2026-11-25.1.log", "a.2026-11-25.log", "a.2026-11-24.10.log",
                                       "a.2026-11-24.2.log.gz", "a-2026-11-23-13.log", "a-2026-11-23-09.log"},
                 6);
}

/* Some shift the numbers, so that 1 is the newest; others count up. */
static void test_order_of_numbers_before_the_ending(void **state)
{
    (void)state;
    world_write(&w, "a.10.log", "x");
    usleep(20000);
    world_write(&w, "a.9.log", "x");
    expect_order((const char *const[]){"a.9.log", "a.10.log"}, 2);
    usleep(20000);
    world_write(&w, "a.11.log", "x");
    expect_order((const char *const[]){"a.11.log", "a.10.log", "a.9.log"}, 3);
}

static void test_archive_reads_as_plain(void **state)
{
    (void)state;
    char line[32], buf[64];
    for (int i = 0; i < 5000; i++) {
        snprintf(line, sizeof(line), "line %05d\n", i);
        world_write(&w, "a.log.1", line);
    }
    struct segment *plain = must_open("a.log.1");
    struct file_id id = plain->id;
    segment_close(plain);
    world_pack(&w, "a.log.1");
    struct segment *gz = must_open(world_packed("a.log.1"));
    assert_true(segment_matches(gz, &id, 0));
    assert_int_equal(segment_seek(gz, 4000 * 11), 0);
    assert_int_equal(segment_read(gz, buf, 22), 22);
    assert_memory_equal(buf, "line 04000\nline 04001\n", 22);
    segment_consume(gz, 11);
    assert_int_equal(segment_read(gz, buf, 11), 11);
    assert_memory_equal(buf, "line 04001\n", 11);
    assert_int_equal(segment_seek(gz, 5000 * 11 + 1), -1);
    segment_close(gz);
}

static void test_damaged_archive(void **state)
{
    (void)state;
    bool gzip = world_suffix == world_suffixes[0];
    world_write(&w, world_packed("a.log.1"),
                gzip ? "\x1f\x8b\x08 this is not deflated" : "\x28\xb5\x2f\xfd this is no frame");
    struct error err = {0};
    assert_null(segment_open(world_path(&w, world_packed("a.log.1")), &err));
    assert_int_equal(errno, EBADMSG);
}

static void test_identity_survives_growth_not_rewriting(void **state)
{
    (void)state;
    world_write(&w, "a.log", "first\n");
    struct segment *seg = must_open("a.log");
    struct file_id id = seg->id;
    world_write(&w, "a.log", "second\n");
    assert_int_equal(segment_refresh(seg), 0);
    assert_int_equal(seg->id.head_len, 13);
    assert_true(segment_intact(seg) && segment_matches(seg, &id, 6));
    assert_int_equal(truncate(world_path(&w, "a.log"), 0), 0);
    world_write(&w, "a.log", "something else, and longer\n");
    assert_int_equal(segment_refresh(seg), 0);
    assert_false(segment_intact(seg));
    segment_close(seg);
}

/* Files that begin alike differ before the offset; what is gone and what is new is told
 * apart, gzipped too. */
static void test_known_by_what_stands_before_the_offset(void **state)
{
    (void)state;
    char line[64];
    static const char *const names[] = {"a.log.1", "a.log.2"};
    for (int i = 0; i < 2000; i++) {
        snprintf(line, sizeof(line), "line %05d\n", i);
        world_write(&w, "a.log.1", line);
        if (i > 1000) {
            snprintf(line, sizeof(line), "other%05d\n", i);
        }
        world_write(&w, "a.log.2", line);
    }
    struct segment *seg = must_open("a.log.1");
    assert_int_equal(segment_seek(seg, 1500 * 11), 0);
    struct file_pos pos = segment_note(seg);
    assert_int_equal(pos.tail.len, FILE_TAIL_MAX);
    segment_close(seg);
    for (int gz = 0; gz < 2; gz++) {
        for (int i = 0; i < 2; i++) {
            snprintf(line, sizeof(line), "%s", gz ? world_packed(names[i]) : names[i]);
            if (gz) {
                world_pack(&w, names[i]);
            }
            seg = must_open(line);
            assert_true(segment_matches(seg, &pos.file, pos.offset));
            assert_int_equal(segment_match_at(seg, &pos), i == 0 ? SEGMENT_SAME : SEGMENT_OTHER);
            if (gz && i == 0) {
                struct file_pos again = segment_note(seg);
                assert_true(again.tail.len == pos.tail.len && again.tail.hash == pos.tail.hash);
                assert_int_equal(segment_seek(seg, 11), 0); /* backwards */
            }
            assert_int_equal(segment_seek(seg, 22), 0);
            char buf[11];
            assert_int_equal(segment_read(seg, buf, 11), 11);
            assert_memory_equal(buf, "line 00002\n", 11);
            segment_close(seg);
        }
    }
}

static void test_damaged_before_the_offset(void **state)
{
    (void)state;
    char line[64];
    struct stat st;
    for (unsigned i = 0; i < 60000; i++) {
        snprintf(line, sizeof(line), "%010u\n", i * 2654435761U);
        world_write(&w, "a.log.1", line);
    }
    struct segment *seg = must_open("a.log.1");
    assert_int_equal(segment_seek(seg, 59000 * 11), 0);
    struct file_pos late = segment_note(seg);
    assert_int_equal(segment_seek(seg, 2000 * 11), 0);
    struct file_pos early = segment_note(seg);
    segment_close(seg);
    world_pack(&w, "a.log.1");
    assert_int_equal(stat(world_path(&w, world_packed("a.log.1")), &st), 0);
    assert_int_equal(truncate(world_path(&w, world_packed("a.log.1")), st.st_size / 2), 0);
    world_age(&w, world_packed("a.log.1"));
    seg = must_open(world_packed("a.log.1"));
    assert_int_equal(segment_match_at(seg, &late), SEGMENT_DAMAGED);
    assert_int_equal(segment_match_at(seg, &early), SEGMENT_SAME);
    segment_close(seg);
}

/* A closed file's inode may be used again, by one that was made later. Of an empty one there is nothing else to know it
 * by. */
static void test_closed_is_not_what_took_its_inode(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "text\n"};
    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "empty.log" : "text.log";
        world_write(&w, name, texts[i]);
        struct segment *seg = must_open(name);
        const char *path = world_path(&w, name);
        segment_shelve(seg);
        int64_t birth = seg->birth_ns;
        if (birth == 0) {
            segment_close(seg);
            skip(); /* the file system does not tell */
        }
        assert_true(segment_is_named(seg, path));
        assert_true(segment_met(seg, path));
        assert_string_equal(seg->met_at, path);
        assert_true(segment_shelved(seg));
        seg->birth_ns = birth - 1; /* as if the file had been made since */
        assert_false(segment_is_named(seg, path));
        assert_false(segment_met(seg, path));
        assert_int_equal(segment_unshelve(seg, path), 0);
        seg->birth_ns = birth;
        assert_int_equal(segment_unshelve(seg, path), 1);
        assert_null(seg->met_at);
        segment_close(seg);
    }
}

static void test_only_regular_files(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(mkfifo(world_path(&w, "fifo"), 0600), 0);
    assert_null(segment_open(world_path(&w, "fifo"), &err)); /* and does not wait for a writer */
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_null(segment_open(world_path(&w, "absent"), &err));
    assert_int_equal(errno, ENOENT);
}

static int set_up_zstd(void **state)
{
    world_use_zstd(state);
    return set_up(state);
}

// clang-format off
#define TEST_ARCHIVES(f)                                                                                     \
    {#f ", gzip", f, set_up, tear_down, NULL}, {#f ", zstd", f, set_up_zstd, tear_down, NULL}
// clang-format on

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotated_names),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_of_dates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_of_kubelet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_before_the_ending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_of_numbers_before_the_ending, set_up, tear_down),
        TEST_ARCHIVES(test_archive_reads_as_plain),
        TEST_ARCHIVES(test_damaged_archive),
        cmocka_unit_test_setup_teardown(test_identity_survives_growth_not_rewriting, set_up, tear_down),
        TEST_ARCHIVES(test_known_by_what_stands_before_the_offset),
        TEST_ARCHIVES(test_damaged_before_the_offset),
        cmocka_unit_test_setup_teardown(test_closed_is_not_what_took_its_inode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_regular_files, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
