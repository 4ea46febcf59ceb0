/* A machine that loses its power again and again within seconds: each time the end of a log is gone that was delivered,
 * and what is written since stands behind another tear. Each line that is still in the log in the end has come out once.
 * A random run that failed prints its seed: TEARS_SEED takes it, TEARS_RUNS how many to run from there. */
#include <ctype.h>
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
#include "world.h"

#define LOG WORLD_ID "/" WORLD_ID "-json.log"

#define BEGAN_NS INT64_C(1795496400000000000) /* 2026-11-24T05:00 */

struct story {
    struct world w;
    const char *name; /* of what is tried, for messages */
    int next;         /* number of the next entry */
    int64_t clock_ms; /* since 05:00 */
    off_t safe;       /* bytes of the log that a loss of power leaves */
};

/* -- what happens ------------------------------------------------------------------------------ */

static off_t log_size(struct story *s)
{
    struct stat st;
    assert_int_equal(stat(world_path(&s->w, LOG), &st), 0);
    return st.st_size;
}

static void write_entry(struct story *s)
{
    char time[CLOCK_TEXT_MAX], entry[200];
    clock_format(BEGAN_NS + s->clock_ms * NS_PER_MS + 1, time); /* of one length */
    snprintf(entry, sizeof(entry), "{\"log\":\"%06d\\n\",\"stream\":\"%s\",\"time\":\"%s\"}\n", s->next,
             s->next % 3 ? "stdout" : "stderr", time);
    s->next++;
    world_write(&s->w, LOG, entry);
}

static void write_entries(struct story *s, int count, int every_ms)
{
    for (int i = 0; i < count; i++) {
        s->clock_ms += every_ms;
        write_entry(s);
    }
}

static void kill_collector(struct story *s)
{
    if (s->w.base) {
        world_kill(&s->w);
    }
}

static void start_collector(struct story *s)
{
    if (!s->w.base) {
        world_start(&s->w);
    }
}

static bool ends_with_line(struct story *s)
{
    char last = '\n';
    FILE *f = fopen(world_path(&s->w, LOG), "r");
    assert_non_null(f);
    if (fseek(f, -1, SEEK_END) == 0) {
        assert_int_equal(fread(&last, 1, 1, f), 1);
    }
    fclose(f);
    return last == '\n';
}

/* All that was written is delivered, and the checkpoint says so. */
static void deliver(struct story *s)
{
    start_collector(s);
    world_settle(&s->w);
    world_save(&s->w);
}

/* Of the log `len` bytes are left, with zeros behind. */
static void lose_power(struct story *s, off_t len, off_t zeros)
{
    kill_collector(s);
    len = len > s->safe ? len : s->safe;
    assert_int_equal(truncate(world_path(&s->w, LOG), len), 0);
    assert_int_equal(truncate(world_path(&s->w, LOG), len + zeros), 0);
    s->safe = len + zeros;
}

static void begin(struct story *s, const char *name)
{
    *s = (struct story){.name = name};
    world_new_json(&s->w);
    world_container(&s->w);
}

/* -- what came out ----------------------------------------------------------------------------- */

/* The line at *p, which is moved behind it. NULL: there is none. */
static const char *take_line(const char **p, const char *end, size_t *len)
{
    const char *line = *p, *newline = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    if (!newline) {
        return NULL;
    }
    *len = (size_t)(newline - line);
    *p = newline + 1;
    return line;
}

/* The number of an entry, or of a line that came out; -1: it is none. */
static int number_of(const char *line, size_t len, const char *before, const char *behind)
{
    size_t at = strlen(before);
    if (len < at + 6 + strlen(behind) || memcmp(line, before, at) != 0 ||
        memcmp(line + at + 6, behind, strlen(behind)) != 0) {
        return -1;
    }
    for (size_t i = at; i < at + 6; i++) {
        if (!isdigit((unsigned char)line[i])) {
            return -1;
        }
    }
    return atoi(line + at);
}

/* Marks what is in the log, by its numbers. */
static void read_log(struct story *s, bool *there)
{
    char *bytes = malloc((size_t)log_size(s) + 1);
    FILE *f = fopen(world_path(&s->w, LOG), "r");
    assert_non_null(f);
    assert_non_null(bytes);
    const char *p = bytes, *end = bytes + fread(bytes, 1, (size_t)log_size(s), f), *line;
    fclose(f);
    for (size_t len; (line = take_line(&p, end, &len));) {
        int number = number_of(line, len, "{\"log\":\"", "\\n\",\"stream\":\"");
        if (number >= 0 && line[len - 1] == '}' && !memmem(line + 1, len - 1, "{\"log", 5) &&
            !memchr(line, '\0', len)) {
            there[number] = true;
        }
    }
    free(bytes);
}

static void expect_once(struct story *s)
{
    bool *there = calloc((size_t)s->next, sizeof(*there));
    assert_non_null(there);
    read_log(s, there);
    const char *p = s->w.out.data, *end = p + s->w.out.len, *line;
    int last = -1;
    for (size_t len; (line = take_line(&p, end, &len));) {
        int number = len == 6 ? number_of(line, len, "", "") : -1;
        if (number >= 0 && number <= last) {
            fail_msg("%s: line %d came behind %d", s->name, number, last);
        }
        for (int i = last + 1; i < number; i++) {
            if (there[i]) {
                fail_msg("%s: line %d is lost, before %d", s->name, i, number);
            }
        }
        last = number >= 0 ? number : last;
    }
    assert_int_equal(last, s->next - 1);
    free(there);
}

/* Two lines more, since the first may stand behind a tear, and nothing comes twice. */
static void end(struct story *s)
{
    start_collector(s);
    write_entries(s, 2, 100000);
    world_settle(&s->w);
    expect_once(s);
    world_free(&s->w);
}

/* -- told one by one --------------------------------------------------------------------------- */

#define EVERY_MS 500

/* One loss of several. */
struct loss {
    int unread;       /* entries that are written before, and that nobody reads */
    int lost;         /* entries, from the end */
    int torn, zeros;  /* bytes of the next one that are left, and zeros behind those */
    bool early;       /* the collector goes on, and ends, before anything new is written */
    int later, at_ms; /* entries that are written since and delivered, the first so much later */
};

static void lose(const char *name, const struct loss *losses, size_t count)
{
    struct story s;
    begin(&s, name);
    write_entries(&s, 100, 1000);
    off_t entry = log_size(&s) / 100;
    deliver(&s);
    for (size_t i = 0; i < count; i++) {
        const struct loss *loss = &losses[i];
        kill_collector(&s);
        write_entries(&s, loss->unread, 100);
        lose_power(&s, log_size(&s) - loss->lost * entry + loss->torn, loss->zeros);
        if (loss->early) {
            deliver(&s);
            kill_collector(&s);
        }
        s.clock_ms += loss->at_ms;
        write_entries(&s, loss->later, EVERY_MS);
        deliver(&s);
    }
    end(&s);
}

#define LOSE(...)                                                                                            \
    lose(#__VA_ARGS__, (const struct loss[]){__VA_ARGS__},                                                   \
         sizeof((const struct loss[]){__VA_ARGS__}) / sizeof(struct loss))

/* Lost is more than the KiB by which the end of a log is known again. */
static void test_two(void **state)
{
    (void)state;
    static const int torn[] = {0, 1, 40}, zeros[] = {0, 200, 20000};
    for (int i = 0; i < 18; i++) {
        struct loss losses[2] = {{.lost = 30, .torn = torn[i % 3], .zeros = zeros[i / 3 % 3], .later = 40},
                                 {.lost = 20, .torn = torn[i % 3], .later = 10}};
        char name[64];
        losses[i / 9].early = true;
        snprintf(name, sizeof(name), "torn %d, zeros %d, early %d", torn[i % 3], zeros[i / 3 % 3], i / 9);
        lose(name, losses, 2);
    }
}

static void test_three(void **state)
{
    (void)state;
    LOSE({.lost = 30, .torn = 40, .later = 30}, {.lost = 20, .torn = 40, .later = 30},
         {.lost = 20, .torn = 40, .later = 2});
    LOSE({.lost = 30, .torn = 40, .later = 30}, {.lost = 20, .torn = 40, .later = 30},
         {.lost = 30, .torn = 7, .later = 2});
    LOSE({.lost = 30, .torn = 4, .zeros = 70, .later = 25}, {.lost = 15, .zeros = 9000, .later = 20},
         {.lost = 18, .torn = 9, .later = 25}, {.lost = 20, .torn = 3, .later = 2});
}

/* Of a tear that lies behind the position nobody takes notice but who reads it. */
static void test_read_over(void **state)
{
    (void)state;
    LOSE({.unread = 3, .lost = 2, .torn = 40, .later = 40}, {.lost = 20, .torn = 40, .later = 2});
    LOSE({.unread = 3, .lost = 2, .torn = 40, .zeros = 100, .later = 40},
         {.lost = 20, .torn = 40, .later = 2});
    LOSE({.unread = 3, .lost = 2, .torn = 40, .early = true, .later = 40}, {.lost = 20, .later = 2});
    LOSE({.unread = 3, .lost = 3, .torn = 40, .later = 40}, {.lost = 20, .torn = 40, .later = 2});
}

/* All that came behind the tear is gone, and something else stands there. */
static void test_at_the_tear(void **state)
{
    (void)state;
    LOSE({.lost = 30, .torn = 40, .later = 30}, {.lost = 30, .later = 2});
    LOSE({.lost = 30, .torn = 40, .later = 30}, {.lost = 30, .torn = 20, .later = 2});
    LOSE({.lost = 30, .torn = 40, .later = 30}, {.lost = 30, .early = true, .later = 2});
    /* by a clock that is behind, as it was where the lines of before were written */
    LOSE({.lost = 30, .torn = 40, .later = 30}, {.lost = 30, .later = 4, .at_ms = -12200});
    LOSE({.lost = 30, .later = 30, .at_ms = -60000}, {.lost = 30, .later = 4, .at_ms = -12200});
    LOSE({.lost = 30, .later = 30, .at_ms = -60000}, {.lost = 20, .torn = 9, .later = 4, .at_ms = 100});
}

/* -- at random --------------------------------------------------------------------------------- */

/* Behind a tear that can be seen the clock may be behind as well, by less than what counts as set back. */
static void lose_at_random(struct story *s)
{
    off_t size = log_size(s), lost = size > s->safe ? rand() % (size - s->safe + 1) : 0;
    off_t zeros = lost > 0 && rand() % 3 == 0 ? rand() % (lost + 1) : 0;
    lose_power(s, size - lost, zeros);
    if (!ends_with_line(s) && rand() % 4 == 0) {
        s->clock_ms -= rand() % (CLOCK_SET_BACK / NS_PER_MS);
    }
}

/* The disk was full amid an entry. */
static void write_piece(struct story *s)
{
    world_write(&s->w, LOG, rand() % 2 ? "{\"log\":\"not wr" : "{\"l");
}

static void random_run(unsigned seed)
{
    struct story s;
    char name[32];
    snprintf(name, sizeof(name), "seed %u", seed);
    srand(seed);
    begin(&s, name);
    write_entries(&s, 20 + rand() % 100, 1 + rand() % 1000);
    s.safe = log_size(&s);
    deliver(&s);
    for (int step = 0; step < 60; step++) {
        switch (rand() % 8) {
        case 0:
            lose_at_random(&s);
            break;
        case 1:
            s.safe = log_size(&s); /* the kernel has written it */
            break;
        case 2:
            start_collector(&s);
            world_run(&s.w, rand() % 3);
            break;
        case 3:
            deliver(&s);
            break;
        case 4:
            if (rand() % 3 == 0) {
                kill_collector(&s);
            } else if (rand() % 4 == 0) {
                write_piece(&s);
            }
            break;
        default:
            write_entries(&s, 1 + rand() % 8, 1 + rand() % 500);
        }
    }
    end(&s);
}

static void test_random(void **state)
{
    (void)state;
    const char *seed = getenv("TEARS_SEED"), *runs = getenv("TEARS_RUNS");
    unsigned first = seed ? (unsigned)atoi(seed) : 1, count = runs ? (unsigned)atoi(runs) : 12;
    for (unsigned i = 0; i < count; i++) {
        random_run(first + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two),         cmocka_unit_test(test_three),  cmocka_unit_test(test_read_over),
        cmocka_unit_test(test_at_the_tear), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
