/* Who a file is, its inode and content tell: logs that are renamed, moved and linked, running and stopped. */
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

static void start(struct world *w)
{
    world_new_plain(w);
    assert_int_equal(mkdir(world_path(w, "old"), 0755), 0);
    world_write(w, "web/a.log", "1\n2\n");
    world_start(w);
    world_settle(w);
    world_expect(w, "1\n2\n");
}

static void restart(struct world *w)
{
    world_save(w);
    world_kill(w);
    world_start(w);
    world_settle(w);
}

/* That nothing comes again, also at the next start and once more. */
static void expect_for_good(struct world *w, const char *text)
{
    world_await(w, text);
    world_run(w, 1100);
    world_settle(w);
    world_expect(w, text);
    restart(w);
    restart(w);
    world_expect(w, text);
}

static const char *const names[] = {
    "web/a.old.log", "web/a-2026-11-25T13-00-00.000.log", "web/z.log", "old/a.log", "old/a.1.log",
    "old/z.log",
};

static void test_renamed_while_running(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct world w;
        start(&w);
        world_write(&w, "web/a.log", "3\n");
        world_rename(&w, "web/a.log", names[i]);
        world_run(&w, 20);
        world_write(&w, names[i], "4\n"); /* its writer has not gone over yet */
        world_write(&w, "web/a.log", "5\n");
        world_await(&w, "1\n2\n3\n4\n5\n");
        world_run(&w, 300);
        world_write(&w, names[i], "6\n"); /* long after: from here on it is a log of its own */
        expect_for_good(&w, "1\n2\n3\n4\n5\n6\n");
        world_write(&w, names[i], "7\n");
        expect_for_good(&w, "1\n2\n3\n4\n5\n6\n7\n");
        world_free(&w);
    }
}

static void test_renamed_while_stopped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct world w;
        start(&w);
        world_save(&w);
        world_kill(&w);
        world_write(&w, "web/a.log", "3\n");
        world_rename(&w, "web/a.log", names[i]);
        world_write(&w, "web/a.log", "4\n");
        uint64_t gaps = metrics.gaps;
        world_start(&w);
        expect_for_good(&w, "1\n2\n3\n4\n");
        assert_int_equal(metrics.gaps, gaps);
        world_free(&w);
    }
}

/* Nobody has made a new one yet. */
static void test_only_the_renamed_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct world w;
        start(&w);
        world_save(&w);
        world_kill(&w);
        world_write(&w, "web/a.log", "3\n");
        world_rename(&w, "web/a.log", names[i]);
        world_start(&w);
        world_await(&w, "1\n2\n3\n");
        world_write(&w, "web/a.log", "4\n");
        expect_for_good(&w, "1\n2\n3\n4\n");
        world_free(&w);
    }
}

/* .old is replaced at each rotation. */
static void test_the_same_name_again(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_rename(&w, "web/a.log", "web/a.old.log");
    world_write(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_run(&w, 300);
    world_rename(&w, "web/a.log", "web/a.old.log");
    world_write(&w, "web/a.log", "4\n");
    expect_for_good(&w, "1\n2\n3\n4\n");
    world_rename(&w, "web/a.log", "web/a.old.log");
    world_write(&w, "web/a.log", "5\n");
    expect_for_good(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

static void test_renamed_once_more(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_rename(&w, "web/a.log", "old/a.log");
    world_write(&w, "web/a.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    world_run(&w, 300);
    world_rename(&w, "old/a.log", "old/b.log");
    world_rename(&w, "web/a.log", "old/a.log");
    world_write(&w, "web/a.log", "4\n");
    expect_for_good(&w, "1\n2\n3\n4\n");
    world_kill(&w);
    world_rename(&w, "old/b.log", "old/c.log");
    world_rename(&w, "old/a.log", "old/b.log");
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

static void test_directory_renamed(void **state)
{
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        struct world w;
        start(&w);
        if (stopped) {
            world_save(&w);
            world_kill(&w);
        }
        world_rename(&w, "web", "new");
        world_write(&w, "new/a.log", "3\n");
        if (stopped) {
            world_start(&w);
        }
        world_await(&w, "1\n2\n3\n");
        world_rename(&w, "new/a.log", "new/a.1.log");
        world_write(&w, "new/a.log", "4\n");
        expect_for_good(&w, "1\n2\n3\n4\n");
        world_write(&w, "new/a.log", "5\n");
        expect_for_good(&w, "1\n2\n3\n4\n5\n");
        world_free(&w);
    }
}

static void test_moved_over_another(void **state)
{
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        struct world w;
        start(&w);
        world_write(&w, "web/b.log", "3\n");
        world_await(&w, "1\n2\n3\n");
        if (stopped) {
            world_save(&w);
            world_kill(&w);
        }
        world_write(&w, "web/b.log", "4\n");
        world_rename(&w, "web/b.log", "web/a.log");
        if (stopped) {
            world_start(&w);
        }
        world_await(&w, "1\n2\n3\n4\n");
        world_write(&w, "web/b.log", "5\n");
        world_await(&w, "1\n2\n3\n4\n5\n");
        world_run(&w, 1300);
        world_write(&w, "web/a.log", "6\n");
        expect_for_good(&w, "1\n2\n3\n4\n5\n6\n");
        world_free(&w);
    }
}

static void test_two_names(void **state)
{
    (void)state;
    for (int hard = 0; hard < 2; hard++) {
        struct world w;
        start(&w);
        int failed = hard ? link(world_path(&w, "web/a.log"), world_path(&w, "web/latest.log"))
                          : symlink("a.log", world_path(&w, "web/latest.log"));
        assert_int_equal(failed, 0);
        world_write(&w, "web/a.log", "3\n");
        expect_for_good(&w, "1\n2\n3\n");
        world_write(&w, "web/latest.log", "4\n");
        expect_for_good(&w, "1\n2\n3\n4\n");
        world_rename(&w, "web/a.log", "web/b.log");
        world_write(&w, "web/a.log", "5\n");
        expect_for_good(&w, "1\n2\n3\n4\n5\n");
        world_free(&w);
    }
}

/* The link is turned to the next file, which may be met before. */
static void test_link_is_turned(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    assert_int_equal(symlink("a.log", world_path(&w, "web/latest.log")), 0);
    world_run(&w, 50);
    world_write(&w, "web/b.log", "3\n");
    world_await(&w, "1\n2\n3\n");
    assert_int_equal(symlink("b.log", world_path(&w, "web/next")), 0);
    world_rename(&w, "web/next", "web/latest.log");
    world_write(&w, "web/b.log", "4\n");
    world_await(&w, "1\n2\n3\n4\n");
    world_write(&w, "web/a.log", "5\n");
    expect_for_good(&w, "1\n2\n3\n4\n5\n");
    world_free(&w);
}

/* Kubernetes' /var/log/containers: links to logs that are rotated where they are. */
static void test_rotated_beside_the_links_target(void **state)
{
    (void)state;
    struct world w;
    world_new_plain(&w);
    assert_int_equal(mkdir(world_path(&w, "pods"), 0755), 0);
    assert_int_equal(mkdir(world_path(&w, "pods/x"), 0755), 0);
    world_write(&w, "pods/x/0.log", "1\n");
    assert_int_equal(symlink("../pods/x/0.log", world_path(&w, "web/a.log")), 0);
    world_start(&w);
    world_settle(&w);
    world_save(&w);
    world_kill(&w);
    world_write(&w, "pods/x/0.log", "2\n");
    world_rename(&w, "pods/x/0.log", "pods/x/0.log.20261124-050003");
    usleep(20000);
    world_write(&w, "pods/x/0.log", "3\n");
    world_rename(&w, "pods/x/0.log", "pods/x/0.log.20261124-050004");
    usleep(20000);
    world_write(&w, "pods/x/0.log", "4\n");
    world_start(&w);
    expect_for_good(&w, "1\n2\n3\n4\n");
    world_free(&w);
}

/* -- everything at random --------------------------------------------------------------------- */

#define KEPT 6

struct writer {
    struct world w;
    unsigned next, names;
    char kept[KEPT][64]; /* names of rotated files; "": none */
};

static void write_next(struct writer *wr)
{
    char line[32];
    snprintf(line, sizeof(line), "line %u\n", wr->next++);
    world_write(&wr->w, "web/a.log", line);
}

static void new_name(struct writer *wr, char name[64])
{
    static const char *const forms[] = {"web/z%u.log", "old/z%u.log", "web/a-%u.old.log", "old/a.old%u.log"};
    snprintf(name, 64, forms[rand() % 4], wr->names++);
}

static void rotate(struct writer *wr)
{
    struct stat st;
    char *kept = wr->kept[rand() % KEPT], name[64];
    if (stat(world_path(&wr->w, "web/a.log"), &st) < 0) {
        return;
    }
    if (*kept) { /* make room, or take over its name */
        new_name(wr, name);
        world_rename(&wr->w, kept, name);
        if (rand() % 2) {
            strcpy(name, kept);
        } else {
            new_name(wr, name);
        }
    } else {
        new_name(wr, name);
    }
    world_rename(&wr->w, "web/a.log", name);
    strcpy(kept, name);
}

/* What a second rotation while it is stopped leaves behind is a log of its own, and in no order with the
 * others: each line comes once all the same. */
static void expect_each_once(struct writer *wr, unsigned seed)
{
    unsigned char *seen = calloc(wr->next + 1, 1);
    assert_non_null(seen);
    assert_int_equal(buf_add(&wr->w.out, "", 1), 0);
    for (const char *p = wr->w.out.data; *p; p = strchr(p, '\n') + 1) {
        unsigned n;
        assert_int_equal(sscanf(p, "line %u\n", &n), 1);
        assert_in_range(n, 0, wr->next - 1);
        if (seen[n]++) {
            fail_msg("seed %u: line %u came twice:\n%s", seed, n, wr->w.out.data);
        }
    }
    for (unsigned n = 0; n < wr->next; n++) {
        if (!seen[n]) {
            fail_msg("seed %u: line %u is missing:\n%s", seed, n, wr->w.out.data);
        }
    }
    free(seen);
}

static void step(struct writer *wr)
{
    switch (rand() % 10) {
    case 0:
        rotate(wr);
        break;
    case 1:
        world_run(&wr->w, rand() % 4);
        break;
    case 2:
        world_run(&wr->w, rand() % 300);
        break;
    case 3:
        world_save(&wr->w);
        break;
    case 4:
        world_kill(&wr->w);
        write_next(wr);
        if (rand() % 2) {
            rotate(wr);
        }
        world_start(&wr->w);
        break;
    default:
        write_next(wr);
    }
}

static void random_run(unsigned seed)
{
    struct writer wr = {0};
    srand(seed);
    world_new_plain(&wr.w);
    assert_int_equal(mkdir(world_path(&wr.w, "old"), 0755), 0);
    world_start(&wr.w);
    write_next(&wr);
    world_settle(&wr.w);
    world_save(&wr.w);
    for (int i = 0; i < 60; i++) {
        step(&wr);
    }
    write_next(&wr);
    world_settle(&wr.w);
    world_run(&wr.w, 2200); /* two looks */
    world_settle(&wr.w);
    restart(&wr.w);
    world_run(&wr.w, 1100);
    expect_each_once(&wr, seed);
    world_free(&wr.w);
}

static void test_random_names(void **state)
{
    (void)state;
    const char *seed = getenv("FOLLOW_SEED"), *runs = getenv("FOLLOW_RUNS");
    unsigned first = seed ? (unsigned)atoi(seed) : 1;
    for (unsigned i = 0; i < (runs ? (unsigned)atoi(runs) : 3); i++) {
        random_run(first + i);
    }
}

/* Nobody holds the file while it is away, but it was read as a log that the checkpoint knows. */
static void test_moved_away_and_back(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_save(&w);
    world_kill(&w);
    world_rename(&w, "web/a.log", "away");
    world_start(&w);
    world_settle(&w);
    world_rename(&w, "away", "old/z.log");
    world_run(&w, 300);
    world_write(&w, "old/z.log", "3\n");
    expect_for_good(&w, "1\n2\n3\n");
    world_free(&w);
}

/* It is away when the log begins, which has another file by then, and comes back by another name. */
static void test_away_while_its_log_begins(void **state)
{
    (void)state;
    for (int settled = 0; settled < 2; settled++) {
        struct world w;
        start(&w);
        world_save(&w);
        world_kill(&w);
        world_rename(&w, "web/a.log", "away");
        world_write(&w, "web/a.log", "x\n");
        world_start(&w);
        if (settled) {
            world_await(&w, "1\n2\nx\n");
            world_save(&w);
        }
        world_rename(&w, "away", "old/z.log");
        world_run(&w, 1500);
        world_write(&w, "old/z.log", "3\n");
        expect_for_good(&w, "1\n2\nx\n3\n");
        world_free(&w);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renamed_while_running),
        cmocka_unit_test(test_renamed_while_stopped),
        cmocka_unit_test(test_only_the_renamed_is_there),
        cmocka_unit_test(test_the_same_name_again),
        cmocka_unit_test(test_renamed_once_more),
        cmocka_unit_test(test_moved_away_and_back),
        cmocka_unit_test(test_away_while_its_log_begins),
        cmocka_unit_test(test_directory_renamed),
        cmocka_unit_test(test_moved_over_another),
        cmocka_unit_test(test_two_names),
        cmocka_unit_test(test_link_is_turned),
        cmocka_unit_test(test_rotated_beside_the_links_target),
        cmocka_unit_test(test_random_names),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]); /* such as "test_random*" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
