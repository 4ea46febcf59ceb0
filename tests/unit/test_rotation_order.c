/* The order of rotated files by what their times tell, and what is done where they do not tell it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "source/log/archive.h"
#include "source/log/listing.h"
#include "source/log/rotation_order.h"

/* A file's times, in seconds. The name is known by its pointer into what is given. */
struct made {
    const char *name;
    int64_t birth, mtime;
};
#define MOST 4

struct order_case {
    const char *what;
    struct made files[MOST];
    const char *order; /* newest first */
    bool unsure;
};

static size_t generations(const struct made files[MOST], struct generation out[MOST])
{
    size_t n = 0;
    for (; n < MOST && files[n].name; n++) {
        out[n] = (struct generation){.path = (char *)files[n].name,
                                     .ino = n + 1,
                                     .birth_ns = files[n].birth * NS_PER_S,
                                     .mtime_ns = files[n].mtime * NS_PER_S};
        assert_true(rotation_parse(files[n].name, &out[n].name));
    }
    return n;
}

static void expect(const struct order_case *c, const struct generation *list, size_t n)
{
    char order[128] = "";
    bool unsure = false;
    for (size_t i = 0; i < n; i++) {
        snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s%s", i > 0 ? " " : "",
                 list[i].path);
        unsure |= list[i].unsure;
    }
    if (strcmp(order, c->order) != 0 || unsure != c->unsure) {
        fail_msg("%s: %s%s", c->what, order, unsure ? ", unsure" : "");
    }
}

static const struct order_case cases[] = {
    {"one file", {{"a.1", 10, 20}}, "a.1", false},
    {"falling, renamed", {{"a.1", 20, 29}, {"a.2", 10, 19}, {"a.3", 5, 9}}, "a.1 a.2 a.3", false},
    {"rising, renamed", {{"a.1", 5, 9}, {"a.2", 10, 19}, {"a.3", 20, 29}}, "a.3 a.2 a.1", false},
    {"falling, copied", {{"a.1", 30, 30}, {"a.2", 20, 20}}, "a.1 a.2", false},
    {"rising, copied", {{"a.1", 20, 20}, {"a.2", 30, 30}}, "a.2 a.1", false},
    {"falling, mtimes touched", {{"a.1", 20, 29}, {"a.2", 10, 90}}, "a.1 a.2", false},
    {"rising, mtimes touched", {{"a.1", 10, 90}, {"a.2", 20, 29}}, "a.2 a.1", false},
    {"dated", {{"a-20261124", 90, 95}, {"a-20261125", 10, 19}}, "a-20261125 a-20261124", false},

    {"falling, packed with their times",
     {{"a.1", 30, 39}, {"a.2.gz", 50, 29}, {"a.3.gz", 60, 19}},
     "a.1 a.2.gz a.3.gz",
     false},
    {"rising, packed with their times",
     {{"a.1.gz", 40, 19}, {"a.2.zst", 35, 29}, {"a.3", 30, 39}},
     "a.3 a.2.zst a.1.gz",
     false},
    {"falling, packed late without its time", {{"a.1", 30, 39}, {"a.2.gz", 50, 50}}, "a.1 a.2.gz", false},
    {"falling, packed at once without times",
     {{"a.1.gz", 50, 50}, {"a.2.gz", 40, 40}, {"a.3.gz", 30, 30}},
     "a.1.gz a.2.gz a.3.gz",
     false},
    {"falling, packed anew in the order of names, but for the first",
     {{"a.1", 30, 39}, {"a.2.zst", 50, 50}, {"a.3.zst", 51, 51}, {"a.4.zst", 52, 52}},
     "a.1 a.2.zst a.3.zst a.4.zst",
     false},
    {"rising, packed at once without times",
     {{"a.1.gz", 30, 30}, {"a.2.gz", 40, 40}, {"a.3.gz", 50, 50}},
     "a.3.gz a.2.gz a.1.gz",
     true},
    {"rising, the last one not packed yet",
     {{"a.1.gz", 30, 30}, {"a.2.gz", 40, 40}, {"a.3", 41, 50}},
     "a.3 a.2.gz a.1.gz",
     false},
    {"packed without times in no order",
     {{"a.1.gz", 30, 30}, {"a.2.gz", 50, 50}, {"a.3.gz", 40, 40}},
     "a.1.gz a.2.gz a.3.gz",
     true},

    {"rising, restored with their times", {{"a.1", 91, 19}, {"a.2", 90, 29}}, "a.2 a.1", false},
    {"falling, restored with their times", {{"a.1", 90, 29}, {"a.2", 91, 19}}, "a.1 a.2", false},
    {"equal births, falling", {{"a.1", 10, 12}, {"a.2", 10, 11}}, "a.1 a.2", false},
    {"equal births, rising", {{"a.1", 10, 11}, {"a.2", 10, 12}}, "a.2 a.1", false},
    {"all times equal", {{"a.1", 10, 10}, {"a.2", 10, 10}}, "a.1 a.2", true},
    {"equal mtimes, rising", {{"a.1", 10, 20}, {"a.2", 15, 20}}, "a.2 a.1", false},
    {"rising, the clock set back",
     {{"a.1", 50, 59}, {"a.2", 60, 69}, {"a.3", 55, 56}, {"a.4", 57, 70}},
     "a.4 a.3 a.2 a.1",
     true},
    {"falling, the clock set back",
     {{"a.1", 57, 70}, {"a.2", 55, 56}, {"a.3", 60, 69}, {"a.4", 50, 59}},
     "a.1 a.2 a.3 a.4",
     true},

    {"no births, falling", {{"a.1", 0, 29}, {"a.2.gz", 0, 19}}, "a.1 a.2.gz", false},
    {"no births, rising", {{"a.1.gz", 0, 19}, {"a.2", 0, 29}}, "a.2 a.1.gz", false},
    {"no births, equal mtimes", {{"a.1", 0, 20}, {"a.2", 0, 20}}, "a.1 a.2", true},

    {"inside, rising", {{"a-1.log", 10, 19}, {"a-2.log", 20, 29}}, "a-2.log a-1.log", false},
    {"inside, falling", {{"a.1.log", 20, 29}, {"a.2.log", 10, 19}}, "a.1.log a.2.log", false},
    {"inside, rising, packed at once without times",
     {{"a-1.log.gz", 10, 10}, {"a-2.log.gz", 20, 20}},
     "a-2.log.gz a-1.log.gz",
     true},
    {"inside rising, behind falling",
     {{"a.log.1", 60, 70}, {"a.log.2", 50, 59}, {"a-1.log", 10, 19}, {"a-2.log", 20, 29}},
     "a.log.1 a.log.2 a-2.log a-1.log",
     false},
};

static void test_order_by_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct generation list[MOST];
        size_t n = generations(cases[i].files, list);
        rotation_sort(list, n);
        expect(&cases[i], list, n);
    }
}

/* -- the time that gzip names ------------------------------------------------------------------ */

static char paths[2][64];

static void write_head(unsigned which, uint32_t mtime)
{
    unsigned char head[] = {0x1f,
                            0x8b,
                            8,
                            0,
                            (unsigned char)mtime,
                            (unsigned char)(mtime >> 8),
                            (unsigned char)(mtime >> 16),
                            (unsigned char)(mtime >> 24),
                            0,
                            3};
    FILE *f = fopen(paths[which], "w");
    assert_non_null(f);
    assert_int_equal(fwrite(head, sizeof(head), 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

/* .1.gz was packed before .2.gz; both kept no time, and name these. */
static void expect_by_head(uint32_t first, uint32_t second, bool up, bool unsure)
{
    struct generation list[MOST];
    write_head(0, first);
    write_head(1, second);
    struct made files[MOST] = {{paths[0], 1000, 1000}, {paths[1], 1010, 1010}};
    rotation_sort(list, generations(files, list));
    assert_string_equal(list[0].path, paths[up]);
    assert_int_equal(list[0].unsure, unsure);
}

static void test_time_that_gzip_names(void **state)
{
    (void)state;
    char dir[] = "/tmp/sidetail-order-XXXXXX";
    assert_non_null(mkdtemp(dir));
    snprintf(paths[0], sizeof(paths[0]), "%s/a.1.gz", dir);
    snprintf(paths[1], sizeof(paths[1]), "%s/a.2.gz", dir);
    expect_by_head(500, 400, false, false);
    expect_by_head(400, 500, true, false);
    expect_by_head(500, 500, false, true);
    expect_by_head(1000, 1010, false, true); /* those of packing: Python's gzip */
    expect_by_head(0, 0, true, true);        /* none: Java's, Go's */
    assert_true(archive_named_time(paths[0]) == 0 && archive_named_time(dir) == 0);
    unlink(paths[0]);
    unlink(paths[1]);
    assert_int_equal(archive_named_time(paths[0]), 0);
    rmdir(dir);
}

/* -- where it is unsure ------------------------------------------------------------------------ */

static void expect_arranged(const struct made files[MOST], bool live, size_t at, int64_t mtime,
                            const char *order)
{
    struct generation gens[MOST];
    struct listed listed[MOST] = {0};
    size_t n = generations(files, gens);
    rotation_sort(gens, n);
    for (size_t i = 0; i < n; i++) {
        listed[i].at = gens[i];
    }
    struct listing l = {.files = listed, .count = n, .live = live};
    struct file_pos pos = {.mtime_ns = mtime * NS_PER_S};
    const char *was = listed[at].at.path;
    size_t moved = listing_arrange(&l, at, &pos);
    assert_string_equal(listed[at + moved].at.path, was);
    for (size_t i = 0; i < n; i++) {
        gens[i] = listed[i].at;
        gens[i].unsure = false;
    }
    expect(&(struct order_case){.what = order, .order = order}, gens, n);
}

/* What was made since the position was taken is read, in the order in which the numbers count then. */
static void test_made_since_a_position(void **state)
{
    (void)state;
    const struct made equal[MOST] = {{"a.1", 10, 10}, {"a.2", 10, 10}, {"a.3", 10, 10}};
    expect_arranged(equal, false, 0, 10, "a.3 a.2 a.1");
    expect_arranged(equal, false, 0, 11, "a.1 a.2 a.3");
    expect_arranged(equal, false, 1, 10, "a.1 a.3 a.2");
    expect_arranged(equal, true, 0, 10, "a.1 a.2 a.3"); /* in the log itself */
    const struct made sure[MOST] = {{"a.1", 30, 39}, {"a.2.gz", 50, 50}};
    expect_arranged(sure, false, 0, 39, "a.1 a.2.gz");
    const struct made packed[MOST] = {{"a.1.gz", 30, 30}, {"a.2.gz", 50, 50}, {"a.3.gz", 40, 40}};
    expect_arranged(packed, false, 0, 35, "a.3.gz a.2.gz a.1.gz");
    expect_arranged(packed, false, 0, 45, "a.2.gz a.1.gz a.3.gz");
    expect_arranged(packed, false, 0, 50, "a.1.gz a.2.gz a.3.gz");
    const struct made kept[MOST] = {{"a.1.gz", 50, 20}, {"a.2.gz", 60, 20}};
    expect_arranged(kept, false, 0, 19, "a.2.gz a.1.gz");
    expect_arranged(kept, false, 0, 20, "a.1.gz a.2.gz");
    const struct made unborn[MOST] = {{"a.1", 0, 20}, {"a.2", 0, 20}};
    expect_arranged(unborn, false, 0, 19, "a.2 a.1");
    expect_arranged(unborn, false, 0, 20, "a.1 a.2");
}

/* Only when they were renamed tells whether the one that was made later was copied from the other, which was truncated. */
static void test_made_later_and_written_to_before(void **state)
{
    (void)state;
    static const struct {
        struct order_case expected;
        int64_t ctimes[2];
    } renamed[] = {
        {{"falling, both renamed after the last write", {{"a.1", 10, 40}, {"a.2", 30, 31}}, "a.1 a.2", true},
         {50, 50}},
        {{"falling, written to after it was renamed, by who had it open yet",
          {{"a.1", 10, 40}, {"a.2", 30, 31}},
          "a.1 a.2",
          true},
         {40, 35}},
        {{"rising, for what was copied took longer", {{"a.1", 10, 40}, {"a.2", 30, 36}}, "a.2 a.1", false},
         {40, 37}},
        {{"rising, the newer renamed last", {{"a.1", 10, 40}, {"a.2", 30, 31}}, "a.2 a.1", false}, {40, 50}},
    };
    for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++) {
        struct generation list[MOST];
        size_t n = generations(renamed[i].expected.files, list);
        list[0].ctime_ns = renamed[i].ctimes[0] * NS_PER_S;
        list[1].ctime_ns = renamed[i].ctimes[1] * NS_PER_S;
        rotation_sort(list, n);
        expect(&renamed[i].expected, list, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_later_and_written_to_before),
        cmocka_unit_test(test_order_by_times),
        cmocka_unit_test(test_time_that_gzip_names),
        cmocka_unit_test(test_made_since_a_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
