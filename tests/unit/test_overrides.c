/* Overrides: which fit a container, what they make of the configuration, and feeds that share their rules. */
#include "config_fixture.h"

#include "base/loop.h"
#include "base/metrics.h"
#include "base/regexp.h"
#include "pipeline/pipeline.h"
#include "pipeline/shaper.h"
#include "record/tags.h"
#include "under_valgrind.h"

#define MATCH(kind, glob) "\"match\":{\"" kind "\":[\"" glob "\"]}"

static struct config *load(const char *text)
{
    struct error err = {0};
    struct config *cfg = load_text(text, &err);
    if (!cfg) {
        fail_msg("%s", err.text);
    }
    return cfg;
}

static struct tags *tags_for(const struct config *cfg, const char *service, const char *container,
                             const char *label)
{
    json_t *labels = label ? json_pack("{s:s}", label, "yes") : NULL;
    struct identity who = {.service = service, .name = container, .labels = labels};
    struct tags *tags = tags_new(&who, cfg);
    json_decref(labels);
    assert_non_null(tags);
    return tags;
}

static void fit(const struct config *cfg, const char *service, const char *container, const char *label,
                uint64_t want)
{
    struct tags *tags = tags_for(cfg, service, container, label);
    assert_int_equal(tags_chosen(tags)->overrides, want);
    tags_unref(tags);
}

/* Each kind that has globs must fit, one glob of it. */
static void test_match(void **state)
{
    (void)state;
    struct config *cfg =
        load("{\"overrides\":["
             "{\"match\":{\"services\":[\"web-*\",\"api\"]},\"set\":{\"drop\":[\"x\"]}},"
             "{\"match\":{\"services\":[\"*\"],\"labels\":[\"a=y*\"]},\"set\":{\"drop\":[]}},"
             "{\"match\":{\"containers\":[\"one\"],\"labels\":[\"b\"]},\"set\":{\"drop\":[]}}]}");
    fit(cfg, "api", NULL, NULL, 1);
    fit(cfg, "web-1", "one", "a", 3);
    fit(cfg, "db", "one", "a", 2);
    fit(cfg, "db", "one", "b", 4);
    fit(cfg, "db", "two", "b", 0);
    fit(cfg, "db", NULL, "b", 0);
    config_free(cfg);
}

/* Tags stay what they are when the configuration goes, and tell whether lines go another way. */
static void test_tags(void **state)
{
    (void)state;
    struct config *cfg = load(
        "{\"overrides\":["
        "{" MATCH("services", "*") ",\"set\":{\"kafka\":{\"topic\":\"a\"},\"format\":\"raw\"}},"
                                   "{" MATCH("labels", "b") ",\"set\":{\"kafka\":{\"topic\":\"b\"}}},"
                                                            "{" MATCH("labels",
                                                                      "c") ",\"set\":{\"drop\":[\"x\"]}}]}");
    struct config *other =
        load("{\"overrides\":[{" MATCH("services", "*") ",\"set\":{\"format\":\"logfmt\"}}]}");
    struct config *none = load("{}");
    struct tags *a = tags_for(cfg, "web", NULL, NULL), *b = tags_for(cfg, "web", NULL, "b");
    struct tags *c = tags_for(cfg, "web", NULL, "c"), *again = tags_for(cfg, "web", NULL, NULL);
    struct tags *logfmt = tags_for(other, "web", NULL, NULL), *plain = tags_for(none, "web", NULL, NULL);
    config_free(cfg);
    config_free(other);
    config_free(none);
    assert_string_equal(tags_chosen(a)->topic, "a");
    assert_int_equal(tags_chosen(a)->format, FORMAT_RAW);
    assert_string_equal(tags_chosen(b)->topic, "b");
    assert_int_equal(tags_chosen(b)->format, FORMAT_RAW);
    assert_null(tags_chosen(plain)->topic);
    assert_int_equal(tags_chosen(plain)->format, -1);
    assert_true(tags_same(a, again));
    assert_false(tags_same(a, b) || tags_same(a, c) || tags_same(a, logfmt) || tags_same(logfmt, plain));
    struct tags *all[] = {a, b, c, again, logfmt, plain};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tags_unref(all[i]);
    }
}

/* A rule begins without the patterns of the one that it replaces, and a limit without the burst. */
static void test_in_force(void **state)
{
    (void)state;
    struct config *cfg =
        load("{\"multiline\":{\"rule\":\"regex\",\"first\":\"^a\",\"wait\":\"5s\"},\"rate_limit\":5,\"rate_"
             "burst\":50,"
             "\"drop\":[\"a\",\"b\"],\"line_max\":\"32KiB\",\"overrides\":["
             "{" MATCH("services", "a") ",\"set\":{\"multiline\":{\"rule\":\"java\"},\"rate_limit\":7}},"
                                        "{" MATCH("services",
                                                  "a") ",\"set\":{\"multiline\":{\"next\":\"^ "
                                                       "\"},\"drop\":[\"c\"],\"detect_level\":true}}]}");
    struct config *first = config_overridden(cfg, 1, NULL),
                  *second = config_overridden(cfg, 2 | 1 << 9, NULL);
    struct config *both = config_overridden(cfg, 3, NULL), *none = config_overridden(cfg, 0, NULL);
    assert_string_equal(first->multiline_rule, "java");
    assert_string_equal(first->multiline_first, "");
    assert_int_equal(first->multiline_wait, 5 * NS_PER_S);
    assert_int_equal(first->rate_limit, 7);
    assert_int_equal(first->rate_burst, 0);
    assert_int_equal(first->drop.count, 2);
    assert_int_equal(first->line_max, 32768);
    assert_int_equal(first->override_count, 0);
    assert_string_equal(second->multiline_rule, "regex");
    assert_string_equal(second->multiline_first, "^a");
    assert_string_equal(second->multiline_next, "^ ");
    assert_int_equal(second->rate_burst, 50);
    assert_int_equal(second->drop.count, 1);
    assert_true(second->detect_level);
    assert_string_equal(both->multiline_rule, "java");
    assert_string_equal(both->multiline_next, "^ ");
    assert_string_equal(none->multiline_first, "^a");
    config_free(first);
    config_free(second);
    config_free(both);
    config_free(none);
    config_free(cfg);
}

/* -- in the pipeline --------------------------------------------------------------------------- */

static struct {
    struct event_base *base;
    struct checkpoint *checkpoint;
    struct pipeline *pipeline;
    struct sink sink;
    struct buf out;
    unsigned released;
} p;

static void submit(struct sink *sink, struct batch *batch)
{
    (void)sink;
    assert_int_equal(buf_add(&p.out, batch->out.data, batch->out.len), 0);
    struct sink_events events = pipeline_sink_events(p.pipeline);
    events.acked(events.arg, batch);
}

static const struct sink_ops sink_ops = {.name = "test", .owns_positions = true, .submit = submit};

static void on_released(void *arg, enum stream stream)
{
    (void)arg, (void)stream;
    p.released++;
}

static void begin(const struct config *cfg)
{
    struct error err = {0};
    memset(&p, 0, sizeof(p));
    memset(&metrics, 0, sizeof(metrics));
    p.base = loop_new();
    p.checkpoint = checkpoint_new();
    p.pipeline = pipeline_new(p.base, cfg, p.checkpoint, &err);
    if (!p.pipeline) {
        fail_msg("%s", err.text);
    }
    p.sink.ops = &sink_ops;
    pipeline_set_sink(p.pipeline, &p.sink);
}

static void end(void)
{
    pipeline_free(p.pipeline);
    checkpoint_free(p.checkpoint);
    event_base_free(p.base);
    buf_free(&p.out);
}

static struct feed *open_feed(struct tags *tags)
{
    struct feed *feed = feed_open(p.pipeline, "key", tags, (struct feed_calls){.released = on_released});
    tags_unref(tags);
    return feed;
}

static void put(struct feed *feed, const char *text)
{
    struct record rec = {.text = slice_str(text), .time = SLICE("2026-11-24T05:00:00Z")};
    feed_put(feed, &rec);
    feed_mark(feed, &(struct position){0});
}

static void came(const char *want)
{
    assert_int_equal(buf_add(&p.out, "", 1), 0);
    assert_string_equal(p.out.data, want);
    p.out.len = 0;
}

#define BASE "\"format\":\"raw\",\"batch\":{\"lines\":1},"

/* What is held goes on by the rules that held it; the source hears of it. */
static void test_other_tags(void **state)
{
    (void)state;
    struct config *cfg = load("{" BASE "\"overrides\":[{" MATCH(
        "labels", "a") ",\"set\":{\"multiline\":{\"rule\":\"java\"},"
                       "\"redact\":[\"x\"]}},{" MATCH(
                           "labels", "b") ",\"set\":{\"drop\":[\"x\"],\"format\":\"json\"}}]}");
    begin(cfg);
    struct feed *feed = open_feed(tags_for(cfg, "web", NULL, "a"));
    struct tags *b = tags_for(cfg, "web", NULL, "b"), *none = tags_for(cfg, "web", NULL, NULL);
    put(feed, "java.io.IOException: x");
    came("");
    feed_retag(feed, b);
    feed_mark(feed, &(struct position){0});
    came("java.io.IOE[redacted]ception: [redacted]\n");
    assert_int_equal(p.released, 1);
    put(feed, "x");
    put(feed, "y");
    assert_non_null(memmem(p.out.data, p.out.len, "\"log\":\"y\"", 9));
    assert_null(memmem(p.out.data, p.out.len, "\"log\":\"x\"", 9));
    p.out.len = 0;
    feed_retag(feed, none);
    put(feed, "x");
    came("x\n");
    assert_int_equal(p.released, 1);
    tags_unref(b);
    tags_unref(none);
    feed_close(feed);
    end();
    config_free(cfg);
}

/* The feeds of all rules together hold no more than an eighth of memory_max, and what they hold is counted. */
static void test_what_is_held(void **state)
{
    (void)state;
    struct config *cfg = load(
        "{" BASE "\"memory_max\":\"8MiB\",\"multiline\":{\"rule\":\"regex\",\"next\":\"a\"},\"overrides\":["
        "{" MATCH("labels", "a") ",\"set\":{\"rate_limit\":1000000}},"
                                 "{" MATCH("labels", "b") ",\"set\":{\"detect_level\":true}}]}");
    const char *const labels[] = {NULL, "a", "b"};
    struct feed *feeds[12];
    begin(cfg);
    char *line = malloc(300001);
    memset(line, 'a', 300000);
    line[300000] = '\0';
    for (size_t i = 0; i < 12; i++) {
        feeds[i] = open_feed(tags_for(cfg, "web", NULL, labels[i % 3]));
        put(feeds[i], line);
    }
    assert_int_equal(p.out.len, 9 * 300001); /* three were held: the fourth would have gone beyond 1 MiB */
    assert_true(pipeline_memory(p.pipeline) >= 900000);
    for (size_t i = 0; i < 12; i++) {
        feed_close(feeds[i]);
    }
    size_t after = pipeline_memory(p.pipeline);
    assert_true(after < (size_t)cfg->memory_max);
    free(line);
    end();
    config_free(cfg);
}

/* A reload gives the rules of the same overrides anew, to feeds that are there too. */
static void test_reload(void **state)
{
    (void)state;
    struct error err;
    struct config *cfg =
        load("{" BASE "\"overrides\":[{" MATCH("labels", "a") ",\"set\":{\"drop\":[\"x\"]}}]}");
    struct config *fresh = load(
        "{" BASE "\"drop\":[\"z\"],\"overrides\":[{" MATCH("labels", "a") ",\"set\":{\"drop\":[\"y\"]}}]}");
    begin(cfg);
    struct feed *some = open_feed(tags_for(cfg, "web", NULL, "a")),
                *other = open_feed(tags_for(cfg, "web", NULL, NULL));
    put(some, "x");
    put(some, "y");
    put(other, "x");
    came("y\nx\n");
    assert_int_equal(pipeline_reconfigure(p.pipeline, fresh, &err), 0);
    const char *const lines[] = {"x", "y", "z"};
    for (size_t i = 0; i < 3; i++) {
        put(some, lines[i]);
        put(other, lines[i]);
    }
    came("x\nx\ny\nz\n");
    feed_close(some);
    feed_close(other);
    end();
    config_free(cfg);
    config_free(fresh);
}

/* What /status tells of the feed that was opened as that one. */
static const char *problem_of(size_t index)
{
    struct status_walk walk;
    struct status_log log;
    status_walk_logs(&walk);
    for (size_t i = 0; i <= index; i++) {
        assert_true(status_next_log(&walk, &log));
    }
    status_walk_end(&walk);
    return log.problem;
}

/* Containers that have the same labels share their rules; there is an end of different ones, and room again later. */
static void test_many_hints(void **state)
{
    (void)state;
    struct config *cfg = load("{" BASE "\"detect_level\":false}");
    struct feed *feeds[SHAPER_HINTED_MAX + 2];
    size_t count = sizeof(feeds) / sizeof(feeds[0]);
    begin(cfg);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof(text), "x%zu", i);
        json_t *labels = json_pack("{s:s}", "sidetail.drop", text);
        struct identity who = {.service = "web", .labels = labels};
        feeds[i] = open_feed(tags_new(&who, cfg));
        json_decref(labels);
        put(feeds[i], text);
    }
    came("x256\nx257\n");
    assert_null(problem_of(0));
    assert_non_null(strstr(problem_of(256), "not heeded"));
    assert_int_equal(metrics.refused_hints, 2);
    feed_close(feeds[0]);
    json_t *labels = json_pack("{s:s}", "sidetail.drop", "new");
    struct identity who = {.service = "web", .labels = labels};
    feeds[0] = open_feed(tags_new(&who, cfg));
    json_decref(labels);
    put(feeds[0], "new");
    came("");
    for (size_t i = 0; i < count; i++) {
        feed_close(feeds[i]);
    }
    end();
    config_free(cfg);
}

/* Patterns can be long, and take far more once they are compiled: the largest that a label may have, with other ends. */
static void test_large_hints(void **state)
{
    (void)state;
    struct config *cfg = load("{" BASE "\"detect_level\":false}");
    struct feed *feeds[6];
    size_t count = sizeof(feeds) / sizeof(feeds[0]);
    begin(cfg);
    for (size_t i = 0; i < count; i++) {
        json_t *labels = json_object();
        for (size_t j = 0; j < 32; j++) {
            char label[32], text[64];
            snprintf(label, sizeof(label), "sidetail.%s.%zu", j < 16 ? "drop" : "redact", j);
            snprintf(text, sizeof(text), "x%zu(?:(?:(a|\\pL)?){1,50}){1,40}", i);
            json_object_set_new(labels, label, json_string(text));
        }
        struct identity who = {.service = "web", .labels = labels};
        feeds[i] = open_feed(tags_new(&who, cfg));
        json_decref(labels);
    }
    assert_in_range(metrics.refused_hints, 1, 4);
    put(feeds[0], "x0");
    put(feeds[count - 1], "x5");
    came("x5\n");
    for (size_t i = 0; i < count; i++) {
        feed_close(feeds[i]);
    }
    end();
    config_free(cfg);
}

#define TEST(f) cmocka_unit_test_setup(f, clean_environment)

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {TEST(test_match),      TEST(test_tags),         TEST(test_in_force),
                                       TEST(test_other_tags), TEST(test_what_is_held), TEST(test_reload),
                                       TEST(test_many_hints), TEST(test_large_hints)};
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
