/* A log that is written to steadily is read without being told of each line, and is told of again once it is not. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "source/json_file/told.h"
#include "world.h"

#define LOG WORLD_ID "/" WORLD_ID "-json.log"

static struct world w;
static char expected[1 << 18];
static int written;
static int step; /* ms from line to line */

static struct json_file *source(void)
{
    return (struct json_file *)w.source;
}

static bool is_steady(void)
{
    return !TAILQ_EMPTY(&source()->tailer->steady.logs);
}

static void put_line(void)
{
    char entry[16];
    snprintf(entry, sizeof(entry), "%d\\n", ++written);
    world_write_entry(&w, LOG, entry);
    snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%d\n", written);
}

/* Writes so often that each look finds something, for `ms`, or till it is steady. */
static void write_steadily(int ms, bool till_steady)
{
    for (int64_t until = clock_monotonic() + ms * NS_PER_MS;
         clock_monotonic() < until && !(till_steady && is_steady());) {
        put_line();
        world_run(&w, step);
    }
}

static void start_with(int64_t batch_age)
{
    written = 0;
    step = batch_age > 0 ? 20 : 1;
    expected[0] = '\0';
    world_new_json(&w);
    world_container(&w);
    w.cfg->batch_age = batch_age;
    w.cfg->batch_bytes = 4096;
    w.cfg->memory_max = 65536;
    world_start(&w);
    world_settle(&w);
    event_del(source()->tick); /* which would find all of it, a second late */
    write_steadily(20000, true);
    assert_true(is_steady());
}

static void start(void)
{
    start_with(100 * NS_PER_MS);
}

static void reads_what_it_is_not_told_of(int64_t batch_age)
{
    start_with(batch_age);
    write_steadily(500, false);
    world_await(&w, expected);
    for (int i = 0; is_steady() && i < 1000; i++) {
        world_run(&w, step);
    }
    assert_false(is_steady());
    world_settle(&w);
    put_line(); /* and is told of it again */
    world_await(&w, expected);
    world_free(&w);
}

static void test_reads_what_it_is_not_told_of(void **state)
{
    (void)state;
    reads_what_it_is_not_told_of(100 * NS_PER_MS);
}

static void test_so_where_nothing_waits(void **state)
{
    (void)state;
    reads_what_it_is_not_told_of(0);
}

/* What rests for less than a few reads stays steady; what is written to seldom does not become so. */
static void test_only_what_is_steady(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 10; i++) {
        world_run(&w, 150); /* one read finds nothing, or two */
        assert_true(is_steady());
        put_line();
        world_run(&w, 100);
    }
    for (int i = 0; is_steady() && i < 1000; i++) {
        world_run(&w, 20);
    }
    for (int i = 0; i < 15; i++) {
        put_line();
        world_run(&w, 250);
        assert_false(is_steady());
    }
    world_await(&w, expected);
    world_free(&w);
}

static void test_rotates_untold(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 5; i++) {
        write_steadily(100, false);
        world_rename(&w, LOG, LOG ".1");
        put_line();
    }
    world_await(&w, expected);
    world_truncate_to(&w, LOG, "");
    world_run(&w, 300);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

/* Another one, which has written more than there is room for. */
static void add_container(const char *id)
{
    char name[200], text[200];
    assert_int_equal(mkdir(world_path(&w, id), 0755), 0);
    snprintf(name, sizeof(name), "%s/config.v2.json", id);
    snprintf(text, sizeof(text), "{\"ID\":\"%s\",\"Name\":\"/db\",\"Config\":{\"Labels\":{}}}", id);
    world_write(&w, name, text);
    snprintf(name, sizeof(name), "%s/%s-json.log", id, id);
    snprintf(text, sizeof(text), "%0*d\\n", (int)sizeof(text) - 3, 0);
    for (int i = 0; i < 800; i++) {
        world_write_entry(&w, name, text);
    }
}

static bool came_out(const char *line)
{
    return w.out.len > 0 && memmem(w.out.data, w.out.len, line, strlen(line));
}

/* It is closed for another, written to, and deleted: what was not read counts as lost. */
static void test_tells_of_it_while_closed(void **state)
{
    (void)state;
    metrics = (struct metrics){0};
    start();
    struct container *c = source()->containers;
    write_steadily(2500, false); /* it has had its time */
    source()->tailer->open.most = 1;
    w.stalled = true;
    add_container("fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210");
    for (int i = 0; follow_has_open(c->follow) && i < 10000; i++) {
        put_line();
        world_run(&w, 1);
    }
    assert_false(follow_has_open(c->follow));
    world_write_entry(&w, LOG, "unread\\n");
    world_run(&w, 5);
    assert_int_equal(unlink(world_path(&w, LOG)), 0);
    world_write_entry(&w, LOG, "last\\n");
    world_unstall(&w);
    for (int i = 0; !came_out("last\n") && i < 1000; i++) {
        world_run(&w, 10);
    }
    assert_true(came_out("last\n"));
    assert_true(came_out("unread\n") ? metrics.gaps == 0 : metrics.gaps == 1);
    world_free(&w);
}

/* While the sink takes nothing, nobody wakes up to read what there is no room for. */
static void test_rests_without_room(void **state)
{
    (void)state;
    start();
    w.stalled = true;
    for (int i = 0; pipeline_room(w.pipeline) && i < 1000; i++) {
        put_line();
        world_run(&w, 20);
    }
    assert_false(pipeline_room(w.pipeline));
    assert_true(is_steady());
    put_line();
    world_run(&w, 300);
    assert_false(evtimer_pending(source()->tailer->run, NULL));
    world_unstall(&w);
    world_await(&w, expected);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

static void set_driver(const char *driver)
{
    char text[80];
    snprintf(text, sizeof(text), "{\"LogConfig\":{\"Type\":\"%s\"}}", driver);
    world_write(&w, "new", text);
    world_rename(&w, "new", WORLD_ID "/hostconfig.json");
    world_settle(&w);
}

/* Writes till it is told of by its file. */
static struct container *start_busy(void)
{
    start_with(0);
    struct container *c = source()->containers;
    for (int i = 0; is_steady() && i < 1000; i++) {
        world_run(&w, 5);
    }
    container_look(c); /* as each second, here as below */
    for (int i = 0; c->told_how != TOLD_BY_FILE && watch_tells_all(c->watch) && i < 1000; i++) {
        put_line();
        world_run(&w, 20);
    }
    return c;
}

static void test_is_told_by_file(void **state)
{
    (void)state;
    struct container *c = start_busy();
    if (!watch_tells_all(c->watch)) {
        world_free(&w);
        skip(); /* the file system of /tmp is not local */
    }
    assert_int_equal(c->told_how, TOLD_BY_FILE);
    world_await(&w, expected);
    world_settle(&w);
    put_line();
    world_await(&w, expected);
    assert_int_equal(c->told_how, TOLD_BY_FILE);
    for (int i = 0; i < 5; i++) {
        world_rename(&w, LOG, LOG ".1");
        put_line();
        world_await(&w, expected);
        assert_int_equal(c->told_how, TOLD_BY_DIRECTORY);
        put_line();
        world_await(&w, expected);
        container_look(c);
        for (int k = 0; c->told_how != TOLD_BY_FILE && k < 1000; k++) {
            put_line();
            world_run(&w, 20);
        }
        assert_int_equal(source()->file_watches, 1);
    }
    world_await(&w, expected);
    world_truncate_to(&w, LOG, "");
    world_settle(&w);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

/* The watch of a file is given back once that is silent. */
static void test_rests_by_directory(void **state)
{
    (void)state;
    struct container *c = start_busy();
    if (c->told_how != TOLD_BY_FILE) {
        world_free(&w);
        skip(); /* as above */
    }
    world_await(&w, expected);
    for (int i = 0; i < 10; i++) { /* ticks: at the second it rests, and one of the next eight is its turn */
        event_active(source()->tick, EV_TIMEOUT, 0);
        world_run(&w, 10);
    }
    assert_int_equal(c->told_how, TOLD_BY_DIRECTORY);
    assert_int_equal(source()->file_watches, 0);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

/* Another log is followed, and the file is deleted, while it tells of itself. */
static void test_forgets_the_file(void **state)
{
    (void)state;
    struct container *c = start_busy();
    bool by_file = c->told_how == TOLD_BY_FILE;
    world_await(&w, expected);
    set_driver("local");
    assert_int_equal(source()->file_watches, 0);
    set_driver("json-file");
    container_look(c);
    world_settle(&w);
    put_line();
    world_await(&w, expected);
    for (int k = 0; by_file && c->told_how != TOLD_BY_FILE && k < 1000; k++) {
        put_line();
        world_run(&w, 20);
    }
    world_await(&w, expected);
    assert_int_equal(unlink(world_path(&w, LOG)), 0);
    world_settle(&w);
    assert_int_equal(source()->file_watches, 0);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

static void rename_container(const char *name)
{
    char text[200];
    snprintf(text, sizeof(text), "{\"ID\":\"" WORLD_ID "\",\"Name\":\"/%s\",\"Config\":{\"Labels\":{}}}",
             name);
    world_truncate_to(&w, WORLD_ID "/config.v2.json", text);
}

/* Its metadata is written to in place, which its directory does not tell just then. */
static void test_metadata_changes_untold(void **state)
{
    (void)state;
    start_with(0);
    struct container *c = source()->containers;
    rename_container("other");
    for (int i = 0; is_steady() && i < 1000; i++) {
        world_run(&w, 5);
    }
    container_look(c);
    assert_string_equal(c->tags->container, "other");
    world_free(&w);
    c = start_busy();
    if (c->told_how == TOLD_BY_FILE) {
        rename_container("another");
        world_rename(&w, LOG, LOG ".1");
        put_line();
        world_await(&w, expected);
        assert_int_equal(c->told_how, TOLD_BY_DIRECTORY);
        container_look(c);
        assert_string_equal(c->tags->container, "another");
        rename_container("last");
        world_run(&w, 5);
        assert_string_equal(c->tags->container, "last");
    }
    world_await(&w, expected);
    world_free(&w);
}

/* Events were lost: its directory is watched anew, and need not tell of what is read anyway. */
static void test_stays_untold(void **state)
{
    (void)state;
    start_with(0);
    struct container *c = source()->containers;
    event_del(source()->tick);
    told_close(c);
    container_look(c);
    assert_non_null(c->watch);
    c->silent = true; /* till an event tells of it */
    for (int i = 0; i < 10; i++) {
        put_line();
        world_run(&w, 5);
    }
    assert_true(is_steady());
    assert_true(c->silent);
    world_await(&w, expected);
    world_free(&w);
}

static bool set_watches(const char *most)
{
    int fd = open("/proc/sys/user/max_inotify_watches", O_WRONLY | O_CLOEXEC);
    bool set = fd >= 0 && write(fd, most, strlen(most)) > 0;
    if (fd >= 0) {
        close(fd);
    }
    return set;
}

/* The user's limit of watches is reached: directories come before files. In a user namespace of its own from here on,
 * which has limits of its own. */
static void test_gives_watches_to_directories(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWUSER) < 0 || !set_watches("3")) {
        skip();
    }
    struct container *c = start_busy();
    if (c->told_how != TOLD_BY_FILE) {
        world_free(&w);
        skip(); /* the file system of /tmp is not local */
    }
    const char *id = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
    put_line();
    assert_int_equal(mkdir(world_path(&w, id), 0755), 0);
    world_await(&w, expected);
    struct container *other;
    HASH_FIND_STR(source()->containers, id, other);
    assert_non_null(other->watch);
    assert_false(source()->watches_logged);
    assert_int_equal(c->told_how, TOLD_BY_DIRECTORY);
    for (int i = 0; i < 30; i++) { /* it is busy, but gets none again */
        put_line();
        world_run(&w, 20);
    }
    world_await(&w, expected);
    assert_int_equal(c->told_how, TOLD_BY_DIRECTORY);
    world_free(&w);
}

/* Another log is followed in its place, then it again: what is written to it is told. */
static void test_follows_anew_untold(void **state)
{
    (void)state;
    start();
    world_await(&w, expected);
    write_steadily(20000, true);
    set_driver("local");
    assert_false(is_steady());
    set_driver("json-file");
    container_look(source()->containers); /* as each second */
    world_settle(&w);
    put_line();
    world_await(&w, expected);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_is_not_told_of), cmocka_unit_test(test_so_where_nothing_waits),
        cmocka_unit_test(test_only_what_is_steady),          cmocka_unit_test(test_rotates_untold),
        cmocka_unit_test(test_tells_of_it_while_closed),     cmocka_unit_test(test_rests_without_room),
        cmocka_unit_test(test_follows_anew_untold),          cmocka_unit_test(test_is_told_by_file),
        cmocka_unit_test(test_rests_by_directory),           cmocka_unit_test(test_forgets_the_file),
        cmocka_unit_test(test_metadata_changes_untold),      cmocka_unit_test(test_stays_untold),
        cmocka_unit_test(test_gives_watches_to_directories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
