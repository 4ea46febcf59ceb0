/* What `sidetail tail` is made of: times, filter, merging. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/regexp.h"
#include "tail/filter.h"
#include "tail/merge.h"
#include "tail/options.h"
#include "tail/time.h"
#include "under_valgrind.h"

#define NOW (INT64_C(1764000000) * NS_PER_S) /* 2025-11-24T16:00:00Z */

static int64_t at(const char *text)
{
    int64_t ns = -1;
    struct error err;
    return tail_time(text, NOW, "--since", &ns, &err) == 0 ? ns : -1;
}

static void test_times(void **state)
{
    (void)state;
    setenv("TZ", "UTC-2", 1); /* two hours east */
    tzset();
    assert_int_equal(at("10m"), NOW - 600 * NS_PER_S);
    assert_int_equal(at("1h30m"), NOW - 5400 * NS_PER_S);
    assert_int_equal(at("2d"), NOW - 172800 * NS_PER_S);
    assert_int_equal(at("250ms"), NOW - 250 * NS_PER_MS);
    assert_int_equal(at("1764000000"), NOW);
    assert_int_equal(at("1764000000.25"), NOW + 250 * NS_PER_MS);
    assert_int_equal(at("2025-11-24T16:00:00Z"), NOW);
    assert_int_equal(at("2025-11-24T17:00:00+01:00"), NOW);
    assert_int_equal(at("2025-11-24T18:00:00"), NOW);
    assert_int_equal(at("2025-11-24 18:00"), NOW);
    assert_int_equal(at("18:00"), NOW);
    assert_int_equal(at("2025-11-24"), NOW - 18 * 3600 * NS_PER_S);
    const char *const wrong[] = {
        "", "10", "m", "10x", "1h30", "-5m", "2025-13-01", "yesterday", "99999999999999999999d", "25:00"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(at(wrong[i]), -1);
    }
}

static struct error fault;

static struct tail_options parse(int count, const char **arguments)
{
    struct tail_options o;
    char *argv[16] = {"tail"};
    for (int i = 0; i < count; i++) {
        argv[i + 1] = (char *)arguments[i];
    }
    int result = tail_options_parse(count + 1, argv, &o, &fault);
    o.help = result < 0; /* no test asks for help */
    return o;
}

#define PARSE(...)                                                                                           \
    parse(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static void test_options(void **state)
{
    (void)state;
    struct tail_options o =
        PARSE("web", "-n", "100", "-tutc", "--level", "warning", "api*", "--stream=stderr", "-F");
    assert_false(o.help);
    assert_int_equal(o.names.count, 2);
    assert_string_equal(o.names.items[1], "api*");
    assert_int_equal(o.lines, 100);
    assert_int_equal(o.times, PRETTY_TIMES_UTC);
    assert_int_equal(o.level, SEVERITY_WARN);
    assert_int_equal(o.stream, STREAM_STDERR);
    assert_true(o.no_follow);
    tail_options_free(&o);
    o = PARSE("-t=relative");
    assert_int_equal(o.times, PRETTY_TIMES_RELATIVE);
    tail_options_free(&o);
    o = PARSE("-t", "--no-color");
    assert_int_equal(o.times, PRETTY_TIMES_LOCAL);
    assert_int_equal(o.color, COLOR_NEVER);
    assert_int_equal(o.lines, -1);
    assert_int_equal(o.stream, -1);
    tail_options_free(&o);
    assert_true(PARSE("--level", "loud").help);
    assert_non_null(strstr(fault.text, "--level: found \"loud\"") ? fault.text : strstr(fault.text, "loud"));
    assert_true(PARSE("-n", "-1").help);
    assert_true(PARSE("-n", "10x").help);
    assert_true(PARSE("--stream", "stdin").help);
    assert_true(PARSE("--timestamps=gmt").help);
    assert_true(PARSE("-t=").help);
    assert_true(PARSE("--since", "1m", "--until", "2m").help);
    assert_true(PARSE("--nonsense").help);
    assert_non_null(strstr(fault.text, "--nonsense"));
}

static const struct config cfg = {.host = "h", .service = ""};

static struct tags *tags_of(const char *name, const char *labels_text, struct identity *who)
{
    *who = (struct identity){.id = "909cac8e12615d0ea0b6d1a5b5a9a1f5d0c4e4f1b9e1a2b3c4d5e6f708192a3b",
                             .name = name};
    who->labels = json_loads(labels_text, 0, NULL);
    assert_non_null(who->labels);
    return tags_new(who, &cfg);
}

static bool shows(struct tail_options o, bool running)
{
    struct identity who;
    struct tags *tags =
        tags_of("/shop-web-1",
                "{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\","
                "\"tier\":\"front\"}",
                &who);
    struct tail_filter *f = tail_filter_new(&o, &fault);
    assert_non_null(f);
    bool shown = tail_filter_container(f, &cfg, tags, &who, running);
    tail_filter_free(f);
    tags_unref(tags);
    json_decref((json_t *)who.labels);
    tail_options_free(&o);
    return shown;
}

static void test_containers(void **state)
{
    (void)state;
    assert_true(shows(PARSE("-r"), true));
    assert_false(shows(PARSE("-r"), false));
    assert_true(shows(PARSE("--all"), false));
    assert_true(shows(PARSE("web"), false));
    assert_true(shows(PARSE("w*"), true));
    assert_true(shows(PARSE("shop-web-1"), true));
    assert_true(shows(PARSE("web-1"), true));
    assert_true(shows(PARSE("909cac"), true));
    assert_false(shows(PARSE("909"), true));
    assert_false(shows(PARSE("api"), true));
    assert_true(shows(PARSE("api", "web"), true));
    assert_true(shows(PARSE("-p", "shop"), true));
    assert_false(shows(PARSE("-p", "other"), true));
    assert_true(shows(PARSE("-l", "tier=front", "-l", "tier"), true));
    assert_false(shows(PARSE("-l", "tier=front", "-l", "tier=back"), true));
    assert_false(shows(PARSE("web", "-p", "other"), true));
}

/* A time of the day means the last one, also before it has come. */
static void test_since_is_past(void **state)
{
    (void)state;
    time_t soon = time(NULL) + 3600;
    struct tm tm;
    char text[16];
    strftime(text, sizeof(text), "%H:%M", localtime_r(&soon, &tm));
    struct tail_options o = PARSE("-s", text);
    int64_t ago = clock_now() - o.since_ns;
    assert_true(ago >= 0 && ago <= 25 * 3600 * NS_PER_S);
    tail_options_free(&o);
}

/* What is left out of collecting is shown to who asks for it by name. */
static void test_left_out_of_collecting(void **state)
{
    (void)state;
    struct identity who;
    struct tags *tags = tags_of("/proxy", "{\"sidetail.enable\":\"false\"}", &who);
    struct tail_options all = PARSE("--all"), named = PARSE("proxy");
    struct tail_filter *f = tail_filter_new(&all, &fault);
    assert_false(tail_filter_container(f, &cfg, tags, &who, true));
    tail_filter_free(f);
    f = tail_filter_new(&named, &fault);
    assert_true(tail_filter_container(f, &cfg, tags, &who, true));
    tail_filter_free(f);
    tail_options_free(&all);
    tail_options_free(&named);
    tags_unref(tags);
    json_decref((json_t *)who.labels);
}

/* Which names were found, and only among those of the project. */
static void test_names_found(void **state)
{
    (void)state;
    struct tail_options o = PARSE("-p", "shop", "nobody", "web", "w*");
    struct tags web = {.service = "web", .container = "shop-web-1", .project = "shop"}, other = web;
    struct identity who = {0};
    struct tail_filter *f = tail_filter_new(&o, &fault);
    assert_non_null(f);
    other.project = "other";
    assert_false(tail_filter_container(f, &cfg, &other, &who, true));
    assert_false(tail_filter_found(f, 1) || tail_filter_any(f));
    assert_true(tail_filter_container(f, &cfg, &web, &who, true));
    assert_false(tail_filter_found(f, 0));
    assert_true(tail_filter_found(f, 1) && tail_filter_found(f, 2) && tail_filter_any(f));
    tail_filter_free(f);
    tail_options_free(&o);
}

static void check_lines(struct tail_options o, const char *const *lines, const char *want)
{
    struct tail_filter *f = tail_filter_new(&o, &fault);
    struct tail_filter_state filter[STREAM_COUNT] = {{0}};
    assert_non_null(f);
    for (size_t i = 0; lines[i]; i++) {
        enum stream stream = lines[i][0] == '!' ? STREAM_STDERR : STREAM_STDOUT;
        bool shown = tail_filter_line(f, &filter[stream], stream, SEVERITY_NONE, slice_str(lines[i] + 1));
        assert_int_equal(shown, want[i] == '1');
    }
    tail_filter_free(f);
    tail_options_free(&o);
}

static void test_lines(void **state)
{
    (void)state;
    const char *const lines[] = {"|INFO begins",
                                 "!ERROR broke",
                                 "! at x.c:1",
                                 "|plain",
                                 "| indented",
                                 "|{\"level\":\"warn\",\"msg\":\"slow\"}",
                                 "|\x1b[31mWARN\x1b[0m red",
                                 "!\xff WARN bytes",
                                 "|of a terminal\r",
                                 NULL};
    check_lines(PARSE("-r"), lines, "111111111");
    check_lines(PARSE("-L", "warn"), lines, "011001110");
    check_lines(PARSE("-L", "error"), lines, "011000000");
    check_lines(PARSE("-S", "stderr"), lines, "011000010");
    check_lines(PARSE("-g", "WARN red$"), lines, "000000100");
    check_lines(PARSE("-g", "broke", "-g", "plain"), lines, "010100000");
    check_lines(PARSE("-x", "(?i)warn"), lines, "111110001");
    check_lines(PARSE("-g", "e", "-x", "broke"), lines, "100011111");
    check_lines(PARSE("-g", "terminal$"), lines, "000000001");
    struct tail_options o = PARSE("-g", "(");
    assert_null(tail_filter_new(&o, &fault));
    assert_non_null(strstr(fault.text, "--grep"));
    tail_options_free(&o);
}

static void put(struct lane *lane, int64_t ns, const char *text)
{
    assert_int_equal(lane_put(lane, &(struct tail_line){.time_ns = ns, .text = slice_str(text)}), 0);
}

static void check_next(struct merge *m, void *owner, const char *text)
{
    struct tail_line line;
    assert_ptr_equal(merge_next(m, &line), owner);
    if (owner) {
        assert_int_equal(line.text.len, strlen(text));
        assert_memory_equal(line.text.ptr, text, line.text.len);
    }
}

static void test_merge(void **state)
{
    (void)state;
    struct merge *m = merge_new();
    char a_owner, b_owner;
    merge_hold(m, true);
    struct lane *a = lane_open(m, &a_owner), *b = lane_open(m, &b_owner);
    put(a, 10, "a10");
    put(a, 30, "a30");
    put(b, 20, "b20");
    check_next(m, NULL, NULL);
    merge_hold(m, false);
    check_next(m, &a_owner, "a10");
    check_next(m, &b_owner, "b20");
    check_next(m, NULL, NULL); /* b may still have something before 30 */
    assert_false(lane_passes(b, 1));
    put(b, 25, "b25");
    check_next(m, &b_owner, "b25");
    lane_present(b);
    check_next(m, &a_owner, "a30");
    assert_true(lane_passes(a, 1)); /* only itself is waited for */
    assert_false(lane_passes(b, 1));
    lane_present(a);
    assert_true(lane_passes(b, 1));
    put(b, 50, "b50");
    put(a, 50, "a50");
    assert_false(lane_passes(a, 1));
    check_next(m, &a_owner, "a50"); /* of equal times the lane opened first */
    lane_close(b);
    check_next(m, NULL, NULL);
    assert_true(merge_empty(m));
    merge_free(m);
}

/* Any number of lanes with ascending times: what leaves ascends, and all of it leaves. */
static void test_merge_many(void **state)
{
    (void)state;
    struct merge *m = merge_new();
    struct lane *lanes[40];
    int64_t times[40] = {0}, last = 0;
    unsigned seed = 7, in = 0, out = 0;
    struct tail_line line;
    for (int i = 0; i < 40; i++) {
        lanes[i] = lane_open(m, &lanes[i]);
    }
    for (int round = 0; round < 20000; round++) {
        int i = (int)((seed = seed * 1103515245u + 12345u) >> 16) % 40;
        if (!lane_full(lanes[i], times[i])) {
            put(lanes[i], times[i] += 1 + (seed >> 8) % 50, "text");
            in++;
        }
        while (round % 3 == 0 && merge_next(m, &line)) {
            assert_true(line.time_ns >= last);
            last = line.time_ns;
            out++;
        }
    }
    for (int i = 0; i < 40; i++) {
        lane_present(lanes[i]);
    }
    while (merge_next(m, &line)) {
        assert_true(line.time_ns >= last);
        last = line.time_ns;
        out++;
    }
    assert_int_equal(in, out);
    merge_free(m);
}

static void test_bounds(void **state)
{
    (void)state;
    struct merge *m = merge_new();
    struct lane *lane = lane_open(m, m);
    size_t bytes = 0;
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    for (; !lane_full(lane, 1); bytes += 1000) {
        put(lane, 1, text);
    }
    assert_true(bytes <= MERGE_LANE_MAX && bytes > MERGE_LANE_MAX / 2);
    assert_false(lane_low(lane));
    struct tail_line line;
    for (int i = 0; i < 200; i++) {
        assert_non_null(merge_next(m, &line));
    }
    assert_true(lane_low(lane));
    merge_free(m);
}

/* A level that the line came with wins over what its text says. */
static void test_levels_of_lines(void **state)
{
    (void)state;
    struct tail_options o = PARSE("-L", "warn");
    struct tail_filter *f = tail_filter_new(&o, &fault);
    struct tail_filter_state filter = {0};
    assert_true(tail_filter_line(f, &filter, STREAM_STDOUT, SEVERITY_ERROR, SLICE("no word of it")));
    assert_false(tail_filter_line(f, &filter, STREAM_STDOUT, SEVERITY_INFO, SLICE("level=error")));
    assert_true(tail_filter_line(f, &filter, STREAM_STDOUT, SEVERITY_NONE, SLICE("level=error")));
    assert_true(tail_filter_line(f, &filter, STREAM_STDOUT, SEVERITY_NONE, SLICE("  at its line")));
    tail_filter_free(f);
    tail_options_free(&o);
}

/* However many containers there are, and however little each has written. */
static void test_bounds_of_all(void **state)
{
    (void)state;
    enum { COUNT = 60000 };
    struct merge *m = merge_new();
    struct lane **lanes = calloc(COUNT, sizeof(struct lane *)), *past = lane_open(m, m);
    size_t count = 0;
    while (count < COUNT && !merge_full(m, 100)) {
        lanes[count] = lane_open(m, &lanes[count]);
        lane_present(lanes[count]);
        put(lanes[count++], 100, "a short line");
    }
    assert_in_range(count * MERGE_LANE_COST, MERGE_QUEUED_MAX / 2, MERGE_QUEUED_MAX);
    assert_true(lane_full(lanes[0], 100));
    assert_false(lane_full(past, 100)); /* for this all wait */
    assert_false(lane_full(lanes[0], 99));
    put(past, 99, "what was waited for");
    assert_true(lane_full(past, 100));
    lane_present(past);
    struct tail_line line;
    for (size_t i = 0; i < count; i++) { /* until half has gone, with the lanes */
        struct lane **of = merge_next(m, &line);
        if (of != (void *)m) {
            lane_close(*of);
        }
        if (!merge_full(m, 100)) {
            assert_in_range(i, count / 2 - 60, count / 2 + 60);
            assert_true(lane_low(lanes[count - 1]));
            break;
        }
        assert_false(lane_low(lanes[count - 1]));
    }
    assert_false(merge_full(m, 100));
    merge_free(m);
    free(lanes);
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),         cmocka_unit_test(test_options),
        cmocka_unit_test(test_containers),    cmocka_unit_test(test_lines),
        cmocka_unit_test(test_merge),         cmocka_unit_test(test_merge_many),
        cmocka_unit_test(test_bounds_of_all), cmocka_unit_test(test_levels_of_lines),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_left_out_of_collecting),
        cmocka_unit_test(test_names_found),   cmocka_unit_test(test_since_is_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
