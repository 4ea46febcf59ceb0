#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "config/json_location.h"

static void counts_lines_and_characters(void **state)
{
    (void)state;
    struct slice text = SLICE("a\n\tbé€c\r\nd");
    static const struct {
        size_t offset;
        unsigned line, column;
    } cases[] = {{0, 1, 1}, {1, 1, 2}, {2, 2, 1},  {3, 2, 2},  {4, 2, 3},
                 {6, 2, 4}, {9, 2, 5}, {12, 3, 1}, {13, 3, 2}, {99, 3, 2}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text_location place = text_location_of(text, cases[i].offset);
        if (place.line != cases[i].line || place.column != cases[i].column) {
            fail_msg("offset %zu: %u:%u", cases[i].offset, place.line, place.column);
        }
    }
}

static void finds_tokens(void **state)
{
    (void)state;
    struct slice text = SLICE(" {\"a\\\"b\" :tru,\"open\n -1}");
    static const struct {
        size_t offset;
        const char *token;
    } cases[] = {{0, "{"},   {1, "{"},    {2, "\"a\\\"b\""}, {7, "\"a\\\"b\""}, {8, ":"},
                 {9, ":"},   {10, "tru"}, {12, "tru"},       {13, ","},         {14, "\"open"},
                 {19, "-1"}, {22, "-1"},  {23, "}"},         {24, ""},          {99, ""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice token = json_token_at(text, cases[i].offset);
        if (!slice_eq(token, slice_str(cases[i].token))) {
            fail_msg("offset %zu: '%.*s'", cases[i].offset, (int)token.len, token.ptr);
        }
        assert_true(token.ptr >= text.ptr && token.ptr + token.len <= text.ptr + text.len);
    }
}

static void locates_members(void **state)
{
    (void)state;
    struct slice text = SLICE("{\"a\": [1, {\"x\": \"]}\"}, 3],\n \"\\u0062\": {\"c\" : {}, \"d\": tail}}");
    static const struct {
        size_t path[3], depth;
        bool key;
        const char *there;
    } cases[] = {
        {{0}, 0, false, "{\"a\""},     {{0}, 1, true, "\"a\""},       {{0}, 1, false, "[1"},
        {{0, 0}, 2, false, "1,"},      {{0, 1}, 2, false, "{\"x\""},  {{0, 2}, 2, false, "3]"},
        {{0, 1, 0}, 3, true, "\"x\""}, {{0, 1, 0}, 3, false, "\"]}"}, {{1}, 1, true, "\"\\u00"},
        {{1}, 1, false, "{\"c\""},     {{1, 0}, 2, true, "\"c\""},    {{1, 0}, 2, false, "{},"},
        {{1, 1}, 2, true, "\"d\""},    {{1, 1}, 2, false, "tail"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t offset = json_locate(text, cases[i].path, cases[i].depth, cases[i].key);
        if (strncmp(text.ptr + offset, cases[i].there, strlen(cases[i].there)) != 0) {
            fail_msg("case %zu: at '%.10s'", i, text.ptr + offset);
        }
    }
}

/* -- at random: each value says its own path, so that what is found can be told ---------------- */

static void space(struct buf *out)
{
    static const char *const some[] = {"", "", " ", "\n", "\t \r\n"};
    buf_addf(out, "%s", some[rand() % 5]);
}

static void write_value(struct buf *out, const char *path, int depth)
{
    int members = rand() % 4;
    bool object = rand() % 2;
    if (depth == 3 || members == 0) {
        buf_addf(out, "\"%s ]}{[,\\\"\"", path); /* marks within a string mean nothing */
        return;
    }
    buf_add(out, object ? "{" : "[", 1);
    for (int i = 0; i < members; i++) {
        char below[32];
        snprintf(below, sizeof(below), "%s.%d", path, i);
        buf_addf(out, "%s", i ? "," : "");
        space(out);
        if (object) {
            buf_addf(out, "\"key%s\"", below);
            space(out);
            buf_addf(out, ":");
            space(out);
        }
        write_value(out, below, depth + 1);
        space(out);
    }
    buf_add(out, object ? "}" : "]", 1);
}

/* Looks at every value that jansson finds. */
static unsigned walk(struct slice text, const json_t *value, size_t path[4], size_t depth, const char *name)
{
    const char *here = text.ptr + json_locate(text, path, depth, false), *key;
    unsigned seen = 1;
    size_t i = 0;
    json_t *member;
    char below[32];
    if (json_is_string(value)) {
        assert_memory_equal(here + 1, name, strlen(name));
        assert_int_equal(here[0], '"');
    } else {
        assert_int_equal(*here, json_is_object(value) ? '{' : '[');
    }
    if (json_is_array(value)) {
        json_array_foreach(value, i, member)
        {
            path[depth] = i;
            snprintf(below, sizeof(below), "%s.%zu", name, i);
            seen += walk(text, member, path, depth + 1, below);
        }
    } else {
        json_object_foreach((json_t *)value, key, member)
        {
            path[depth] = i;
            snprintf(below, sizeof(below), "%s.%zu", name, i++);
            const char *found = text.ptr + json_locate(text, path, depth + 1, true);
            assert_memory_equal(found + 1, key, strlen(key));
            seen += walk(text, member, path, depth + 1, below);
        }
    }
    return seen;
}

static void locates_what_jansson_finds(void **state)
{
    (void)state;
    unsigned seen = 0;
    srand(7);
    for (int round = 0; round < 2000; round++) {
        struct buf out = {0};
        size_t path[4];
        space(&out);
        write_value(&out, "v", 0);
        json_t *root = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
        assert_non_null(root);
        seen += walk(slice_of(out.data, out.len), root, path, 0, "v");
        json_decref(root);
        buf_free(&out);
    }
    assert_true(seen > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_lines_and_characters),
        cmocka_unit_test(finds_tokens),
        cmocka_unit_test(locates_members),
        cmocka_unit_test(locates_what_jansson_finds),
    };
    return cmocka_run_group_tests_name("json_location", tests, NULL, NULL);
}
