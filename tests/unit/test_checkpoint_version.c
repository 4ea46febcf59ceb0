/* Versions of the checkpoint's file: newer and older ones, and what each of ours is written for. */
#include "checkpoint_fixture.h"

#include <xxhash.h>

/* Nothing is begun anew behind its owner's back, and the file stays for the newer program. */
static void test_newer(void **state)
{
    (void)state;
    const char *newer = "{\"sidetail\":\"checkpoint\",\"version\":4,\"crc\":5}\nanything\n";
    struct error err = {0};
    char text[100] = "";
    put_file(newer);
    struct checkpoint *c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, path, WEEK, &err), -1);
    assert_int_equal(err.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "version 4"));
    assert_non_null(strstr(err.text, "move the file away or set checkpoint.path"));
    set(c, "a", 1);
    save(c); /* keeps nothing on disk */
    checkpoint_free(c);
    assert_int_equal(count("checkpoint.json"), 1);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, newer);
}

/* What version 1 wrote is read as it is. */
static void test_older(void **state)
{
    (void)state;
    const char *body = "{\"output\":null,\"feeds\":{\"a\":{\"seen\":1,\"at\":{\"kind\":\"file\",\"at\":{"
                       "\"dev\":\"1\",\"ino\":"
                       "\"2\",\"head\":\"0000000000000003\",\"head_len\":4,\"offset\":5,\"mtime\":6}}}}}";
    char text[400];
    snprintf(text, sizeof(text), "{\"sidetail\":\"checkpoint\",\"version\":1,\"xxh3\":\"%016llx\"}\n%s\n",
             (unsigned long long)XXH3_64bits(body, strlen(body)), body);
    put_file(text);
    struct checkpoint *c = load(WEEK);
    const struct position *pos = checkpoint_get(c, "a");
    assert_non_null(pos);
    assert_int_equal(pos->at.file.offset, 5);
    assert_int_equal(pos->newest_ns, 0);
    assert_int_equal(count("checkpoint.json.corrupt-"), 0);
    checkpoint_free(c);
}

static void expect_version(int version)
{
    int written = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "{\"sidetail\":\"checkpoint\",\"version\":%d", &written), 1);
    fclose(f);
    assert_int_equal(written, version);
}

/* Who knows no tears can read it as long as there are none. */
static void test_tears(void **state)
{
    (void)state;
    struct checkpoint *c = load(WEEK);
    struct position torn = at(100);
    set(c, "a", 1);
    set(c, "b", 2);
    save(c);
    expect_version(2);
    torn.tears = (struct file_tears){1, {{50, 7, {3, 50}}}};
    assert_int_equal(checkpoint_set(c, "a", &torn), 0);
    save(c);
    expect_version(3);
    checkpoint_free(c);
    c = load(WEEK);
    assert_same(checkpoint_get(c, "a"), &torn);
    set(c, "a", 3);
    save(c);
    expect_version(2);
    checkpoint_free(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_newer),
        TEST(test_older),
        TEST(test_tears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
