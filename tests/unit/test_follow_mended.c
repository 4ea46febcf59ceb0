/* Following files over what once lost or doubled lines, or kept what was to be let go: files that
 * cannot be opened for a while, deleted files and those made anew, old files that begin alike, packed copies,
 * late writers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "source/files/files.h"
#include "world.h"

/* Turns the loop until so much has come out, for a few seconds at most: what is found at the next look once a
 * second. Nothing else may come out. */
static void expect_soon(struct world *w, const char *text)
{
    for (int i = 0; i < 250 && w->out.len < strlen(text); i++) {
        world_run(w, 20);
    }
    world_settle(w);
    world_expect(w, text);
}

static struct files *files_of(const struct world *w)
{
    return (struct files *)w->source;
}

static struct file *file_of(struct world *w, const char *name)
{
    struct file *file;
    const char *path = world_path(w, name);
    HASH_FIND_STR(files_of(w)->set.by_path, path, file);
    assert_non_null(file);
    return file;
}

/* -- what cannot be opened for a while -------------------------------------------------------- */

static struct rlimit usual;

/* No more than `spare` files can be opened, up to 3. */
static void leave_descriptors(int spare)
{
    int fds[4];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    for (int i = 0; i <= spare; i++) { /* each the lowest number that is free */
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    struct rlimit few = {.rlim_cur = (rlim_t)fds[spare], .rlim_max = usual.rlim_max};
    for (int i = 0; i <= spare; i++) {
        close(fds[i]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static int all_descriptors(void **state)
{
    (void)state;
    return usual.rlim_max > 0 ? setrlimit(RLIMIT_NOFILE, &usual) : 0;
}

static void copytruncate_with(int spare)
{
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    uint64_t lost = metrics.lost_bytes, gaps = metrics.gaps, truncations = metrics.truncations;
    world_write(&w, "web/a.log", "2\n");
    world_copy(&w, "web/a.log", "web/a.log.1");
    world_truncate_to(&w, "web/a.log", "3\n");
    leave_descriptors(spare);
    world_settle(&w);
    if (spare == 0) {
        world_expect(&w, "1\n");
    }
    assert_int_equal(all_descriptors(NULL), 0);
    expect_soon(&w, "1\n2\n3\n");
    assert_int_equal(metrics.lost_bytes, lost);
    assert_int_equal(metrics.gaps, gaps);
    assert_int_equal(metrics.truncations, truncations + 1);
    world_free(&w);
}

/* The copy holds what was not read yet: it is waited for, where it cannot be found or opened. That takes
 * three descriptors: of the directory, the copy and the log. */
static void test_copytruncate_without_descriptors(void **state)
{
    (void)state;
    for (int spare = 0; spare < 3; spare++) {
        copytruncate_with(spare);
    }
}

/* While the copy, or the directory, has the mode `hidden`. */
static void copytruncate_hidden(const char *name, mode_t hidden, mode_t shown)
{
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_as_nobody(&w);
    world_start(&w);
    world_settle(&w);
    world_as_root();
    uint64_t lost = metrics.lost_bytes, gaps = metrics.gaps;
    world_write(&w, "web/a.log", "2\n");
    world_copy(&w, "web/a.log", "web/a.log.1");
    assert_int_equal(chmod(world_path(&w, name), hidden), 0);
    world_truncate_to(&w, "web/a.log", "3\n");
    assert_int_equal(seteuid(65534), 0);
    world_settle(&w);
    world_expect(&w, "1\n");
    world_as_root();
    assert_int_equal(chmod(world_path(&w, name), shown), 0);
    expect_soon(&w, "1\n2\n3\n");
    assert_int_equal(metrics.lost_bytes, lost);
    assert_int_equal(metrics.gaps, gaps);
    world_free(&w);
}

static void test_copy_that_may_not_be_read_yet(void **state)
{
    (void)state;
    copytruncate_hidden("web/a.log.1", 0600, 0644);
}

/* It can be listed, but what is in it not be looked at. */
static void test_directory_that_may_not_be_searched_yet(void **state)
{
    (void)state;
    copytruncate_hidden("web", 0744, 0755);
}

/* It is watched, which takes no descriptor, but what it holds already tells of itself no more. */
static void test_directory_not_listed_for_a_moment(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_start(&w);
    world_settle(&w);
    assert_false(status.source.failing);
    assert_int_equal(mkdir(world_path(&w, "db"), 0755), 0);
    world_write(&w, "db/b.log", "one\n");
    leave_descriptors(0);
    for (int i = 0; i < 250 && !status.source.failing; i++) {
        world_run(&w, 20);
    }
    assert_true(status.source.failing);
    world_expect(&w, "");
    assert_int_equal(all_descriptors(NULL), 0);
    expect_soon(&w, "one\n");
    assert_false(status.source.failing);
    world_free(&w);
}

/* -- deleted ---------------------------------------------------------------------------------- */

/* A follow without a source, of the file `a.log`. */
struct lone {
    struct world w;
    struct tailer *tailer;
    struct tags *tags;
    struct follow *follow; /* NULL: it is done */
};

static void lone_done(void *arg)
{
    struct lone *l = arg;
    tailer_unfollow(l->tailer, l->follow);
    l->follow = NULL;
}

static void lone_new(struct lone *l, const char *text)
{
    struct error err;
    world_new_plain(&l->w);
    world_write(&l->w, "a.log", text);
    world_start(&l->w);
    struct source_env env = {
        .base = l->w.base, .cfg = l->w.cfg, .pipeline = l->w.pipeline, .checkpoint = l->w.positions};
    l->tailer = tailer_new(&env, &err);
    l->tags = tags_new(&(struct identity){.service = "web"}, l->w.cfg);
    assert_true(l->tailer && l->tags);
    struct follow_options options = {.key = "a", .path = world_path(&l->w, "a.log"), .tags = l->tags};
    l->follow = tailer_follow(l->tailer, &options);
    assert_non_null(l->follow);
    world_settle(&l->w);
}

static void lone_free(struct lone *l)
{
    tailer_unfollow(l->tailer, l->follow);
    tags_unref(l->tags);
    tailer_free(l->tailer);
    world_free(&l->w);
}

static void expect_deleted(struct lone *l, uint64_t expected)
{
    uint64_t size;
    follow_look(l->follow);
    world_settle(&l->w);
    assert_true(follow_deleted(l->follow, &size));
    assert_int_equal(size, expected);
}

/* It is as deleted as any other: the rest of its last line comes once it is let go. */
static void test_deleted_without_a_last_newline(void **state)
{
    (void)state;
    struct lone l;
    lone_new(&l, "one\ntwo");
    int writer = open(world_path(&l.w, "a.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(writer >= 0);
    assert_int_equal(unlink(world_path(&l.w, "a.log")), 0);
    expect_deleted(&l, 7);
    expect_deleted(&l, 7);
    assert_int_equal(write(writer, "!", 1), 1);
    expect_deleted(&l, 8); /* nobody knows but by the size that it is still written to */
    close(writer);
    world_expect(&l.w, "one\n");
    follow_finish(l.follow, lone_done, &l);
    world_settle(&l.w);
    assert_null(l.follow);
    world_expect(&l.w, "one\ntwo!\n");
    lone_free(&l);
}

static void test_kept_before_it_was_finished(void **state)
{
    (void)state;
    struct lone l;
    lone_new(&l, "one\n");
    assert_int_equal(unlink(world_path(&l.w, "a.log")), 0);
    follow_look(l.follow);
    follow_finish(l.follow, lone_done, &l);
    world_write(&l.w, "a.log", "two\n");
    follow_look(l.follow);
    follow_keep(l.follow);
    world_settle(&l.w);
    assert_non_null(l.follow);
    world_write(&l.w, "a.log", "three\n");
    follow_wake(l.follow);
    world_settle(&l.w);
    assert_non_null(l.follow);
    world_expect(&l.w, "one\ntwo\nthree\n");
    lone_free(&l);
}

/* As if it were deleted for more than the minute after which a file is let go. */
static void look_a_minute_later(struct file *file)
{
    file_set_missed(file->set); /* the loop has told of nothing yet */
    file_set_look(file->set);
    assert_true(file->missing_ns != 0 && !file->finishing);
    file->missing_ns -= 61 * NS_PER_S;
    file_set_look(file->set);
    assert_true(file->finishing);
}

static void test_let_go_after_a_minute(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "one\ntwo");
    world_start(&w);
    world_settle(&w);
    assert_int_equal(unlink(world_path(&w, "web/a.log")), 0);
    look_a_minute_later(file_of(&w, "web/a.log"));
    world_settle(&w);
    world_expect(&w, "one\ntwo\n");
    assert_int_equal(HASH_COUNT(files_of(&w)->set.by_path), 0);
    world_free(&w);
}

static void test_made_anew_when_let_go(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "one\n");
    world_start(&w);
    world_settle(&w);
    struct file *file = file_of(&w, "web/a.log");
    assert_int_equal(unlink(world_path(&w, "web/a.log")), 0);
    look_a_minute_later(file);
    world_write(&w, "web/a.log", "two\n");
    file_set_look(file->set);
    assert_false(file->finishing);
    world_settle(&w);
    assert_ptr_equal(file_of(&w, "web/a.log"), file);
    world_write(&w, "web/a.log", "three\n");
    world_settle(&w);
    world_expect(&w, "one\ntwo\nthree\n");
    world_free(&w);
}

/* The event of its creation comes before the look that would keep it, and there is no room to read in. */
static void test_made_anew_while_stalled(void **state)
{
    (void)state;
    struct world w;
    struct buf all = {0};
    world_new_plain(&w);
    w.cfg->batch_bytes = 4096;
    w.cfg->memory_max = 65536;
    world_write(&w, "web/a.log", "one\n");
    world_start(&w);
    world_settle(&w);
    w.stalled = true;
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(buf_addf(&all, "fill %d\n", i), 0);
    }
    assert_int_equal(buf_add(&all, "", 1), 0);
    world_write(&w, "web/b.log", all.data);
    world_run(&w, 50);
    struct file *file = file_of(&w, "web/a.log");
    assert_int_equal(unlink(world_path(&w, "web/a.log")), 0);
    look_a_minute_later(file);
    world_write(&w, "web/a.log", "two\n");
    world_run(&w, 20);
    world_unstall(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "three\n");
    world_settle(&w);
    assert_ptr_equal(file_of(&w, "web/a.log"), file);
    assert_int_equal(w.out.len, strlen("one\ntwo\nthree\n") + all.len - 1);
    assert_memory_equal(w.out.data + w.out.len - strlen("three\n"), "three\n", strlen("three\n"));
    buf_free(&all);
    world_free(&w);
}

static void exclude_service(struct config *cfg, const char *service)
{
    free(cfg->exclude.services.items); /* it is none, and allocated all the same */
    cfg->exclude.services.items = calloc(1, sizeof(char *));
    assert_non_null(cfg->exclude.services.items);
    cfg->exclude.services.items[0] = strdup(service);
    cfg->exclude.services.count = 1;
}

/* Files that are not collected are not remembered for ever. */
static void test_left_out_and_deleted(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    exclude_service(w.cfg, "web");
    world_write(&w, "web/a.log", "one\n");
    world_write(&w, "web/b.log", "two\n");
    world_start(&w);
    world_settle(&w);
    assert_int_equal(HASH_COUNT(files_of(&w)->set.by_path), 2);
    assert_int_equal(unlink(world_path(&w, "web/a.log")), 0);
    assert_int_equal(unlink(world_path(&w, "web/b.log")), 0);
    for (int i = 0; i < 250 && HASH_COUNT(files_of(&w)->set.by_path) > 0; i++) {
        world_run(&w, 20);
    }
    assert_int_equal(HASH_COUNT(files_of(&w)->set.by_path), 0);
    world_expect(&w, "");
    world_free(&w);
}

/* -- rotated ---------------------------------------------------------------------------------- */

/* A rotated file of last week, which begins as the log does. */
static void write_old(struct world *w)
{
    const struct timespec week_ago = {.tv_sec = time(NULL) - 7 * 86400};
    const struct timespec times[2] = {week_ago, week_ago};
    world_write(w, "web/a.log.1", "begin\nold\n");
    assert_int_equal(utimensat(AT_FDCWD, world_path(w, "web/a.log.1"), times, 0), 0);
}

/* It was read before, or put there since, as from a backup: it is no copy of what was truncated. */
static void truncated_beside_old(bool read_before, bool restart)
{
    struct world w;
    const char *before = read_before ? "begin\nold\nbegin\n" : "begin\n";
    char all[64];
    world_new_plain(&w);
    if (read_before) {
        write_old(&w);
    }
    world_write(&w, "web/a.log", "begin\n");
    world_start(&w);
    world_settle(&w);
    world_expect(&w, before);
    if (!read_before) {
        write_old(&w);
    }
    if (restart) {
        world_save(&w);
        world_kill(&w);
    }
    world_truncate_to(&w, "web/a.log", "truncated, and written anew\n");
    if (restart) {
        world_start(&w);
    }
    world_settle(&w);
    snprintf(all, sizeof(all), "%struncated, and written anew\n", before);
    world_expect(&w, all);
    world_free(&w);
}

static void test_truncated_beside_an_old_file_alike(void **state)
{
    (void)state;
    truncated_beside_old(true, false);
    truncated_beside_old(false, false);
}

static void test_truncated_beside_an_old_file_alike_while_stopped(void **state)
{
    (void)state;
    truncated_beside_old(true, true);
    truncated_beside_old(false, true);
}

/* Of what was empty when it was last seen, nothing is known by which the copy could be told. */
static void packed_when_last_seen_empty(const char *text, const char *expected)
{
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "");
    world_start(&w);
    world_settle(&w);
    world_write(&w, "web/a.log", "1\n");
    world_copy(&w, "web/a.log", "web/a.log.1");
    world_truncate_to(&w, "web/a.log", text);
    world_pack(&w, "web/a.log.1");
    world_settle(&w);
    world_expect(&w, expected);
    world_free(&w);
}

static void test_packed_when_last_seen_empty(void **state)
{
    (void)state;
    packed_when_last_seen_empty("2\n", "1\n2\n");
    packed_when_last_seen_empty("", "1\n");
}

/* Not all of several writers go over to the new file at once. */
static void test_late_writers(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    world_write(&w, "web/a.log", "1\n");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "web/a.log", "web/a.log.1");
    world_write(&w, "web/a.log", "3\n");
    world_run(&w, 30);
    world_write(&w, "web/a.log.1", "2\n");
    world_settle(&w);
    world_expect(&w, "1\n2\n3\n");
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_copytruncate_without_descriptors, all_descriptors),
        cmocka_unit_test_teardown(test_copy_that_may_not_be_read_yet, world_back_to_root),
        cmocka_unit_test_teardown(test_directory_that_may_not_be_searched_yet, world_back_to_root),
        cmocka_unit_test_teardown(test_directory_not_listed_for_a_moment, all_descriptors),
        cmocka_unit_test(test_deleted_without_a_last_newline),
        cmocka_unit_test(test_kept_before_it_was_finished),
        cmocka_unit_test(test_let_go_after_a_minute),
        cmocka_unit_test(test_made_anew_when_let_go),
        cmocka_unit_test(test_made_anew_while_stalled),
        cmocka_unit_test(test_left_out_and_deleted),
        cmocka_unit_test(test_truncated_beside_an_old_file_alike),
        cmocka_unit_test(test_truncated_beside_an_old_file_alike_while_stopped),
        WORLD_TEST_ARCHIVES(test_packed_when_last_seen_empty),
        cmocka_unit_test(test_late_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
