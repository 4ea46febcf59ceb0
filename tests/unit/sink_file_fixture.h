/* What the tests of the file sink share. */
#ifndef SINK_FILE_FIXTURE_H
#define SINK_FILE_FIXTURE_H

#include "sink_fixture.h"

static inline int setup(void **state)
{
    (void)state;
    bench_dir();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    bench_remove();
    return 0;
}

static inline const char *sibling(const char *suffix)
{
    static char path[4][200];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof(path[0]), "%s%s", bench.out, suffix);
    return out;
}

static inline off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? -1 : st.st_size;
}

static inline void submit_all(int batches, uint32_t lines)
{
    for (int i = 0; i < batches; i++) {
        bench_submit(lines);
    }
    assert_int_equal(bench.acked, bench.submitted);
}

static inline void save(void)
{
    if (bench_save() < 0) {
        fail_msg("%s", bench.error.text);
    }
}

/* As kill -9 does: the memory is gone, files are as they are. */
static inline void forget(void)
{
    bench_close();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
