/* Following files when what is rare happens: events that the kernel dropped, files that may not be read, damaged archives,
 * a log that cannot be opened for a while. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "source/log/tailer.h"
#include "world.h"

#define ID WORLD_ID
#define ENTRY(text)                                                                                          \
    "{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.668510088Z\"}\n"

/* All it ever wrote came between two looks, and then its directory went: it is still open. */
static void test_removed_before_it_was_read(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_start(&w);
    world_container(&w);
    world_write(&w, ID "/" ID "-json.log", "");
    world_settle(&w);
    world_write(&w, ID "/" ID "-json.log", ENTRY("last words\\n"));
    assert_int_equal(unlink(world_path(&w, ID "/" ID "-json.log")), 0);
    assert_int_equal(unlink(world_path(&w, ID "/config.v2.json")), 0);
    assert_int_equal(rmdir(world_path(&w, ID)), 0);
    world_settle(&w);
    world_expect(&w, "last words\n");
    assert_int_equal(metrics.feeds, 0);
    world_free(&w);
}

/* Rotated, and nothing was written to the new file: neither stays open. */
static void test_removed_with_an_empty_log(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_start(&w);
    world_container(&w);
    world_write(&w, ID "/" ID "-json.log", ENTRY("one\\n"));
    world_settle(&w);
    world_rename(&w, ID "/" ID "-json.log", ID "/" ID "-json.log.1");
    world_write(&w, ID "/" ID "-json.log", "");
    world_settle(&w);
    assert_int_equal(metrics.open_files, 2);
    assert_int_equal(unlink(world_path(&w, ID "/" ID "-json.log")), 0);
    assert_int_equal(unlink(world_path(&w, ID "/" ID "-json.log.1")), 0);
    assert_int_equal(unlink(world_path(&w, ID "/config.v2.json")), 0);
    assert_int_equal(rmdir(world_path(&w, ID)), 0);
    world_settle(&w);
    world_expect(&w, "one\n");
    assert_int_equal(metrics.feeds, 0);
    assert_int_equal(metrics.open_files, 0);
    world_free(&w);
}

/* It does not hold up what came after it for ever. */
static void test_rotated_file_that_may_not_be_read(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "one\n");
    world_as_nobody(&w);
    world_start(&w);
    world_settle(&w);
    world_as_root();
    world_write(&w, "web/a.log.1", "hidden\n");
    assert_int_equal(chmod(world_path(&w, "web/a.log.1"), 0600), 0);
    world_rename(&w, "web/a.log", "web/a.log.2");
    world_write(&w, "web/a.log", "three\n");
    world_as_nobody(&w);
    uint64_t gaps = metrics.gaps;
    world_run(&w, 1500);
    world_expect(&w, "one\n"); /* it may be readable soon */
    assert_int_equal(metrics.gaps, gaps);
    world_run(&w, 4000);
    world_expect(&w, "one\nthree\n");
    assert_int_equal(metrics.gaps, gaps + 1);
    world_as_root();
    world_write(&w, "web/a.log", "four\n");
    world_settle(&w);
    world_save(&w); /* and a start is not held up by what is older than what was read */
    world_write(&w, "web/a.log", "five\n");
    world_settle(&w);
    world_expect(&w, "one\nthree\nfour\nfive\n");
    assert_int_equal(metrics.gaps, gaps + 1);
    world_free(&w);
}

static void test_rotated_file_readable_in_time(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log.1", "one\n");
    world_write(&w, "web/a.log", "two\n");
    assert_int_equal(chmod(world_path(&w, "web/a.log.1"), 0600), 0);
    uint64_t gaps = metrics.gaps;
    world_as_nobody(&w);
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "");
    world_as_root();
    world_await(&w, "one\ntwo\n");
    assert_int_equal(metrics.gaps, gaps);
    world_free(&w);
}

static void test_start_with_a_rotated_file_that_may_not_be_read(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log.2", "one\n");
    world_write(&w, "web/a.log.1", "hidden\n");
    world_write(&w, "web/a.log", "three\n");
    assert_int_equal(chmod(world_path(&w, "web/a.log.1"), 0600), 0);
    uint64_t gaps = metrics.gaps;
    world_as_nobody(&w);
    world_start(&w);
    world_run(&w, 5000);
    world_expect(&w, "one\nthree\n");
    assert_int_equal(metrics.gaps, gaps + 1);
    world_as_root();
    world_free(&w);
}

/* More events than fs.inotify.max_queued_events, so that what comes after them is dropped. */
static void overflow(struct world *w, const char *dir)
{
    char a[128], b[128];
    snprintf(a, sizeof(a), "%s/a.tmp", dir);
    snprintf(b, sizeof(b), "%s/b.tmp", dir);
    world_write(w, a, "x");
    long limit = 16384;
    FILE *proc = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    assert_non_null(proc);
    assert_int_equal(fscanf(proc, "%ld", &limit), 1);
    fclose(proc);
    for (long i = 0; i < 2 * limit; i += 2) {
        world_rename(w, i % 4 ? b : a, i % 4 ? a : b); /* two events */
    }
}

static void test_removal_unheard_of(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_container(&w);
    world_write(&w, ID "/" ID "-json.log",
                "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.668510088Z\"}\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "one\n");
    assert_int_equal(metrics.feeds, 1);
    overflow(&w, ".");
    unlink(world_path(&w, ID "/config.v2.json"));
    unlink(world_path(&w, ID "/" ID "-json.log"));
    assert_int_equal(rmdir(world_path(&w, ID)), 0);
    world_settle(&w); /* all of those events are read */
    assert_int_equal(metrics.feeds, 0);
    assert_int_equal(metrics.open_files, 0);
    world_free(&w);
}

static void test_directory_made_anew_unheard_of(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_start(&w);
    world_settle(&w);
    overflow(&w, ".");
    assert_int_equal(rmdir(world_path(&w, "web")), 0);
    assert_int_equal(mkdir(world_path(&w, "web"), 0755), 0);
    world_settle(&w); /* all of those events are read */
    world_write(&w, "web/a.log", "one\n");
    world_settle(&w);
    world_expect(&w, "one\n");
    world_free(&w);
}

/* Removed and made anew while somebody still stands in the old one: that tells of its own end much later. */
static void make_anew_in_use(struct world *w)
{
    world_start(w);
    world_settle(w);
    int held = open(world_path(w, "web"), O_RDONLY | O_DIRECTORY);
    assert_true(held >= 0);
    assert_int_equal(rmdir(world_path(w, "web")), 0);
    assert_int_equal(mkdir(world_path(w, "web"), 0755), 0);
    world_run(w, 1100);
    world_write(w, "web/a.log", "one\n");
    world_settle(w);
    world_expect(w, "one\n");
    close(held);
    world_run(w, 100);
    world_write(w, "web/a.log", "two\n");
    world_write(w, "web/b.log", "three\n");
    world_settle(w);
    world_expect(w, "one\ntwo\nthree\n");
    world_free(w);
}

static void test_directory_made_anew_while_in_use(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    make_anew_in_use(&w);
}

/* The one that a glob begins with: nobody watches the one above it. */
static void test_base_made_anew_while_in_use(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    char **pattern = &w.cfg->files_include.items[0];
    free(*pattern);
    assert_true(asprintf(pattern, "%s/web/*.log", w.dir) > 0);
    make_anew_in_use(&w);
}

/* A directory that may not be read, for now. */
static void test_permission_regained(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(w.dir, 0777), 0);
    world_write(&w, "web/a.log", "one\n");
    assert_int_equal(chmod(world_path(&w, "web"), 0700), 0);
    assert_int_equal(seteuid(65534), 0);
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "");
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(world_path(&w, "web"), 0755), 0);
    assert_int_equal(seteuid(65534), 0);
    world_run(&w, 1200);
    world_expect(&w, "one\n");
    assert_int_equal(seteuid(0), 0);
    world_write(&w, "web/b.log", "two\n");
    world_settle(&w);
    world_expect(&w, "one\ntwo\n");
    world_free(&w);
}

/* What cannot be opened is not deleted: forgetting its position would read it twice. */
static void test_unreadable_is_not_deleted(void **state)
{
    (void)state;
    uint64_t size;
    struct world w;
    struct error err;
    world_new_plain(&w);
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(w.dir, 0777), 0);
    world_start(&w);
    world_write(&w, "a.log", "one\n");
    assert_int_equal(chmod(world_path(&w, "a.log"), 0600), 0);
    struct source_env env = {.base = w.base, .cfg = w.cfg, .pipeline = w.pipeline, .checkpoint = w.positions};
    struct tailer *tailer = tailer_new(&env, &err);
    struct tags *tags = tags_new(&(struct identity){.service = "web"}, w.cfg);
    struct follow_options options = {.key = "a", .path = world_path(&w, "a.log"), .tags = tags};
    assert_int_equal(seteuid(65534), 0);
    struct follow *f = tailer_follow(tailer, &options);
    assert_int_equal(seteuid(0), 0);
    assert_false(follow_deleted(f, &size));
    assert_int_equal(unlink(world_path(&w, "a.log")), 0);
    assert_true(follow_deleted(f, &size));
    tailer_unfollow(tailer, f);
    tags_unref(tags);
    tailer_free(tailer);
    world_free(&w);
}

/* An archive whose end is missing: what there is of it, and a word about the rest. */
static void test_archive_cut_short(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    struct buf text = {0};
    world_new_plain(&w);
    for (unsigned i = 0; i < 20000; i++) {
        assert_int_equal(buf_addf(&text, "%u %u\n", i, i * 2654435761U), 0);
    }
    assert_int_equal(buf_add(&text, "", 1), 0);
    world_write(&w, "web/a.log.1", text.data);
    world_pack(&w, "web/a.log.1");
    assert_int_equal(stat(world_path(&w, world_packed("web/a.log.1")), &st), 0);
    assert_int_equal(truncate(world_path(&w, world_packed("web/a.log.1")), st.st_size / 2), 0);
    world_age(&w, world_packed("web/a.log.1"));
    world_write(&w, "web/a.log", "last\n");
    uint64_t gaps = metrics.gaps;
    world_start(&w);
    world_settle(&w);
    assert_int_equal(metrics.gaps, gaps + 1);
    assert_true(w.out.len > 1000 && memcmp(w.out.data, text.data, 1000) == 0);
    assert_memory_equal(w.out.data + w.out.len - 5, "last\n", 5);
    buf_free(&text);
    world_free(&w);
}

/* An archive that is still being packed when reading begins, at the first start or after a stop, and whose
 * plain file is gone: all of it comes, as soon as it is there. */
static void test_archive_grows(void **state)
{
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        struct world w;
        struct stat st;
        struct buf text = {0}, bytes = {0};
        world_new_plain(&w);
        for (unsigned i = 0; i < 20000; i++) {
            assert_int_equal(buf_addf(&text, "%u %u\n", i, i * 2654435761U), 0);
        }
        assert_int_equal(buf_add(&text, "", 1), 0);
        world_write(&w, "web/a.log", text.data);
        if (stopped) {
            world_start(&w);
            world_await(&w, text.data);
            world_save(&w);
            world_kill(&w);
            world_write(&w, "web/a.log", "more\n");
            text.len--;
            assert_int_equal(buf_add(&text, "more\n", sizeof("more\n")), 0);
        }
        world_rename(&w, "web/a.log", "web/a.log.1");
        world_pack(&w, "web/a.log.1");
        const char *path = world_path(&w, world_packed("web/a.log.1"));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(buf_reserve(&bytes, (size_t)st.st_size), 0);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, bytes.data, (size_t)st.st_size, 0), st.st_size);
        assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
        world_write(&w, "web/a.log", "last\n");
        uint64_t gaps = metrics.gaps;
        world_start(&w);
        world_run(&w, 1200);
        assert_int_equal(pwrite(fd, bytes.data, (size_t)st.st_size, 0), st.st_size);
        close(fd);
        text.len--;
        assert_int_equal(buf_add(&text, "last\n", sizeof("last\n")), 0);
        world_await(&w, text.data);
        assert_int_equal(metrics.gaps, gaps);
        buf_free(&text);
        buf_free(&bytes);
        world_free(&w);
    }
}

/* Truncated, and moved away before we looked: what was rotated long ago is not read again. */
static void test_truncated_and_moved(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log.1", "one\n");
    world_write(&w, "web/a.log", "two\n");
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_settle(&w);
    world_expect(&w, "one\ntwo\n");
    assert_int_equal(truncate(world_path(&w, "web/a.log"), 0), 0);
    world_rename(&w, "web/a.log", "web/away");
    world_settle(&w);
    world_write(&w, "web/a.log", "three\n");
    world_settle(&w);
    world_expect(&w, "one\ntwo\nthree\n");
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_removed_before_it_was_read),
        cmocka_unit_test(test_removed_with_an_empty_log),
        cmocka_unit_test_teardown(test_rotated_file_that_may_not_be_read, world_back_to_root),
        cmocka_unit_test_teardown(test_rotated_file_readable_in_time, world_back_to_root),
        cmocka_unit_test_teardown(test_start_with_a_rotated_file_that_may_not_be_read, world_back_to_root),
        cmocka_unit_test_teardown(test_removal_unheard_of, world_back_to_root),
        cmocka_unit_test_teardown(test_directory_made_anew_unheard_of, world_back_to_root),
        cmocka_unit_test_teardown(test_directory_made_anew_while_in_use, world_back_to_root),
        cmocka_unit_test_teardown(test_base_made_anew_while_in_use, world_back_to_root),
        cmocka_unit_test_teardown(test_permission_regained, world_back_to_root),
        cmocka_unit_test_teardown(test_unreadable_is_not_deleted, world_back_to_root),
        WORLD_TEST_ARCHIVES_TEARDOWN(test_archive_cut_short, world_back_to_root),
        WORLD_TEST_ARCHIVES_TEARDOWN(test_archive_grows, world_back_to_root),
        cmocka_unit_test_teardown(test_truncated_and_moved, world_back_to_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
