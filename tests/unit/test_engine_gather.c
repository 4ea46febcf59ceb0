/* Connections that are read together: at a pace while much happens, and none is forgotten, whatever their readers do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "engine/gather.h"

#define COUNT 40
#define PACE  (4 * NS_PER_MS)

struct end {
    struct gathered gathered;
    int ours, theirs;
    size_t got;
    unsigned reads;
};

static struct event_base *base;
static struct gather *gather;
static struct end ends[COUNT];
static bool remove_others; /* whoever is read first removes all others */

static void on_ready(void *arg)
{
    static char block[32768];
    struct end *end = arg;
    ssize_t got = recv(end->ours, block, sizeof(block), MSG_DONTWAIT);
    assert_true(got > 0);
    end->got += (size_t)got;
    end->reads++;
    for (int i = 0; i < COUNT && remove_others; i++) {
        if (&ends[i] != end) {
            gather_remove(&ends[i].gathered);
        }
    }
    remove_others = false;
}

static void add(struct end *end)
{
    assert_true(gather_add(gather, &end->gathered, end->ours, on_ready, end));
}

static int set_up(void **state)
{
    (void)state;
    base = loop_new();
    gather = gather_new(base, PACE);
    assert_non_null(gather);
    for (int i = 0; i < COUNT; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        ends[i] = (struct end){.ours = fds[0], .theirs = fds[1]};
        add(&ends[i]);
    }
    remove_others = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        gather_remove(&ends[i].gathered);
        close(ends[i].ours);
        close(ends[i].theirs);
    }
    gather_free(gather);
    event_base_free(base);
    return 0;
}

static void send_to(struct end *end, size_t len)
{
    static const char bytes[COUNT];
    assert_int_equal(send(end->theirs, bytes, len, MSG_DONTWAIT), len);
}

static size_t got_of_all(void)
{
    size_t got = 0;
    for (int i = 0; i < COUNT; i++) {
        got += ends[i].got;
    }
    return got;
}

static void await(size_t bytes)
{
    int64_t until = clock_monotonic() + 20 * NS_PER_S;
    while (got_of_all() < bytes && clock_monotonic() < until) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    assert_int_equal(got_of_all(), bytes);
}

static void look(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Something comes as fast as it is read, until it is no longer read at once. */
static void make_busy(void)
{
    int64_t until = clock_monotonic() + 20 * NS_PER_S;
    size_t before;
    do {
        assert_true(clock_monotonic() < until);
        before = got_of_all();
        send_to(&ends[0], 1);
        look();
    } while (got_of_all() > before);
}

static void test_all_are_read(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        send_to(&ends[i], (size_t)i + 1);
    }
    look();
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(ends[i].got, i + 1);
    }
}

static void test_gathers_while_busy(void **state)
{
    (void)state;
    make_busy();
    size_t before = got_of_all();
    unsigned reads = ends[0].reads;
    for (int i = 0; i < 100; i++) {
        send_to(&ends[0], 1);
        send_to(&ends[1], 1);
        look();
    }
    await(before + 1 + 200);
    assert_true(ends[0].reads - reads < 50);
    assert_true(ends[1].reads < 50);
}

static void test_removed_while_others_are_read(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        send_to(&ends[i], 1);
    }
    remove_others = true;
    look();
    assert_int_equal(got_of_all(), 1);
    for (int i = 0; i < COUNT; i++) {
        if (!ends[i].gathered.gather) {
            add(&ends[i]);
        }
    }
    await(COUNT);
}

static void test_nothing_to_gather_by(void **state)
{
    (void)state;
    struct gathered c = {0};
    assert_false(gather_add(NULL, &c, ends[0].ours, on_ready, &ends[0]));
    assert_null(c.gather);
    gather_remove(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gathers_while_busy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removed_while_others_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_to_gather_by, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
