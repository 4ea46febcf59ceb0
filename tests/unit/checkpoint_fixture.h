/* A checkpoint in a directory of the test's own, and positions to put into it. */
#ifndef CHECKPOINT_FIXTURE_H
#define CHECKPOINT_FIXTURE_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"

#define WEEK (168 * 3600 * NS_PER_S)

static char dir[64], path[256];

static inline int make_dir(void **state)
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

static inline int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

/* How many files of the directory begin so, without the lock, which stays. */
static inline int count(const char *prefix)
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

static inline struct checkpoint *load(int64_t retention)
{
    struct error err = {0};
    struct checkpoint *c = checkpoint_new();
    assert_non_null(c);
    if (checkpoint_load(c, path, retention, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

static inline void save(struct checkpoint *c)
{
    struct error err = {0};
    if (checkpoint_save(c, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_false(checkpoint_dirty(c));
}

static inline struct position at(uint64_t offset)
{
    struct position pos;
    memset(&pos, 0, sizeof(pos));
    pos.kind = POSITION_FILE;
    pos.at.file = (struct file_pos){
        {0xfd01, UINT64_MAX, 0x123456789abcdef0, 1024}, offset, 1700000000000000001, {7, offset > 0}};
    return pos;
}

static inline void set(struct checkpoint *c, const char *key, uint64_t offset)
{
    struct position pos = at(offset);
    assert_int_equal(checkpoint_set(c, key, &pos), 0);
}

/* By their texts: structs have padding. */
static inline void assert_same(const struct position *a, const struct position *b)
{
    struct buf x = {0}, y = {0};
    assert_int_equal(position_write(&x, a), 0);
    assert_int_equal(position_write(&y, b), 0);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    buf_free(&x);
    buf_free(&y);
}

static inline void put_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#endif
