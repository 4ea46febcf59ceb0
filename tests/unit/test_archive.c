/* Archives of rotated files: what zstd makes in all its ways, and memory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>
#include <zstd.h>

#include "source/log/archive.h"
#include "source/log/segment.h"
#include "world.h"

static struct world w;
static struct buf text; /* what is packed: 1 MB that packs badly */

static int set_up(void **state)
{
    (void)state;
    world_new(&w);
    text = (struct buf){0};
    for (unsigned i = 0; i < 90000; i++) {
        assert_int_equal(buf_addf(&text, "%010u\n", i * 2654435761U), 0);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&text);
    world_free(&w);
    return 0;
}

/* Appends a frame. `pledged`: the frame tells its length. `window`: log of bytes; 0: as the level has it. */
static void pack(const char *name, const char *bytes, size_t len, int level, bool pledged, int window)
{
    FILE *file = fopen(world_path(&w, name), "ab");
    ZSTD_CCtx *zst = ZSTD_createCCtx();
    size_t room = ZSTD_compressBound(len) + 64;
    char *packed = malloc(room);
    assert_true(file && zst && packed);
    ZSTD_CCtx_setParameter(zst, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(zst, ZSTD_c_contentSizeFlag, pledged);
    if (window > 0) {
        ZSTD_CCtx_setParameter(zst, ZSTD_c_windowLog, window);
    }
    ZSTD_outBuffer out = {packed, room, 0};
    ZSTD_inBuffer in = {bytes, len, 0};
    if (pledged) {
        ZSTD_CCtx_setPledgedSrcSize(zst, len);
    } else { /* unknown when it begins */
        ZSTD_inBuffer first = {bytes, len / 2, 0};
        assert_false(ZSTD_isError(ZSTD_compressStream2(zst, &out, &first, ZSTD_e_flush)));
        in = (ZSTD_inBuffer){bytes + len / 2, len - len / 2, 0};
    }
    assert_int_equal(ZSTD_compressStream2(zst, &out, &in, ZSTD_e_end), 0);
    assert_int_equal(fwrite(packed, 1, out.pos, file), out.pos);
    assert_int_equal(fclose(file), 0);
    ZSTD_freeCCtx(zst);
    free(packed);
}

static struct archive *must_open(const char *name)
{
    int fd = open(world_path(&w, name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct archive *a = archive_open(fd, name);
    assert_non_null(a);
    return a;
}

/* Reads on to `to`, and compares. */
static void expect_text(struct archive *a, size_t from, size_t to)
{
    char block[5000];
    while (from < to) {
        ssize_t n = archive_read(a, block, to - from < sizeof(block) ? to - from : sizeof(block));
        assert_true(n > 0);
        assert_memory_equal(block, text.data + from, (size_t)n);
        from += (size_t)n;
    }
}

static void expect_end(struct archive *a)
{
    char byte;
    for (int i = 0; i < 40; i++) { /* zstd's decoder complains of many calls that bring it nothing */
        assert_int_equal(archive_read(a, &byte, 1), 0);
    }
}

static int write_plain(size_t len)
{
    int fd = open(world_path(&w, "plain"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text.data, len), len);
    return fd;
}

static void test_each_level(void **state)
{
    (void)state;
    static const int levels[] = {-5, 1, 3, 9, 19};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        char name[32];
        snprintf(name, sizeof(name), "a.%d.zst", (int)i);
        pack(name, text.data, text.len, levels[i], i % 2, 0);
        struct archive *a = must_open(name);
        expect_text(a, 0, text.len);
        expect_end(a);
        assert_int_equal(archive_rewind(a), 0);
        expect_text(a, 0, text.len);
        archive_close(a);
    }
}

/* As pzstd, and `cat a.zst b.zst` make them; with a frame to be skipped, as zstd's seekable format has it. */
static void test_several_frames(void **state)
{
    (void)state;
    size_t half = text.len / 2;
    pack("a.zst", text.data, half, 3, true, 0);
    FILE *file = fopen(world_path(&w, "a.zst"), "ab");
    assert_int_equal(fwrite("\x50\x2a\x4d\x18\x03\0\0\0abc", 1, 11, file), 11);
    assert_int_equal(fclose(file), 0);
    pack("a.zst", text.data + half, text.len - half, 3, false, 0);
    struct archive *a = must_open("a.zst");
    expect_text(a, 0, text.len);
    expect_end(a);
    assert_true(archive_may_hold(a, text.len));
    assert_false(archive_may_hold(a, half - 1));
    int plain = write_plain(text.len);
    assert_true(archive_same_content(a, plain));
    close(plain);
    archive_close(a);
}

static void test_empty(void **state)
{
    (void)state;
    world_write(&w, "empty.zst", "");
    pack("nothing.zst", "", 0, 3, true, 0);
    struct archive *a = must_open("empty.zst");
    char byte;
    assert_int_equal(archive_read(a, &byte, 1), -1);
    assert_int_equal(errno, EINPROGRESS);
    world_age(&w, "empty.zst");
    expect_end(a);
    archive_close(a);
    a = must_open("nothing.zst");
    expect_end(a);
    archive_close(a);
}

/* What came before is given, then the fault, again and again. */
static void test_cut_and_damaged(void **state)
{
    (void)state;
    char block[4096];
    struct stat st;
    pack("a.zst", text.data, text.len, 3, false, 0);
    assert_int_equal(stat(world_path(&w, "a.zst"), &st), 0);
    assert_int_equal(truncate(world_path(&w, "a.zst"), st.st_size / 2), 0);
    world_age(&w, "a.zst");
    struct archive *a = must_open("a.zst");
    ssize_t n, sum = 0;
    while ((n = archive_read(a, block, sizeof(block))) > 0) {
        assert_memory_equal(block, text.data + sum, (size_t)n);
        sum += n;
    }
    assert_true(sum > 100000 && n < 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(archive_read(a, block, 1), -1);
        assert_int_equal(errno, EBADMSG);
    }
    assert_string_equal(archive_fault(a), "its end is missing");
    int fd = open(world_path(&w, "a.zst"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, text.data, 4000, st.st_size / 4), 4000);
    close(fd);
    assert_int_equal(archive_rewind(a), 0);
    while ((n = archive_read(a, block, sizeof(block))) > 0) {
    }
    assert_int_equal(n, -1);
    assert_string_equal(archive_fault(a), "it is damaged");
    archive_close(a);
}

/* Zeros behind it, as of a device with blocks, are no fault; nor are they an archive. */
static void test_padded(void **state)
{
    (void)state;
    char byte;
    pack("a.zst", text.data, text.len, 3, false, 0);
    world_age(&w, "a.zst");
    struct stat st;
    assert_int_equal(stat(world_path(&w, "a.zst"), &st), 0);
    assert_int_equal(truncate(world_path(&w, "a.zst"), st.st_size + 100000), 0);
    struct archive *a = must_open("a.zst");
    expect_text(a, 0, text.len);
    expect_end(a);
    archive_close(a);
    pack("zeros.zst", "", 0, 3, false, 0);
    assert_int_equal(truncate(world_path(&w, "zeros.zst"), 0), 0);
    assert_int_equal(truncate(world_path(&w, "zeros.zst"), 100), 0);
    a = must_open("zeros.zst");
    assert_int_equal(archive_read(a, &byte, 1), -1);
    assert_int_equal(errno, EBADMSG);
    archive_close(a);
}

/* As much as it takes until the end is missing; -1: none is. */
static ssize_t read_up(struct archive *a, size_t at)
{
    static char block[4096];
    ssize_t n, sum = 0;
    while ((n = archive_read(a, block, sizeof(block))) > 0) {
        assert_memory_equal(block, text.data + at + sum, (size_t)n);
        sum += n;
    }
    assert_true(n == 0 || errno == EINPROGRESS);
    assert_true(archive_growing(a) == (n < 0));
    return sum;
}

/* Somebody is packing it: it can be read on when more is there. */
static void test_growing(void **state)
{
    world_write(&w, "a", text.data);
    for (int kind = 0; kind < 2; kind++) {
        (kind ? world_use_gzip : world_use_zstd)(state);
        struct stat st;
        world_copy(&w, "a", "b");
        world_pack(&w, "b");
        char name[16], *bytes;
        strcpy(name, world_packed("b"));
        assert_int_equal(stat(world_path(&w, name), &st), 0);
        assert_non_null(bytes = malloc((size_t)st.st_size));
        int fd = open(world_path(&w, name), O_RDWR | O_CLOEXEC);
        assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
        assert_int_equal(ftruncate(fd, 0), 0);
        struct archive *a = must_open(name);
        size_t got = 0;
        for (off_t at = 0, step = 100000; at < st.st_size; at += step) {
            got += (size_t)read_up(a, got);
            assert_true(archive_growing(a));
            off_t len = st.st_size - at < step ? st.st_size - at : step;
            assert_int_equal(pwrite(fd, bytes + at, (size_t)len, at), len);
        }
        got += (size_t)read_up(a, got);
        assert_false(archive_growing(a));
        assert_int_equal(got, text.len);
        archive_close(a);
        close(fd);
        free(bytes);
    }
}

/* Anybody who may write to a volume may put one there. */
static void test_window_is_bounded(void **state)
{
    (void)state;
    char byte;
    pack("small.zst", text.data, text.len, 3, false, 23);
    pack("large.zst", text.data, text.len, 3, false, 24);
    struct archive *a = must_open("small.zst");
    expect_text(a, 0, text.len);
    archive_close(a);
    a = must_open("large.zst");
    assert_int_equal(archive_read(a, &byte, 1), -1);
    assert_int_equal(errno, EBADMSG);
    assert_non_null(strstr(archive_fault(a), "more than 8 MiB"));
    archive_close(a);
}

/* More than there are decoders, read in turn: each goes on where it was. */
static void test_more_than_decoders(void **state)
{
    (void)state;
    enum { MANY = 2 * ARCHIVE_DECODERS + 3, STEPS = 5 };
    struct archive *all[MANY];
    pack("a.zst", text.data, text.len, 1, false, 0);
    for (int i = 0; i < MANY; i++) {
        all[i] = must_open("a.zst");
    }
    for (size_t step = 0; step < STEPS; step++) {
        for (int i = 0; i < MANY; i++) {
            expect_text(all[i], text.len * step / STEPS, text.len * (step + 1) / STEPS);
            if (i % 3 == 0) {
                archive_rest(all[i]);
            }
        }
    }
    for (int i = 0; i < MANY; i++) {
        expect_end(all[i]);
        archive_close(all[i]);
    }
}

static void test_same_content(void **state)
{
    (void)state;
    pack("a.zst", text.data, text.len, 3, false, 0);
    for (int zst = 0; zst < 2; zst++) {
        int plain = write_plain(text.len);
        if (!zst) {
            world_write(&w, "b", "");
            assert_int_equal(ftruncate(plain, (off_t)text.len), 0);
            world_copy(&w, "plain", "b");
            world_pack(&w, "b");
        }
        struct archive *a = must_open(zst ? "a.zst" : "b.gz");
        assert_true(archive_same_content(a, plain));
        assert_int_equal(ftruncate(plain, (off_t)text.len - 1), 0);
        assert_false(archive_same_content(a, plain));
        assert_int_equal(pwrite(plain, "x!", 2, (off_t)text.len - 1), 2);
        assert_false(archive_same_content(a, plain));
        assert_int_equal(pwrite(plain, text.data, text.len, 0), text.len);
        assert_int_equal(ftruncate(plain, (off_t)text.len), 0);
        assert_int_equal(pwrite(plain, "?", 1, 500000), 1);
        assert_false(archive_same_content(a, plain));
        close(plain);
        archive_close(a);
    }
}

/* An archive that goes on behind the end that was read is not that file's. */
static void test_segment_packs(void **state)
{
    (void)state;
    for (int pledged = 0; pledged < 2; pledged++) {
        char name[32];
        size_t len = text.len - 11;
        snprintf(name, sizeof(name), "p%d.zst", pledged);
        int plain = write_plain(len);
        close(plain);
        struct segment *seg = segment_open(world_path(&w, "plain"), NULL);
        assert_int_equal(segment_seek(seg, len), 0);
        struct file_pos end = segment_note(seg);
        pack(name, text.data, len, 3, pledged, 0);
        struct segment *packed = segment_open(world_path(&w, name), NULL);
        assert_true(segment_packs(packed, &end));
        assert_true(segment_packs_file(packed, seg));
        assert_int_equal(packed->offset, 0);
        segment_close(packed);
        pack(name, text.data + len, 11, 3, pledged, 0);
        packed = segment_open(world_path(&w, name), NULL);
        assert_false(segment_packs(packed, &end));
        assert_false(segment_packs_file(packed, seg));
        segment_close(packed);
        segment_close(seg);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_level),      TEST(test_several_frames),    TEST(test_empty),
        TEST(test_cut_and_damaged), TEST(test_window_is_bounded), TEST(test_more_than_decoders),
        TEST(test_same_content),    TEST(test_segment_packs),     TEST(test_padded),
        TEST(test_growing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
