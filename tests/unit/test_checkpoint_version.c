/* Versions of the checkpoint's file: newer and older ones, and what each of ours is written for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <xxhash.h>

#include <dirent.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"

#define WEEK (168 * 3600 * NS_PER_S)

static char dir[64], path[256];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_checkpoint.XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/checkpoint.json", dir);
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT); /* what is tested here is said aloud */
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

/* How many files of the directory begin so, without the lock, which stays. */
static int count(const char *prefix)
{
    int n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        n +=
            strncmp(e->d_name, prefix, strlen(prefix)) == 0 && strcmp(e->d_name, "checkpoint.json.lock") != 0;
    }
    closedir(d);
    return n;
}

static struct checkpoint *load(int64_t retention)
{
    struct error err = {0};
    struct checkpoint *c = checkpoint_new();
    assert_non_null(c);
    if (checkpoint_load(c, path, retention, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

static void save(struct checkpoint *c)
{
    struct error err = {0};
    if (checkpoint_save(c, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_false(checkpoint_dirty(c));
}

static struct position at(uint64_t offset)
{
    struct position pos;
    memset(&pos, 0, sizeof(pos));
    pos.kind = POSITION_FILE;
    pos.at.file = (struct file_pos){
        {0xfd01, UINT64_MAX, 0x123456789abcdef0, 1024}, offset, 1700000000000000001, {7, offset > 0}};
    return pos;
}

static void set(struct checkpoint *c, const char *key, uint64_t offset)
{
    struct position pos = at(offset);
    assert_int_equal(checkpoint_set(c, key, &pos), 0);
}

/* By their texts: structs have padding. */
static void assert_same(const struct position *a, const struct position *b)
{
    struct buf x = {0}, y = {0};
    assert_int_equal(position_write(&x, a), 0);
    assert_int_equal(position_write(&y, b), 0);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    buf_free(&x);
    buf_free(&y);
}

static void put_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

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
