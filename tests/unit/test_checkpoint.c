#include "checkpoint_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <xxhash.h>

#include "under_valgrind.h"

static void count_feed(void *arg, const char *key, const struct position *pos)
{
    assert_true(*key && pos->kind != POSITION_NONE);
    ++*(int *)arg;
}

static int feeds(struct checkpoint *c)
{
    int n = 0;
    checkpoint_each(c, count_feed, &n);
    return n;
}

static void note_key(void *arg, const char *key)
{
    strcat(arg, key);
}

static void test_restored_expire(void **state)
{
    (void)state;
    char gone[64] = "";
    struct checkpoint *c = checkpoint_new();
    struct position pos = at(1);
    assert_int_equal(checkpoint_restore(c, "old", &pos, 100), 0);
    assert_int_equal(checkpoint_restore(c, "old, asked for", &pos, 100), 0);
    assert_int_equal(checkpoint_restore(c, "young", &pos, 200), 0);
    assert_non_null(checkpoint_get(c, "old, asked for"));
    set(c, "written", 2);
    checkpoint_expire(c, 150, note_key, gone);
    assert_string_equal(gone, "old");
    assert_int_equal(feeds(c), 3);
    assert_null(checkpoint_get(c, "old"));
    checkpoint_free(c);
}

/* As a batch's positions are set, from one to the next, and to none. */
static void test_moved(void **state)
{
    (void)state;
    struct checkpoint *c = load(WEEK);
    struct feed_key *key = feed_key_new("web");
    struct compact_position compact = {0};
    struct position pos;
    set(c, "other", 1);
    for (uint64_t offset = 1; offset < 4; offset++) {
        pos = at(offset);
        assert_int_equal(compact_set(&compact, &pos), 0);
        assert_int_equal(checkpoint_move(c, key, &compact), 0);
        assert_true(position_same(checkpoint_get(c, "web"), &pos));
        assert_true(checkpoint_dirty(c));
        save(c);
        assert_int_equal(checkpoint_move(c, key, &compact), 0);
        assert_false(checkpoint_dirty(c));
    }
    compact_clear(&compact);
    assert_int_equal(checkpoint_move(c, key, &compact), 0);
    assert_null(checkpoint_get(c, "web"));
    assert_true(checkpoint_dirty(c));
    assert_int_equal(feeds(c), 1);
    feed_key_unref(key);
    checkpoint_free(c);
}

static void test_survives(void **state)
{
    (void)state;
    static const char *const keys[] = {"909cac8e1261", "/logs/we\"b\\/a b.log", "/logs/caf\xc3\xa9/%41\n.log",
                                       "/not/utf8/\xff\xfe", "/\x7f\x01"};
    struct checkpoint *c = load(WEEK);
    assert_true(checkpoint_dirty(c)); /* the next start is not the first */
    assert_null(checkpoint_get(c, keys[0]));
    for (size_t i = 0; i < 5; i++) {
        set(c, keys[i], i + 1);
    }
    struct file_pos output = {{1, 2, 3, 4}, 5, 0, {0, 0}};
    checkpoint_set_output(c, &output);
    assert_true(checkpoint_dirty(c));
    save(c);
    checkpoint_free(c);

    c = load(WEEK);
    assert_int_equal(feeds(c), 5);
    for (size_t i = 0; i < 5; i++) {
        const struct position *pos = checkpoint_get(c, keys[i]);
        assert_non_null(pos);
        assert_same(pos, &(struct position[]){at(i + 1)}[0]);
    }
    assert_same(&(struct position){.kind = POSITION_FILE, .at.file = *checkpoint_output(c)},
                &(struct position){.kind = POSITION_FILE, .at.file = output});
    checkpoint_free(c);
    assert_int_equal(count("checkpoint.json"), 1);
}

static void test_saves_only_changes(void **state)
{
    (void)state;
    struct stat before, after;
    struct checkpoint *c = load(WEEK);
    set(c, "a", 1);
    save(c);
    assert_int_equal(stat(path, &before), 0);
    set(c, "a", 1);
    checkpoint_set_output(c, NULL);
    checkpoint_set(c, "unknown", &(struct position){.kind = POSITION_NONE});
    assert_false(checkpoint_dirty(c));
    save(c);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* a save makes a new file */
    set(c, "a", 2);
    assert_true(checkpoint_dirty(c));
    save(c);
    checkpoint_set(c, "a", &(struct position){.kind = POSITION_NONE});
    assert_true(checkpoint_dirty(c));
    save(c);
    checkpoint_free(c);
    c = load(WEEK);
    assert_null(checkpoint_get(c, "a"));
    checkpoint_free(c);
}

static void test_without_a_file(void **state)
{
    (void)state;
    struct error err = {0};
    struct checkpoint *c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, "", WEEK, &err), 0);
    set(c, "a", 1);
    assert_true(checkpoint_dirty(c));
    save(c);
    assert_non_null(checkpoint_get(c, "a"));
    checkpoint_free(c);
}

/* Every damage is found, said, and put aside; never taken for positions. */
static void test_damage(void **state)
{
    (void)state;
    struct checkpoint *c = load(WEEK);
    set(c, "a", 1);
    set(c, "b", 2);
    save(c);
    checkpoint_free(c);
    char good[4096];
    FILE *f = fopen(path, "r");
    size_t len = fread(good, 1, sizeof(good), f);
    fclose(f);
    assert_in_range(len, 100, sizeof(good) - 1);

    int expected = 0;
    for (size_t cut = 0; cut < len; cut += 1 + (cut > 70 ? 17 : 0)) { /* torn */
        f = fopen(path, "w");
        fwrite(good, 1, cut, f);
        fclose(f);
        c = load(WEEK);
        assert_int_equal(feeds(c), 0);
        assert_null(checkpoint_output(c));
        checkpoint_free(c);
        assert_int_equal(count("checkpoint.json.corrupt-"), ++expected);
        assert_int_equal(access(path, F_OK), -1);
    }
    for (size_t i = 0; i < len; i += 3) { /* a bit flipped */
        f = fopen(path, "w");
        good[i] ^= 4;
        fwrite(good, 1, len, f);
        good[i] ^= 4;
        fclose(f);
        c = load(WEEK);
        assert_int_equal(feeds(c), 0);
        checkpoint_free(c);
    }
    f = fopen(path, "w"); /* something behind it */
    fwrite(good, 1, len, f);
    fputs("x\n", f);
    fclose(f);
    c = load(WEEK);
    assert_int_equal(feeds(c), 0);
    set(c, "a", 9); /* and goes on */
    save(c);
    checkpoint_free(c);
    c = load(WEEK);
    assert_int_equal(checkpoint_get(c, "a")->at.file.offset, 9);
    checkpoint_free(c);
}

static void test_not_ours(void **state)
{
    (void)state;
    put_file("root:x:0:0\n");
    struct checkpoint *c = load(WEEK);
    assert_int_equal(count("checkpoint.json.corrupt-"), 1);
    checkpoint_free(c);
    assert_int_equal(mkdir(path, 0700), 0);
    struct error err = {0};
    c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, path, WEEK, &err), -1);
    assert_non_null(strstr(err.text, path));
    checkpoint_free(c);
}

static void test_directory(void **state)
{
    (void)state;
    struct error err = {0};
    char deep[160];
    snprintf(deep, sizeof(deep), "%s/made/checkpoint.json", dir);
    struct checkpoint *c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, deep, WEEK, &err), 0);
    set(c, "a", 1);
    save(c);
    assert_int_equal(access(deep, F_OK), 0);
    checkpoint_free(c);
    snprintf(deep, sizeof(deep), "%s/not/there/checkpoint.json", dir);
    c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, deep, WEEK, &err), -1);
    assert_non_null(strstr(err.text, "/not/there"));
    checkpoint_free(c);
    c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, "/proc/checkpoint.json", WEEK, &err), -1);
    assert_non_null(strstr(err.text, "/proc"));
    checkpoint_free(c);
    c = checkpoint_new();
    assert_int_equal(checkpoint_load(c, "/dev/null/checkpoint.json", WEEK, &err), -1);
    assert_non_null(strstr(err.text, "/dev/null"));
    checkpoint_free(c);
}

static void test_retention(void **state)
{
    (void)state;
    struct checkpoint *c = load(WEEK);
    set(c, "silent", 1);
    set(c, "gone", 2);
    save(c);
    checkpoint_free(c);

    c = load(NS_PER_S);
    assert_non_null(checkpoint_get(c, "silent"));
    usleep(2100000);
    set(c, "new", 3);
    save(c);
    assert_int_equal(feeds(c), 2);
    checkpoint_free(c);
    c = load(NS_PER_S);
    assert_non_null(checkpoint_get(c, "silent"));
    assert_null(checkpoint_get(c, "gone"));
    checkpoint_free(c);
}

/* A week without the collector is no reason to forget what it may find a moment later. */
static void test_retention_waits_after_start(void **state)
{
    (void)state;
    struct checkpoint *c = load(WEEK);
    set(c, "late", 1);
    save(c);
    checkpoint_free(c);
    usleep(2100000);
    c = load(2 * CHECKPOINT_GRACE_S * NS_PER_S);
    set(c, "other", 1);
    save(c);
    assert_non_null(checkpoint_get(c, "late"));
    checkpoint_free(c);
}

/* Killed at any instant of a save, the file is one whole checkpoint: offsets of all feeds agree. */
static void test_killed_while_saving(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (int round = 0; round < 40; round++) {
        int saved[2];
        char first;
        assert_int_equal(pipe2(saved, O_CLOEXEC | O_NONBLOCK), 0);
        pid_t pid = fork();
        if (pid == 0) {
            struct checkpoint *c = load(WEEK);
            for (uint64_t i = last + 1;; i++) {
                for (int k = 0; k < 100; k++) {
                    char key[16];
                    snprintf(key, sizeof(key), "feed-%d", k);
                    set(c, key, i);
                }
                save(c);
                (void)!write(saved[1], "", 1); /* a full pipe takes no more, and need not */
            }
        }
        struct pollfd once = {.fd = saved[0], .events = POLLIN};
        assert_int_equal(poll(&once, 1, 60000), 1);
        assert_int_equal(read(saved[0], &first, 1), 1);
        usleep((useconds_t)(rand() % 12000) * (under_valgrind() ? 10 : 1));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(saved[0]);
        close(saved[1]);
        struct checkpoint *c = load(WEEK);
        assert_int_equal(count("checkpoint.json.corrupt-"), 0);
        const struct position *pos = checkpoint_get(c, "feed-0");
        uint64_t now = pos ? pos->at.file.offset : 0;
        assert_true(now > last); /* it has saved at least once */
        for (int k = 1; k < 100; k++) {
            char key[16];
            snprintf(key, sizeof(key), "feed-%d", k);
            assert_int_equal(checkpoint_get(c, key)->at.file.offset, now);
        }
        last = now;
        checkpoint_free(c);
    }
}

static void read_file(struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    static char block[4096];
    for (ssize_t n; (n = read(fd, block, sizeof(block))) > 0;) {
        assert_int_equal(buf_add(out, block, (size_t)n), 0);
    }
    close(fd);
}

static void test_full_disk(void **state)
{
    (void)state;
    char small[128], filler[192];
    snprintf(small, sizeof(small), "%s/small", dir);
    assert_int_equal(mkdir(small, 0700), 0);
    if (mount("tmpfs", small, "tmpfs", 0, "size=128k") < 0) {
        print_message("no right to mount a small tmpfs: not tested\n");
        skip();
    }
    snprintf(path, sizeof(path), "%s/checkpoint.json", small);
    struct checkpoint *c = load(WEEK);
    set(c, "a", 1);
    save(c);
    struct buf before = {0}, after = {0};
    read_file(&before);
    snprintf(filler, sizeof(filler), "%s/filler", small);
    int fd = open(filler, O_WRONLY | O_CREAT, 0600);
    static char block[4096];
    while (write(fd, block, sizeof(block)) > 0) {
    }
    close(fd);
    struct error err = {0};
    set(c, "a", 2);
    assert_int_equal(checkpoint_save(c, &err), -1);
    assert_non_null(strstr(err.text, "No space left"));
    assert_true(checkpoint_dirty(c));
    read_file(&after); /* the old one stands */
    assert_int_equal(after.len, before.len);
    assert_memory_equal(after.data, before.data, before.len);
    buf_free(&before);
    buf_free(&after);
    unlink(filler);
    save(c);
    checkpoint_free(c);
    c = load(WEEK);
    assert_int_equal(checkpoint_get(c, "a")->at.file.offset, 2);
    checkpoint_free(c);
    assert_int_equal(umount(small), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_moved),
        TEST(test_survives),
        TEST(test_saves_only_changes),
        TEST(test_without_a_file),
        TEST(test_damage),
        TEST(test_not_ours),
        TEST(test_directory),

        TEST(test_retention),
        TEST(test_retention_waits_after_start),
        TEST(test_restored_expire),
        TEST(test_killed_while_saving),
        TEST(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
