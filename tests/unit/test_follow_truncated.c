/* Following logs that are truncated in place, and copied before that (copytruncate), however often between
 * two looks. */
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

static void test_truncation(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n2\n");
    world_start(&w);
    world_settle(&w);
    world_truncate_to(&w, "web/a.log", "3\n"); /* shorter */
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_truncate_to(&w, "web/a.log", "longer than before\n"); /* past the offset before the next look */
    world_settle(&w);
    world_expect(&w, "1\n2\n3\nlonger than before\n");
    world_save(&w);
    world_kill(&w);
    world_truncate_to(&w, "web/a.log", "while stopped, and longer than before\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\nlonger than before\nwhile stopped, and longer than before\n");
    world_free(&w);
}

static void test_copytruncate(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "2\n");
    world_copy(&w, "web/a.log", "web/a.log.1");
    world_truncate_to(&w, "web/a.log", "3\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "4\n");
    world_rename(&w, "web/a.log.1", "web/a.log.2");
    world_copy(&w, "web/a.log", "web/a.log.1");
    world_truncate_to(&w, "web/a.log", "5\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

/* As pm2-logrotate does it, under a name that the pattern matches as well. */
static void test_copied_by_pm2(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "2\n");
    world_copy(&w, "web/a.log", "web/a__2026-11-24_13-00-00.log");
    world_truncate_to(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "4\n");
    world_copy(&w, "web/a.log", "web/a__2026-11-24_14-00-00.log");
    world_truncate_to(&w, "web/a.log", "5\n");
    world_start(&w);
    world_await(&w, "1\n2\n3\n4\n5\n");
    world_write(&w, "web/a.log", "6\n");
    world_copy(&w, "web/a.log", "web/a__2026-11-24_15-00-00.log");
    world_truncate_to(&w, "web/a.log", "7\n");
    world_pack(&w, "web/a__2026-11-24_15-00-00.log");
    world_await(&w, "1\n2\n3\n4\n5\n6\n7\n");
    world_run(&w, 2500);
    world_expect(&w, "1\n2\n3\n4\n5\n6\n7\n");
    world_free(&w);
}

/* By hand, under any name: what was unread is in the copy. */
static void test_copied_to_any_name(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/alike", "1\n2\n9\n"); /* older, and no copy */
    usleep(200000);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "2\n");
    world_copy(&w, "web/a.log", "web/before-the-update");
    world_truncate_to(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_save(&w);
    world_kill(&w);
    world_write(&w, "web/a.log", "4\n");
    world_copy(&w, "web/a.log", "web/a.log.bak");
    world_truncate_to(&w, "web/a.log", "5\n");
    uint64_t gaps = metrics.gaps, lost = metrics.lost_bytes;
    world_start(&w);
    world_await(&w, "1\n2\n3\n4\n5\n");
    world_run(&w, 1500);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    assert_int_equal(metrics.gaps, gaps);
    assert_int_equal(metrics.lost_bytes, lost);
    world_free(&w);
}

/* As copytruncate does it; then the log goes on with `text`. */
static void rotate(struct world *w, const char *text)
{
    if (access(world_path(w, "web/a.log.2"), F_OK) == 0) {
        world_rename(w, "web/a.log.2", "web/a.log.3");
    }
    if (access(world_path(w, "web/a.log.1"), F_OK) == 0) {
        world_rename(w, "web/a.log.1", "web/a.log.2");
    }
    world_copy(w, "web/a.log", "web/a.log.1");
    world_truncate_to(w, "web/a.log", text);
}

static void test_several_copies_between_two_looks(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "2\n");
    rotate(&w, "3\n");
    rotate(&w, "4\n");
    rotate(&w, "5\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

/* What the copy holds is lost, which is said; what comes behind it is not waited with. */
static void test_damaged_copy(void **state)
{
    (void)state;
    struct world w;
    struct buf text = {0};
    struct stat st;
    for (unsigned i = 0; i < 40000; i++) {
        assert_int_equal(buf_addf(&text, "%08x\n", i * 2654435761U), 0);
    }
    assert_int_equal(buf_add(&text, "", 1), 0);
    world_new_plain(&w);
    world_write(&w, "web/a.log", text.data);
    world_start(&w);
    world_settle(&w);
    uint64_t gaps = metrics.gaps;
    world_write(&w, "web/a.log", "lost\n");
    world_copy(&w, "web/a.log", "web/a.log.1");
    world_pack(&w, "web/a.log.1");
    assert_int_equal(stat(world_path(&w, world_packed("web/a.log.1")), &st), 0);
    int fd = open(world_path(&w, world_packed("web/a.log.1")), O_WRONLY | O_CLOEXEC);
    for (off_t at = st.st_size * 3 / 4; at < st.st_size; at++) {
        assert_int_equal(pwrite(fd, "\xff", 1, at), 1);
    }
    close(fd);
    world_truncate_to(&w, "web/a.log", "3\n");
    world_settle(&w);
    assert_int_equal(w.out.len, text.len - 1 + 2);
    assert_memory_equal(w.out.data + w.out.len - 3, "\n3\n", 3);
    assert_int_equal(metrics.gaps, gaps + 1);
    buf_free(&text);
    world_free(&w);
}

/* Nothing is known of its content then, by which a copy could be told. */
static void test_copied_when_last_seen_empty(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    rotate(&w, "");
    world_settle(&w);
    world_write(&w, "web/a.log", "2\n");
    rotate(&w, "3\n");
    rotate(&w, "4\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

/* Copied twice, truncated, and renamed, all before the next look. */
static void fill_and_rename(struct world *w)
{
    world_write(w, "web/a.log", "1\n");
    rotate(w, "2\n");
    rotate(w, "3\n");
    if (access(world_path(w, "web/a.log.3"), F_OK) == 0) {
        world_rename(w, "web/a.log.3", "web/a.log.4");
    }
    world_rename(w, "web/a.log.2", "web/a.log.3");
    world_rename(w, "web/a.log.1", "web/a.log.2");
    world_rename(w, "web/a.log", "web/a.log.1");
    world_write(w, "web/a.log", "4\n");
}

static void test_copied_and_renamed_when_last_seen_empty(void **state)
{
    (void)state;
    for (int rotated = 0; rotated < 2; rotated++) { /* a file is held that was renamed before it was made */
        const char *all = rotated ? "0\n1\n2\n3\n4\n" : "1\n2\n3\n4\n";
        struct world w;
        world_new_plain(&w);
        world_write(&w, "web/a.log", rotated ? "0\n" : "");
        world_start(&w);
        world_settle(&w);
        if (rotated) {
            world_rename(&w, "web/a.log", "web/a.log.1");
            world_write(&w, "web/a.log", "");
            world_settle(&w);
        }
        fill_and_rename(&w);
        world_settle(&w);
        world_expect(&w, all);
        world_save(&w);
        world_settle(&w);
        world_expect(&w, all);
        world_free(&w);
    }
}

/* Behind a rotated file whose writers are waited for: nothing of it is read yet. `looked`: before it is renamed. */
static void test_copied_and_renamed_unread(void **state)
{
    (void)state;
    for (int looked = 0; looked < 2; looked++) {
        for (int copied = 0; copied < 2; copied++) {
            struct world w;
            world_new_plain(&w);
            world_write(&w, "web/a.log", "begins alike\n");
            world_start(&w);
            world_settle(&w);
            world_rename(&w, "web/a.log", "web/a.log.1");
            world_write(&w, "web/a.log", "begins alike\n1\n");
            world_run(&w, 20);
            world_rename(&w, "web/a.log.1", "web/a.log.2");
            if (copied) {
                world_copy(&w, "web/a.log", "web/a.log.1");
            }
            uint64_t lost = metrics.lost_bytes;
            assert_int_equal(truncate(world_path(&w, "web/a.log"), 0), 0);
            world_run(&w, looked ? 300 : 0);
            world_write(&w, "web/a.log", "2\n");
            world_rename(&w, "web/a.log.2", "web/a.log.3");
            if (copied) {
                world_rename(&w, "web/a.log.1", "web/a.log.2");
            }
            world_rename(&w, "web/a.log", "web/a.log.1");
            world_write(&w, "web/a.log", "3\n");
            world_settle(&w);
            world_expect(&w, copied ? "begins alike\nbegins alike\n1\n2\n3\n" : "begins alike\n2\n3\n");
            assert_int_equal(metrics.lost_bytes > lost, !copied);
            world_free(&w);
        }
    }
}

/* Nothing can be read meanwhile, and all of the files are deleted: they are held open. */
static void test_filled_while_stalled(void **state)
{
    (void)state;
    static const char *const names[] = {"web/a.log", "web/a.log.1", "web/a.log.2", "web/a.log.3"};
    struct world w;
    struct buf other = {0};
    world_new_plain(&w);
    w.cfg->batch_bytes = 4096;
    w.cfg->memory_max = 65536;
    w.stalled = true;
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(buf_addf(&other, "fill %d\n", i), 0);
    }
    assert_int_equal(buf_add(&other, "", 1), 0);
    world_write(&w, "web/a.log", "");
    world_start(&w);
    world_write(&w, "web/b.log", other.data);
    world_run(&w, 100);
    fill_and_rename(&w);
    world_run(&w, 100);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(unlink(world_path(&w, names[i])), 0);
    }
    world_unstall(&w);
    world_settle(&w);
    assert_int_equal(w.out.len, other.len - 1 + strlen("1\n2\n3\n4\n"));
    buf_free(&other);
    world_free(&w);
}

/* The copy and the log hold the same: it comes once, and goes on in the copy once the log is truncated. */
static void test_start_amid_the_copying(void **state)
{
    (void)state;
    for (int whole = 0; whole < 3; whole++) { /* nothing of it, some, all is copied */
        struct world w;
        world_new_plain(&w);
        world_write(&w, "web/a.log", "1\n");
        world_start(&w);
        world_settle(&w);
        world_save(&w);
        world_kill(&w);
        rotate(&w, "2\n3\n");
        world_rename(&w, "web/a.log.1", "web/a.log.2");
        const char *copied[] = {"", "2\n", "2\n3\n"}, *rest[] = {"2\n3\n", "3\n", ""};
        world_write(&w, "web/a.log.1", copied[whole]);
        world_start(&w);
        world_settle(&w);
        world_expect(&w, "1\n2\n3\n");
        world_write(&w, "web/a.log.1", rest[whole]);
        world_write(&w, "web/a.log", "4\n"); /* while it is copied */
        world_write(&w, "web/a.log.1", "4\n");
        world_truncate_to(&w, "web/a.log", "5\n");
        world_settle(&w);
        world_run(&w, 1100);
        world_expect(&w, "1\n2\n3\n4\n5\n");
        assert_int_equal(metrics.lost_bytes, 0);
        world_free(&w);
    }
}

/* Written anew beyond the offset, too: what stands there is no longer what was read. */
static void test_renamed_before_the_next_look(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_truncate_to(&w, "web/a.log", "longer than before\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "2\n");
    world_settle(&w);
    world_expect(&w, "1\nlonger than before\n2\n");
    world_write(&w, "web/a.log", "3\n");
    world_rename(&w, "web/a.log.1", "web/a.log.3");
    world_copy(&w, "web/a.log", "web/a.log.2");
    world_truncate_to(&w, "web/a.log", "4\n");
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "5\n");
    world_settle(&w);
    world_expect(&w, "1\nlonger than before\n2\n3\n4\n5\n");
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_renamed_before_the_next_look),
        cmocka_unit_test(test_copytruncate),
        WORLD_TEST_ARCHIVES(test_copied_by_pm2),
        cmocka_unit_test(test_copied_to_any_name),
        cmocka_unit_test(test_several_copies_between_two_looks),
        WORLD_TEST_ARCHIVES(test_damaged_copy),
        cmocka_unit_test(test_copied_when_last_seen_empty),
        cmocka_unit_test(test_copied_and_renamed_when_last_seen_empty),
        cmocka_unit_test(test_filled_while_stalled),
        cmocka_unit_test(test_start_amid_the_copying),
        cmocka_unit_test(test_copied_and_renamed_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
