/* What shaping tells of its decisions. */
#include "shape_fixture.h"

/* What was told, each verdict as `lines:what`. */
static struct buf told;

static void on_told(void *arg, const struct shape_verdict *v)
{
    (void)arg;
    buf_addf(&told, "%u:%s%s", v->lines,
             v->left_out ? v->left_out
             : v->notice ? "notice"
                         : "out",
             v->all_redacted ? " all" : "");
    if (v->pattern) {
        buf_addf(&told, "[%zu] %s", v->rule, v->pattern);
    }
    for (size_t i = 0; i < v->nredactions; i++) {
        const struct redaction *r = &v->redactions[i];
        buf_addf(&told, " %zu-%zu by %zu %s", r->start, r->end, r->rule, r->pattern);
    }
    buf_add(&told, "|", 1);
}

static void watched(const char *text, bool partial)
{
    static const struct shape_watch watch = {.told = on_told};
    struct record rec = {.text = slice_str(text), .time = slice_str(NOON), .partial = partial};
    shape_set_watch(st, &watch);
    assert_true(shape_put(st, &rec, out) >= 0);
}

static void is_told(const char *want)
{
    buf_add(&told, "", 1);
    assert_string_equal(told.data, want);
    told.len = 0;
}

static void test_drop_and_keep(void **state)
{
    (void)state;
    add(&cfg->drop, "^a");
    add(&cfg->drop, "^b");
    add(&cfg->keep, "z$");
    begin();
    watched("bz", false);
    is_told("1:drop[1] ^b|");
    watched("c", false);
    is_told("1:keep|");
    watched("cz", false);
    is_told("1:out|");
    watched("b", true); /* the pieces of a line share the fate of its first */
    watched("z", false);
    is_told("0:drop[1] ^b|1:drop[1] ^b|");
    assert_int_equal(nseen, 1);
}

static void test_places(void **state)
{
    (void)state;
    add(&cfg->redact, "b+");
    add(&cfg->redact, "xyb?");
    begin();
    watched("a bb xyb xy", false); /* where two meet in one, the first to begin names it */
    is_told("1:out 2-4 by 0 b+ 5-8 by 1 xyb? 9-11 by 1 xyb?|");
    watched("none", false);
    is_told("1:out|");
    watched("...x", true); /* what may go on behind a cut is replaced on both sides of it */
    is_told("0:out 3-4 by 1 xyb?|");
    watched("y.b", false);
    is_told("1:out 0-1 by 1 xyb? 2-3 by 0 b+|");
    watched("{\"k\":\"\\u0062\"}", false); /* in JSON's own escapes */
    is_told("1:out 6-12 by 0 b+|");
}

static void test_groups(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "java");
    cfg->rate_limit = 1;
    cfg->rate_burst = 3;
    begin();
    watched("java.io.IOException: x", false);
    watched("\tat a.b(C.java:1)", false);
    is_told("");
    watched("end", false);
    is_told("2:out|1:out|");
    watched("more", false);
    is_told("1:rate_limit|");
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {TEST(test_drop_and_keep), TEST(test_places), TEST(test_groups)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&told);
    return failed;
}
