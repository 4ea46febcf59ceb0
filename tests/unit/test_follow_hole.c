/* Holes of NUL bytes: a log is truncated in place, and its writer goes on at the offset that it had. */
#include <fcntl.h>
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

static int none_yet(void **state)
{
    (void)state;
    metrics = (struct metrics){0};
    return 0;
}

static void write_at(struct world *w, const char *name, off_t at, const char *text)
{
    int fd = open(world_path(w, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
    close(fd);
}

static void expect_for_good(struct world *w, const char *text)
{
    world_await(w, text);
    world_save(w);
    world_kill(w);
    world_start(w);
    world_settle(w);
    world_expect(w, text);
    assert_int_equal(metrics.lost_bytes, 0);
}

/* In a block of the file system, beyond it, and beyond what is read at once. */
static const off_t offsets[] = {10, 1000, 4096, 5003, 262144, 3000001};

static void test_truncated_under_a_writer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct world w;
        metrics = (struct metrics){0};
        world_new_plain(&w);
        world_write(&w, "web/a.log", "1\n");
        world_start(&w);
        world_settle(&w);
        world_truncate_to(&w, "web/a.log", "");
        write_at(&w, "web/a.log", offsets[i], "2\n");
        world_await(&w, "1\n2\n");
        write_at(&w, "web/a.log", offsets[i] + 2, "3\n");
        expect_for_good(&w, "1\n2\n3\n");
        assert_int_equal(metrics.holes, 1);
        assert_int_equal(metrics.hole_bytes, offsets[i]);
        assert_int_equal(metrics.truncations, 1);
        world_free(&w);
    }
}

static void test_met_at_the_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct world w;
        world_new_plain(&w);
        write_at(&w, "web/a.log", offsets[i], "1\n");
        world_start(&w);
        world_settle(&w);
        expect_for_good(&w, "1\n");
        world_free(&w);
    }
}

/* A line that begins with a few NUL bytes is one. */
static void test_between_lines(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    write_at(&w, "web/a.log", 0, "1\n");
    write_at(&w, "web/a.log", 70000, "2\n");
    world_start(&w);
    world_await(&w, "1\n2\n");
    write_at(&w, "web/a.log", 70002 + 100, "3\n");
    expect_for_good(&w, "1\n2\n3\n");
    assert_int_equal(metrics.holes, 2);
    assert_int_equal(metrics.hole_bytes, 70000 - 2 + 100);
    world_free(&w);
}

static void write_nuls(struct world *w, const char *name, off_t at, size_t len)
{
    char *nuls = calloc(1, len);
    int fd = open(world_path(w, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && nuls);
    assert_int_equal(pwrite(fd, nuls, len, at), len);
    close(fd);
    free(nuls);
}

/* Fewer NUL bytes than a hole has are data, wherever they stand, but for the first ones of a file. */
static void test_fewer_are_data(void **state)
{
    (void)state;
    static const int counts[] = {1, 63};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct world w;
        struct buf want = {0};
        static const char nuls[64];
        world_new_plain(&w);
        world_write(&w, "web/a.log", "1\n");
        write_at(&w, "web/a.log", 2 + counts[i], "2\nthr");
        write_at(&w, "web/a.log", 7 + 2 * counts[i], "ee\nfour");
        write_at(&w, "web/a.log", 14 + 3 * counts[i], "\n");
        assert_int_equal(buf_addf(&want, "1\n"), 0);
        assert_int_equal(buf_add(&want, nuls, (size_t)counts[i]), 0);
        assert_int_equal(buf_addf(&want, "2\nthr"), 0);
        assert_int_equal(buf_add(&want, nuls, (size_t)counts[i]), 0);
        assert_int_equal(buf_addf(&want, "ee\nfour"), 0);
        assert_int_equal(buf_add(&want, nuls, (size_t)counts[i]), 0);
        assert_int_equal(buf_addf(&want, "\n"), 0);
        world_start(&w);
        world_settle(&w);
        assert_int_equal(w.out.len, want.len);
        assert_memory_equal(w.out.data, want.data, want.len);
        assert_int_equal(metrics.holes, 0);
        buf_free(&want);
        world_free(&w);
    }
}

/* What stands before a hole without its newline is a line, whatever comes behind that: the rest did not come. */
static void test_behind_a_torn_line(void **state)
{
    (void)state;
    static const off_t lengths[] = {64, 127, 262144 - 8 - 64, 262144 - 8, 3000001};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (int written = 0; written < 2; written++) {
            struct world w;
            metrics = (struct metrics){0};
            world_new_plain(&w);
            world_write(&w, "web/a.log", "one\ntorn");
            if (written) {
                write_nuls(&w, "web/a.log", 8, (size_t)lengths[i]);
            }
            write_at(&w, "web/a.log", 8 + lengths[i], "two\n\nthr");
            world_start(&w);
            world_await(&w, "one\ntorn\ntwo\n\n");
            write_at(&w, "web/a.log", 8 + lengths[i] + 8, "ee\n");
            expect_for_good(&w, "one\ntorn\ntwo\n\nthree\n");
            assert_int_equal(metrics.holes, 1);
            assert_int_equal(metrics.hole_bytes, lengths[i]);
            world_free(&w);
        }
    }
}

/* As long as nothing stands behind the NUL bytes, the line before them may still be gone on with. */
static void test_an_unfinished_line_in_room_made_before(void **state)
{
    (void)state;
    struct world w;
    static char text[1500]; /* a file is known by its first KiB */
    size_t len = (size_t)snprintf(text, sizeof(text), "%01200d\n", 1);
    world_new_plain(&w);
    write_at(&w, "web/a.log", 0, text);
    write_at(&w, "web/a.log", (off_t)len, "tw");
    assert_int_equal(truncate(world_path(&w, "web/a.log"), 1 << 20), 0);
    world_start(&w);
    world_await(&w, text);
    world_run(&w, 1100);
    world_expect(&w, text);
    write_at(&w, "web/a.log", (off_t)len + 2, "o\nthree");
    strcat(text, "two\n");
    world_await(&w, text);
    world_rename(&w, "web/a.log", "web/a.log.1"); /* nobody goes on with it */
    world_write(&w, "web/a.log", "four\n");
    strcat(text, "three\nfour\n");
    world_await(&w, text);
    assert_int_equal(metrics.holes, 0);
    world_free(&w);
}

/* A line that is being cut into pieces ends at a hole. */
static void test_behind_a_long_line(void **state)
{
    (void)state;
    static const off_t lengths[] = {64, 700000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct world w;
        metrics = (struct metrics){0};
        struct buf line = {0};
        world_new_plain(&w);
        size_t len = 4 * (size_t)w.cfg->line_max + 100;
        for (size_t k = 0; k < len; k++) {
            assert_int_equal(buf_addf(&line, "x"), 0);
        }
        write_at(&w, "web/a.log", 0, line.data);
        world_start(&w);
        world_settle(&w);
        write_at(&w, "web/a.log", (off_t)len + lengths[i], "two\n");
        world_settle(&w);
        size_t pieces = 0, text = 0;
        for (size_t k = 0; k < w.out.len; k++) {
            pieces += w.out.data[k] == '\n';
            text += w.out.data[k] == 'x';
            assert_true(w.out.data[k] != '\0');
        }
        assert_int_equal(text, len);
        assert_int_equal(pieces, 5 + 1);
        assert_memory_equal(w.out.data + w.out.len - 5, "\ntwo\n", 5);
        assert_int_equal(metrics.hole_bytes, lengths[i]);
        buf_free(&line);
        world_free(&w);
    }
}

/* An end that is not aligned to anything is found, and known again after a start between two reads. */
static void test_any_end(void **state)
{
    (void)state;
    static const off_t ends[] = {262144 + 1, 2 * 262144 - 63, (20 << 20) + 10};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        for (int written = 0; written < 2; written++) {
            struct world w;
            metrics = (struct metrics){0};
            world_new_plain(&w);
            world_write(&w, "web/a.log", "1\n");
            if (written) {
                write_nuls(&w, "web/a.log", 2, (size_t)ends[i] - 2);
            }
            world_start(&w);
            world_settle(&w);
            world_save(&w); /* amid it, where it was written */
            world_kill(&w);
            write_at(&w, "web/a.log", ends[i], "2\n");
            world_start(&w);
            expect_for_good(&w, "1\n2\n");
            world_free(&w);
        }
    }
}

/* Room that was made in advance is written into. */
static void test_at_the_end(void **state)
{
    (void)state;
    struct world w;
    static char text[1500]; /* a file is known by its first KiB */
    size_t len = (size_t)snprintf(text, sizeof(text), "%01200d\n", 1);
    world_new_plain(&w);
    write_at(&w, "web/a.log", 0, text);
    assert_int_equal(truncate(world_path(&w, "web/a.log"), 1 << 20), 0);
    world_start(&w);
    world_await(&w, text);
    world_run(&w, 1100);
    world_expect(&w, text);
    write_at(&w, "web/a.log", (off_t)len, "2\n");
    strcat(text, "2\n");
    expect_for_good(&w, text);
    assert_int_equal(metrics.holes, 0);
    world_rename(&w, "web/a.log", "web/a.log.1"); /* and is left when it is rotated */
    world_write(&w, "web/a.log", "3\n");
    strcat(text, "3\n");
    world_await(&w, text);
    world_free(&w);
}

/* It is packed before it is read. */
static void test_in_an_archive(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    write_at(&w, "web/a.log", 700000, "2\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_pack(&w, "web/a.log.1");
    world_write(&w, "web/a.log", "3\n");
    uint64_t holes = metrics.holes, bytes = metrics.hole_bytes;
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n");
    assert_int_equal(metrics.holes - holes, 1);
    assert_int_equal(metrics.hole_bytes - bytes, 700000 - 2);
    world_free(&w);
}

static void test_json_file(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_container(&w);
    world_write_entry(&w, WORLD_ID "/" WORLD_ID "-json.log", "1\\n");
    world_start(&w);
    world_await(&w, "1\n");
    world_truncate_to(&w, WORLD_ID "/" WORLD_ID "-json.log", "");
    write_at(&w, WORLD_ID "/" WORLD_ID "-json.log", 300000,
             "{\"log\":\"2\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.5Z\"}\n");
    expect_for_good(&w, "1\n2\n");
    assert_int_equal(metrics.holes, 1);
    assert_int_equal(metrics.malformed_lines, 0);
    world_free(&w);
}

/* A loss of power tore an entry. Those behind it are whole. */
static void test_a_torn_entry(void **state)
{
    (void)state;
    static const char log[] = WORLD_ID "/" WORLD_ID "-json.log";
    static const char torn[] = "{\"log\":\"torn";
    static const off_t lengths[] = {64, 3000, 300000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct world w;
        struct stat st;
        metrics = (struct metrics){0};
        world_new_json(&w);
        world_container(&w);
        world_write_entry(&w, log, "1\\n");
        world_write(&w, log, torn);
        assert_int_equal(stat(world_path(&w, log), &st), 0);
        assert_int_equal(truncate(world_path(&w, log), st.st_size + lengths[i]), 0);
        world_start(&w);
        world_await(&w, "1\n");
        world_write_entry(&w, log, "2\\n");
        expect_for_good(&w, "1\n{\"log\":\"torn\n2\n");
        assert_int_equal(metrics.holes, 1);
        assert_int_equal(metrics.hole_bytes, lengths[i]);
        assert_int_equal(metrics.malformed_lines, 1);
        world_free(&w);
    }
}

/* A format that is told by the first line is that of the first one behind a hole, at once and after a start. */
static void test_format_behind_a_hole(void **state)
{
    (void)state;
    static const off_t offsets_here[] = {4, 5000, 200000};
    for (size_t i = 0; i < sizeof(offsets_here) / sizeof(offsets_here[0]); i++) {
        struct world w;
        world_new_plain(&w);
        w.cfg->files_format = FILE_AUTO;
        write_at(&w, "web/a.log", offsets_here[i], "2026-11-24T05:00:39.5Z stdout F one\n");
        world_start(&w);
        world_await(&w, "one\n");
        world_save(&w);
        world_kill(&w);
        world_write(&w, "web/a.log",
                    "2026-11-24T05:00:39.5Z stdout P tw\n2026-11-24T05:00:39.5Z stdout F o\n");
        world_start(&w);
        expect_for_good(&w, "one\ntwo\n");
        world_free(&w);
    }
}

/* -- at random --------------------------------------------------------------------------------- */

/* Text, newlines, and NUL bytes, of which there are enough for a hole or not. */
static void append_piece(struct buf *out)
{
    static const size_t counts[] = {1, 3, 4, 63, 64, 65, 128, 5000, 262144 - 64, 262144, 600000};
    static const char nuls[600000];
    switch (rand() % 4) {
    case 0:
        assert_int_equal(buf_add(out, nuls, counts[rand() % 11]), 0);
        break;
    case 1:
        assert_int_equal(buf_addf(out, "\n"), 0);
        break;
    default:
        assert_int_equal(buf_addf(out, "%0*d%s", 1 + rand() % 150, rand() % 10, rand() % 3 ? "\n" : ""), 0);
    }
}

/* What is to come out of it: a hole ends a line, and so does a newline. */
static void lines_of(struct buf *text, struct buf *out)
{
    size_t begin = 0, at = 0;
    while (at < text->len) {
        size_t nuls = 0;
        while (at + nuls < text->len && text->data[at + nuls] == '\0') {
            nuls++;
        }
        if (nuls >= 64 || (at == 0 && nuls >= 4)) {
            assert_int_equal(buf_add(out, text->data + begin, at - begin), 0);
            assert_int_equal(buf_add(out, "\n", at > begin), 0);
            begin = at += nuls;
            continue;
        }
        at += nuls > 0 ? nuls : 1;
        if (nuls == 0 && text->data[at - 1] == '\n') {
            assert_int_equal(buf_add(out, text->data + begin, at - begin), 0);
            begin = at;
        }
    }
}

static void random_run(unsigned seed)
{
    struct world w;
    struct buf text = {0}, want = {0};
    size_t written = 0;
    srand(seed);
    world_new_plain(&w);
    world_start(&w);
    for (int part = 0; part < 4; part++) {
        for (int i = rand() % 25; i > 0; i--) {
            append_piece(&text);
        }
        assert_int_equal(buf_addf(&text, "%d\n", part), 0);
        int fd = open(world_path(&w, "web/a.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text.data + written, text.len - written), text.len - written);
        close(fd);
        written = text.len;
        world_run(&w, rand() % 20);
        if (rand() % 2) {
            world_save(&w);
            world_kill(&w);
            world_start(&w);
        }
    }
    world_settle(&w);
    lines_of(&text, &want);
    if (w.out.len != want.len || memcmp(w.out.data, want.data, want.len) != 0) {
        fail_msg("seed %u: %zu bytes came out, of %zu", seed, w.out.len, want.len);
    }
    buf_free(&text);
    buf_free(&want);
    world_free(&w);
}

static void test_random_holes(void **state)
{
    (void)state;
    const char *seed = getenv("FOLLOW_SEED"), *runs = getenv("FOLLOW_RUNS");
    unsigned first = seed ? (unsigned)atoi(seed) : 1;
    for (unsigned i = 0; i < (runs ? (unsigned)atoi(runs) : 6); i++) {
        random_run(first + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_truncated_under_a_writer, none_yet),
        cmocka_unit_test_setup(test_met_at_the_start, none_yet),
        cmocka_unit_test_setup(test_between_lines, none_yet),
        cmocka_unit_test_setup(test_fewer_are_data, none_yet),
        cmocka_unit_test_setup(test_behind_a_torn_line, none_yet),
        cmocka_unit_test_setup(test_an_unfinished_line_in_room_made_before, none_yet),
        cmocka_unit_test_setup(test_behind_a_long_line, none_yet),
        cmocka_unit_test_setup(test_any_end, none_yet),
        cmocka_unit_test_setup(test_at_the_end, none_yet),
        WORLD_TEST_ARCHIVES(test_in_an_archive),
        cmocka_unit_test_setup(test_json_file, none_yet),
        cmocka_unit_test_setup(test_a_torn_entry, none_yet),
        cmocka_unit_test_setup(test_format_behind_a_hole, none_yet),
        cmocka_unit_test(test_random_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
