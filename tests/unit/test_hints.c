/* What a container's labels may set, and what not. */
#include "config_fixture.h"

#include "base/buf.h"
#include "base/regexp.h"
#include "config/hints.h"
#include "under_valgrind.h"

static struct buf refused; /* the labels, each with why */

static void on_refused(void *arg, const char *label, const char *value, const struct error *why)
{
    (void)arg, (void)value;
    buf_addf(&refused, "%s: %s|", label, why->text);
}

/* The hints of labels that are given as JSON, as text; the caller frees it. */
static char *hints_of(const struct config *cfg, const char *labels)
{
    json_t *object = json_loads(labels, 0, NULL);
    assert_non_null(object);
    refused.len = 0;
    char *hints = config_hints(cfg, 0, object, (struct hint_refused){on_refused, NULL});
    json_decref(object);
    buf_add(&refused, "", 1);
    return hints;
}

static void are(const struct config *cfg, const char *labels, const char *want)
{
    char *hints = hints_of(cfg, labels);
    assert_string_equal(refused.data, "");
    if (want) {
        assert_non_null(hints);
        assert_string_equal(hints, want);
    } else {
        assert_null(hints);
    }
    free(hints);
}

static void is_refused(const struct config *cfg, const char *labels, const char *say)
{
    char *hints = hints_of(cfg, labels);
    if (!strstr(refused.data, say)) {
        fail_msg("expected %s, got %s", say, refused.data);
    }
    assert_null(hints);
    free(hints);
}

static void test_keys(void **state)
{
    (void)state;
    struct config *cfg = config_defaults();
    are(cfg, "{}", NULL);
    are(cfg,
        "{\"sidetail.service\":\"x\",\"sidetail.enable\":\"true\",\"sidetail.test\":\"1\",\"drop\":\"x\"}",
        NULL);
    are(cfg, "{\"sidetail.multiline\":\"java\"}", "{\"multiline\":{\"rule\":\"java\"}}");
    are(cfg, "{\"sidetail.multiline.rule\":\"regex\",\"sidetail.multiline.first\":\"^a,b\"}",
        "{\"multiline\":{\"first\":\"^a,b\",\"rule\":\"regex\"}}");
    are(cfg, "{\"sidetail.drop.b\":\"2\",\"sidetail.drop\":\"a,{1}\",\"sidetail.drop.a\":\"1\"}",
        "{\"drop\":[\"a,{1}\",\"1\",\"2\"]}");
    are(cfg,
        "{\"sidetail.rate_limit\":\"500\",\"sidetail.detect_level\":\"true\",\"sidetail.parse_json\":\"m\"}",
        "{\"detect_level\":true,\"parse_json\":\"m\",\"rate_limit\":500}");
    config_free(cfg);
}

static void test_wrong_ones(void **state)
{
    (void)state;
    struct config *cfg = config_defaults();
    is_refused(cfg, "{\"sidetail.drop\":\"(\"}", "sidetail.drop: found \"(\"");
    is_refused(cfg, "{\"sidetail.drop\":\"\"}", "sidetail.drop: found");
    is_refused(cfg, "{\"sidetail.redact\":\"a*\"}", "sidetail.redact: ");
    is_refused(cfg, "{\"sidetail.rate_limit\":\"many\"}",
               "sidetail.rate_limit: found \"many\"; expected a whole number");
    is_refused(cfg, "{\"sidetail.multiline\":\"cobol\"}",
               "sidetail.multiline: found \"cobol\"; expected one of");
    is_refused(cfg, "{\"sidetail.multiline\":\"regex\"}",
               "sidetail.multiline.rule: multiline.rule is \"regex\"");
    is_refused(cfg, "{\"sidetail.parse_json\":\"log\"}", "sidetail.parse_json: ");
    is_refused(cfg, "{\"sidetail.rate_burst\":\"5\"}", "sidetail.rate_burst: ");
    is_refused(cfg, "{\"sidetail.multi-line\":\"go\"}",
               "found an unknown label; expected sidetail.multiline");
    const char *const never[] = {"keep", "redact_with", "format", "kafka.topic", "sink", "checkpoint.path"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        char labels[128];
        snprintf(labels, sizeof(labels), "{\"sidetail.%s\":\"raw\"}", never[i]);
        is_refused(cfg, labels,
                   "found a key that hints.allow does not let labels set; expected one of multiline.*, "
                   "parse_json, detect_level, drop, redact, rate_limit, rate_burst");
    }
    config_free(cfg);
}

/* One that is wrong takes no other with it. */
static void test_the_others_stay(void **state)
{
    (void)state;
    struct config *cfg = config_defaults();
    char *hints =
        hints_of(cfg, "{\"sidetail.drop\":\"(\",\"sidetail.redact\":\"a\",\"sidetail.parse_json\":\"log\","
                      "\"sidetail.multiline\":\"regex\"}");
    assert_string_equal(hints, "{\"redact\":[\"a\"]}");
    free(hints);
    config_free(cfg);
}

static bool jit;

static void test_bounds(void **state)
{
    (void)state;
    struct config *cfg = config_defaults();
    struct buf labels = {0};
    buf_addf(&labels, "{\"sidetail.drop\":\"");
    for (int i = 0; i < 2049; i++) {
        buf_add(&labels, "a", 1);
    }
    buf_add(&labels, "\"}", 3);
    is_refused(cfg, labels.data, "found 2049 bytes; expected 2048 at most");
    labels.len = 0;
    for (int i = 0; i < 20; i++) {
        buf_addf(&labels, "%s\"sidetail.drop.%d\":\"a\"", i ? "," : "{", i);
    }
    buf_add(&labels, "}", 2);
    char *hints = hints_of(cfg, labels.data);
    json_t *set = json_loads(hints, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(set, "drop")), 16);
    assert_non_null(strstr(refused.data, "found more than 16 patterns of drop"));
    json_decref(set);
    free(hints);
    if (jit) { /* only as machine code does one take so much */
        is_refused(cfg, "{\"sidetail.drop\":\"(?:(?:(?:a|\\\\pL\\\\d)?){1,50}){1,45}\"}",
                   "found a pattern that takes ");
    }
    labels.len = 0;
    for (int i = 0; i < 10; i++) {
        buf_addf(&labels, "%s\"sidetail.redact.%d\":\"%01000d\"", i ? "," : "{", i, i);
    }
    buf_add(&labels, "}", 2);
    hints = hints_of(cfg, labels.data);
    set = json_loads(hints, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(set, "redact")), 8);
    assert_non_null(strstr(refused.data, "found more than 8192 bytes of patterns"));
    json_decref(set);
    free(hints);
    labels.len = 0;
    for (int i = 0; i < 10000; i++) {
        buf_addf(&labels, "%s\"sidetail.drop.%d\":\"(\"", i ? "," : "{", i);
    }
    buf_add(&labels, "}", 2);
    is_refused(cfg, labels.data, "found more than 64 labels");
    assert_null(strstr(refused.data, "drop.9999"));
    buf_free(&labels);
    config_free(cfg);
}

static void test_allow(void **state)
{
    (void)state;
    struct error err;
    struct config *none = load_text("{\"hints\":{\"allow\":[]}}", &err);
    struct config *topic = load_text("{\"hints\":{\"allow\":[\"kafka.*\",\"format\",\"keep\"]}}", &err);
    is_refused(none, "{\"sidetail.drop\":\"a\"}", "hints.allow");
    is_refused(topic, "{\"sidetail.drop\":\"a\"}", "hints.allow");
    is_refused(topic, "{\"sidetail.keep\":\"a\"}", "hints.allow");
    is_refused(topic, "{\"sidetail.kafka.topic\":\"a b\"}", "expected the name of a topic");
    is_refused(topic, "{\"sidetail.kafka.topic\":\"sidetail-positions\"}", "both \"sidetail-positions\"");
    are(topic, "{\"sidetail.kafka.topic\":\"audit\",\"sidetail.format\":\"raw\"}",
        "{\"format\":\"raw\",\"kafka\":{\"topic\":\"audit\"}}");
    config_free(none);
    config_free(topic);
}

/* What the operator set stays: lists grow, and a limit becomes no higher. */
static void test_nothing_is_taken_away(void **state)
{
    (void)state;
    struct error err;
    struct config *cfg =
        load_text("{\"drop\":[\"a\"],\"redact\":[\"b\"],\"rate_limit\":100,\"rate_burst\":300}", &err);
    struct config *high = config_overridden(
        cfg, 0, "{\"drop\":[\"c\"],\"redact\":[\"d\"],\"rate_limit\":500,\"rate_burst\":900}");
    struct config *low = config_overridden(cfg, 0, "{\"rate_limit\":5}");
    struct config *off = config_overridden(cfg, 0, "{\"rate_limit\":0,\"rate_burst\":0}");
    assert_int_equal(high->drop.count, 2);
    assert_string_equal(high->drop.items[0], "a");
    assert_string_equal(high->redact.items[0], "b");
    assert_string_equal(high->redact.items[1], "d");
    assert_int_equal(high->rate_limit, 100);
    assert_int_equal(high->rate_burst, 300);
    assert_int_equal(low->rate_limit, 5);
    assert_int_equal(low->rate_burst, 300);
    assert_int_equal(off->rate_limit, 100);
    assert_int_equal(off->rate_burst, 300);
    config_free(high);
    config_free(low);
    config_free(off);
    config_free(cfg);
    cfg = config_defaults();
    struct config *first = config_overridden(cfg, 0, "{\"rate_limit\":5,\"rate_burst\":50}");
    assert_int_equal(first->rate_limit, 5);
    assert_int_equal(first->rate_burst, 50);
    config_free(first);
    config_free(cfg);
}

#define TEST(f) cmocka_unit_test_setup(f, clean_environment)

int main(void)
{
    jit = !under_valgrind(); /* asked before the environment is cleaned */
    regexp_use_jit(jit);
    const struct CMUnitTest tests[] = {
        TEST(test_keys),   TEST(test_wrong_ones), TEST(test_the_others_stay),
        TEST(test_bounds), TEST(test_allow),      TEST(test_nothing_is_taken_away)};
    int failed = cmocka_run_group_tests(tests, make_directory, remove_directory);
    buf_free(&refused);
    return failed;
}
