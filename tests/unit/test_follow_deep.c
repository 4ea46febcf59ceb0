/* Directories below `**`: what they cost, and how deep it goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "source/files/dir.h"
#include "world.h"

#define DEEPEST 64

static size_t resolved;

/* In place of the C library's: counts the paths that are looked up name by name. */
char *realpath(const char *restrict name, char *restrict out)
{
    (void)out; /* NULL */
    resolved++;
    return canonicalize_file_name(name);
}

/* Follows logs/, with all below it. */
static void deep_world(struct world *w)
{
    world_new_plain(w);
    free(w->cfg->files_include.items[0]);
    assert_true(asprintf(&w->cfg->files_include.items[0], "%s/logs/**/*.log", w->dir) > 0);
    w->cfg->rescan = 1; /* at each look */
    assert_int_equal(mkdir(world_path(w, "logs"), 0755), 0);
}

/* The directory of that level. */
static const char *level(size_t n)
{
    static char path[1024];
    strcpy(path, "logs");
    for (size_t i = 0; i < n; i++) {
        strcat(path, "/a");
    }
    return path;
}

static void make_levels(struct world *w, size_t from, size_t to)
{
    for (size_t i = from; i <= to; i++) {
        assert_int_equal(mkdir(world_path(w, level(i)), 0755), 0);
    }
}

static void write_at(struct world *w, size_t n, const char *text)
{
    char name[1100];
    snprintf(name, sizeof(name), "%s/x.log", level(n));
    world_write(w, name, text);
}

static size_t dirs_of(const struct world *w)
{
    return HASH_COUNT(((const struct files *)w->source)->dirs);
}

/* At all directories. */
static void look_twice(struct world *w)
{
    const struct files *src = (const struct files *)w->source;
    for (int looks = 0; looks < 2; looks++) {
        int64_t before = src->looked_ns;
        for (int i = 0; i < 1000 && src->looked_ns == before; i++) {
            world_run(w, 20);
        }
    }
}

/* Paths that a start and a look at all directories resolve, where there are so many. */
static size_t cost_of(size_t levels)
{
    struct world w;
    deep_world(&w);
    make_levels(&w, 1, levels);
    resolved = 0;
    world_start(&w);
    assert_int_equal(dirs_of(&w), 1 + levels);
    size_t cost = resolved;
    look_twice(&w);
    assert_in_range(resolved - cost, 1, 50); /* the base's, at each of the looks in that time */
    world_free(&w);
    return cost;
}

static void test_depth_costs_nothing(void **state)
{
    (void)state;
    size_t one = cost_of(1);
    assert_true(one > 0);
    assert_int_equal(cost_of(50), one);
}

/* It is read down to the deepest level; what lies below is said and counted once, also where it is met again. */
static void test_deepest(void **state)
{
    (void)state;
    struct world w;
    deep_world(&w);
    make_levels(&w, 1, DEEPEST);
    write_at(&w, DEEPEST, "1\n");
    uint64_t before = metrics.read_errors;
    world_start(&w);
    world_await(&w, "1\n");
    assert_int_equal(metrics.read_errors, before);
    make_levels(&w, DEEPEST + 1, DEEPEST + 20);
    write_at(&w, DEEPEST + 1, "too deep\n");
    world_write(&w, "logs/x.log", "2\n");
    world_await(&w, "1\n2\n");
    for (int i = 0; i < 1000 && metrics.read_errors == before; i++) {
        world_run(&w, 20);
    }
    look_twice(&w);
    write_at(&w, DEEPEST, "3\n");
    world_await(&w, "1\n2\n3\n");
    assert_int_equal(metrics.read_errors, before + 1);
    assert_true(((struct files *)w.source)->too_deep_logged);
    assert_int_equal(dirs_of(&w), 1 + DEEPEST);
    world_free(&w);
}

/* A directory on the way that became a link is none of those that ** means, nor is what lies behind it. */
static void test_parent_becomes_a_link(void **state)
{
    (void)state;
    struct world w;
    deep_world(&w);
    make_levels(&w, 1, 5);
    write_at(&w, 5, "1\n");
    assert_int_equal(mkdir(world_path(&w, "elsewhere"), 0700), 0);
    world_start(&w);
    world_await(&w, "1\n");
    world_rename(&w, "logs/a/a", "elsewhere/a");
    assert_int_equal(symlink("../../elsewhere/a", world_path(&w, "logs/a/a")), 0);
    look_twice(&w);
    world_write(&w, "elsewhere/a/a/a/new.log", "secret\n");
    assert_int_equal(mkdir(world_path(&w, "elsewhere/a/a/b"), 0755), 0);
    world_write(&w, "elsewhere/a/a/b/new.log", "secret\n");
    look_twice(&w);
    assert_int_equal(dirs_of(&w), 1 + 1);
    world_expect(&w, "1\n");
    assert_int_equal(unlink(world_path(&w, "logs/a/a")), 0);
    world_rename(&w, "elsewhere/a", "logs/a/a");
    write_at(&w, 5, "2\n");
    for (int i = 0; i < 1000 && dirs_of(&w) < 1 + 5 + 1; i++) {
        world_run(&w, 20);
    }
    assert_int_equal(dirs_of(&w), 1 + 5 + 1);
    world_free(&w);
}

/* Below a base that is a link itself. */
static void test_linked_base(void **state)
{
    (void)state;
    struct world w;
    deep_world(&w);
    make_levels(&w, 1, 5);
    write_at(&w, 5, "1\n");
    world_rename(&w, "logs", "real");
    assert_int_equal(symlink("real", world_path(&w, "logs")), 0);
    world_start(&w);
    world_await(&w, "1\n");
    write_at(&w, 5, "2\n");
    world_await(&w, "1\n2\n");
    const struct dir *deepest;
    const char *path = world_path(&w, level(5));
    HASH_FIND_STR(((struct files *)w.source)->dirs, path, deepest);
    assert_non_null(deepest);
    char *real = canonicalize_file_name(path);
    assert_string_equal(deepest->real, real);
    free(real);
    /* Turned to another directory, which has the same names. */
    assert_int_equal(mkdir(world_path(&w, "other"), 0755), 0);
    assert_int_equal(unlink(world_path(&w, "logs")), 0);
    assert_int_equal(symlink("other", world_path(&w, "logs")), 0);
    make_levels(&w, 1, 5);
    write_at(&w, 5, "3\n");
    world_await(&w, "1\n2\n3\n");
    path = world_path(&w, level(5));
    HASH_FIND_STR(((struct files *)w.source)->dirs, path, deepest);
    assert_non_null(deepest);
    real = canonicalize_file_name(path);
    assert_string_equal(deepest->real, real);
    free(real);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth_costs_nothing),
        cmocka_unit_test(test_deepest),
        cmocka_unit_test(test_parent_becomes_a_link),
        cmocka_unit_test(test_linked_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
