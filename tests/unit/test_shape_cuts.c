/* Shaping of what is cut: secrets on both sides of a cut or spelled otherwise, and the parts
 * of long groups. */
#include "shape_fixture.h"

static struct buf all; /* the text of all records, a bar behind each */

/* Takes what came out since the last call. */
static void gather(void)
{
    all.len = 0;
    for (size_t i = 0; i < nseen; i++) {
        buf_add(&all, seen[i].text, strlen(seen[i].text));
        buf_add(&all, "|", 1);
    }
    buf_add(&all, "", 1);
    forget();
}

static void begin_redacting(const char *secret)
{
    add(&cfg->redact, secret);
    begin();
}

/* What came out since the last call. */
static void came(const char *want)
{
    gather();
    assert_string_equal(all.data, want);
}

/* PHP writes each slash of JSON as \/, and JSON inside of JSON has its quotes escaped. */
static void test_every_escape(void **state)
{
    (void)state;
    begin_redacting("https?://[^/@]*@|\"password\":\"[^\"]*\"");
    put("{\"dsn\":\"https:\\/\\/user:hunter2@db\\/x\"}");
    came("{\"dsn\":\"[redacted]db\\/x\"}|");
    put("{\"msg\":\"{\\\"password\\\":\\\"hunter2\\\"}\"}");
    came("{\"msg\":\"{[redacted]}\"}|");
    put("{\"a\":\"\\ud83d\\ude00 https:\\/\\/u:hunter2@\\u00e9 \\n\"}");
    came("{\"a\":\"\\ud83d\\ude00 [redacted]\\u00e9 \\n\"}|");
    put("C:\\temp\\new, nothing to hide \\");
    came("C:\\temp\\new, nothing to hide \\|");
}

/* JSON behind a prefix, in an array, or cut in two is no object. */
static void test_escapes_anywhere(void **state)
{
    (void)state;
    begin_redacting("password=\\w+");
    put("INFO {\"q\":\"p\\u0061ssword=hunter2\"}");
    came("INFO {\"q\":\"[redacted]\"}|");
    put("[\"p\\u0061ssword=hunter2\"]");
    came("[\"[redacted]\"]|");
    put_piece("{\"q\":\"p\\u0061ssword=hun", true);
    put("ter2\",\"b\":1}");
    came("{\"q\":\"[redacted]|[redacted]\",\"b\":1}|");
    put_piece("{\"q\":\"p\\u00", true); /* an escape cut in two */
    put("61ssword=hunter2\"}");
    came("{\"q\":\"[redacted]|[redacted]\"}|");
    put_piece("{\"q\":\"\\np\\", true);
    put("u0061ssword=hunter2\"}");
    came("{\"q\":\"\\n[redacted]|[redacted]\"}|");
}

/* As many places as the text itself shows, yet not the same. */
static void test_same_number(void **state)
{
    (void)state;
    begin_redacting("password=.*");
    put("{\"a\":\"p\\u0061ssword=hunter2\",\"b\":\"password=x\"}");
    came("{\"a\":\"[redacted]|");
}

/* A group too long is cut at a newline, which the rules see as well. */
static void test_cut_group(void **state)
{
    (void)state;
    set(&cfg->multiline_rule, "regex");
    set(&cfg->multiline_first, "^first");
    begin_redacting("\\bpassword=\\w+");
    put("first");
    for (int i = 1; i < 1000; i++) {
        put("more");
    }
    put("password=hunter2");
    shape_tick(st, INT64_MAX, out);
    gather();
    assert_null(strstr(all.data, "hunter2"));
    assert_non_null(strstr(all.data, "more|[redacted]|"));
}

/* Of a secret that began long before the cut, nothing is let through behind it. */
static void test_long_secret(void **state)
{
    (void)state;
    begin_redacting("key=[0-9a-f]+");
    char text[8001];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "key=", 4);
    put_piece(text, true);
    memset(text, 'b', 4);
    put_piece(text, true);
    put("cafe end");
    came("[redacted]|[redacted]|[redacted]|");
    put("cafe end");
    came("cafe end|");
}

/* -- groups over the greatest number of lines ------------------------------------------------- */

static void begin_groups(void)
{
    set(&cfg->multiline_rule, "regex");
    set(&cfg->multiline_first, "^first");
    begin();
}

/* A group of so many lines. */
static void put_group(const char *first, int lines)
{
    put(first);
    for (int i = 1; i < lines; i++) {
        put("more");
    }
}

/* What came out since the last call: how many lines, in how many records. */
static void came_lines(unsigned lines, unsigned records)
{
    unsigned newlines = 0, bars = 0;
    gather();
    for (size_t i = 0; i < all.len; i++) {
        newlines += all.data[i] == '\n';
        bars += all.data[i] == '|';
    }
    assert_int_equal(bars, records);
    assert_int_equal(newlines + bars, lines);
}

/* Each line that a rule drops counts, also behind the first thousand. */
static void test_drop_counts_groups(void **state)
{
    (void)state;
    add(&cfg->drop, "noise");
    begin_groups();
    put_group("first noise", 2500);
    put_group("first", 1500);
    shape_tick(st, INT64_MAX, out);
    came_lines(1500, 2);
    assert_int_equal(metrics.dropped_rule, 2500);
}

/* A group that does not end passes the rate limit no more than single lines do. */
static void test_rate_of_groups(void **state)
{
    (void)state;
    cfg->rate_limit = 10;
    begin_groups();
    put_group("first", 5000);
    put_group("first", 10);
    shape_tick(st, INT64_MAX - 1, out);
    assert_int_equal(metrics.dropped_rate, 4010);
}

int main(void)
{
    regexp_use_jit(!under_valgrind());
    const struct CMUnitTest tests[] = {TEST(test_every_escape),  TEST(test_escapes_anywhere),
                                       TEST(test_same_number),   TEST(test_cut_group),
                                       TEST(test_long_secret),   TEST(test_drop_counts_groups),
                                       TEST(test_rate_of_groups)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&all);
    return failed;
}
