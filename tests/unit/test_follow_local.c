/* Following the log of a container with driver local, whose records may be torn or damaged, and of one whose
 * driver becomes known late. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "source/json_file/container.h"
#include "world.h"

#define CONFIG     WORLD_ID "/config.v2.json"
#define HOSTCONFIG WORLD_ID "/hostconfig.json"
#define LOGS       WORLD_ID "/local-logs"
#define LOG        LOGS "/container.log"
#define JSON_LOG   WORLD_ID "/" WORLD_ID "-json.log"

#define IS_LOCAL "{\"LogConfig\":{\"Type\":\"local\"}}"

/* -- what the Engine writes -------------------------------------------------------------------- */

static void append(struct world *w, const void *bytes, size_t len)
{
    int fd = open(world_path(w, LOG), O_WRONLY | O_APPEND | O_CREAT, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

/* A record of a text of less than 128 bytes, or one of PIECE_MIN; `piece`: the line goes on. */
static void make(struct buf *out, const char *stream, const char *text, bool piece)
{
    static const char time[] = "\x10\xb5\xc0\xb1\xec\xd0\xd6\x88\xf6\x18\x1a";
    const struct slice partial = SLICE("\x20\x01\x2a\x02\x18\x01");
    const char short_len[] = {(char)strlen(text)};
    struct slice len = strlen(text) < 128 ? slice_of(short_len, 1) : SLICE("\x80\x80\x01");
    uint32_t size =
        __builtin_bswap32((uint32_t)(8 + 11 + len.len + strlen(text) + (piece ? partial.len : 0)));
    out->len = 0;
    assert_int_equal(buf_add(out, &size, 4), 0);
    assert_int_equal(buf_addf(out, "\n\x06%s", stream), 0);
    assert_int_equal(buf_add(out, time, 11) | buf_add_slice(out, len) | buf_add(out, text, strlen(text)), 0);
    assert_int_equal(buf_add(out, partial.ptr, piece ? partial.len : 0) | buf_add(out, &size, 4), 0);
}

static void put(struct world *w, const char *stream, const char *text, bool piece)
{
    struct buf record = {0};
    make(&record, stream, text, piece);
    append(w, record.data, record.len);
    buf_free(&record);
}

static void say(struct world *w, const char *text)
{
    put(w, "stdout", text, false);
}

/* All of it but for the last `missing` bytes; how many these are. */
static size_t tear(struct world *w, const char *text, size_t missing)
{
    struct buf record = {0};
    make(&record, "stdout", text, false);
    size_t len = record.len - missing;
    append(w, record.data, len);
    buf_free(&record);
    return len;
}

static void world_new_local(struct world *w)
{
    world_new_json(w);
    world_container(w);
    world_write(w, HOSTCONFIG, IS_LOCAL);
    assert_int_equal(mkdir(world_path(w, LOGS), 0700), 0);
}

static struct container *container_of(const struct world *w)
{
    struct container *c;
    HASH_FIND_STR(((struct json_file *)w->source)->containers, WORLD_ID, c);
    assert_non_null(c);
    return c;
}

/* -- torn and damaged -------------------------------------------------------------------------- */

static const char long_text[] =
    "a long line, longer than the one that is appended behind it as the Engine starts anew";

static void test_torn_record_waits_for_its_rest(void **state)
{
    (void)state;
    struct world w;
    struct buf record = {0};
    world_new_local(&w);
    say(&w, "one");
    world_start(&w);
    uint64_t gaps = metrics.gaps, lost = metrics.lost_bytes;
    make(&record, "stdout", "two", false);
    for (size_t i = 0; i < record.len; i++) {
        append(&w, record.data + i, 1);
        world_run(&w, 2);
    }
    world_settle(&w);
    world_expect(&w, "one\ntwo\n");
    assert_int_equal(metrics.gaps, gaps);
    assert_int_equal(metrics.lost_bytes, lost);
    buf_free(&record);
    world_free(&w);
}

static void test_torn_record_before_another(void **state)
{
    (void)state;
    struct world w;
    world_new_local(&w);
    say(&w, "one");
    world_start(&w);
    uint64_t gaps = metrics.gaps, lost = metrics.lost_bytes;
    size_t torn = tear(&w, long_text, 60);
    world_settle(&w);
    world_expect(&w, "one\n");
    assert_int_equal(metrics.gaps, gaps);
    say(&w, "two");
    world_settle(&w);
    world_expect(&w, "one\ntwo\n");
    assert_int_equal(metrics.gaps, gaps + 1);
    assert_int_equal(metrics.lost_bytes, lost + torn);
    world_free(&w);
}

/* What a line began with is read again at a start, up to the position; damage behind that is new. */
static void test_damage_behind_what_is_read_again(void **state)
{
    (void)state;
    struct world w;
    world_new_local(&w);
    put(&w, "stdout", world_piece("begun"), true);
    put(&w, "stderr", "one", false);
    world_start(&w);
    world_settle(&w);
    world_expect(&w, "one\n");
    world_checkpoint(&w);
    world_kill(&w);
    uint64_t gaps = metrics.gaps, lost = metrics.lost_bytes;
    append(&w, "damaged", 7);
    say(&w, "two");
    world_start(&w);
    world_settle(&w);
    world_expectf(&w, "one\n%s\ntwo\n", world_piece("begun"));
    assert_int_equal(metrics.gaps, gaps + 1);
    assert_int_equal(metrics.lost_bytes, lost + 7);
    world_checkpoint(&w);
    world_kill(&w);
    world_start(&w);
    world_settle(&w);
    world_expectf(&w, "one\n%s\ntwo\n", world_piece("begun"));
    assert_int_equal(metrics.gaps, gaps + 1);
    assert_int_equal(metrics.lost_bytes, lost + 7);
    world_free(&w);
}

/* A loss of power left zeros. They are no hole here, but damage; and so are those in which a file ends. */
static void test_nuls_between_records(void **state)
{
    (void)state;
    static const size_t lengths[] = {20, 64, 4096, 3000000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct world w;
        char *nuls = calloc(1, lengths[i]);
        assert_non_null(nuls);
        world_new_local(&w);
        say(&w, "one");
        append(&w, nuls, lengths[i]);
        uint64_t holes = metrics.holes, lost = metrics.lost_bytes;
        world_start(&w);
        world_settle(&w);
        world_expect(&w, "one\n");
        say(&w, "two");
        append(&w, nuls, lengths[i]);
        say(&w, "three");
        world_await(&w, "one\ntwo\nthree\n");
        assert_int_equal(metrics.lost_bytes, lost + 2 * lengths[i]);
        assert_int_equal(metrics.holes, holes);
        world_free(&w);
        free(nuls);
    }
}

/* The text of a record may hold any bytes. */
static void test_nuls_in_a_record(void **state)
{
    (void)state;
    struct world w;
    struct buf record = {0};
    static const char text[] =
        "one xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    char want[sizeof(text)];
    world_new_local(&w);
    make(&record, "stdout", text, false);
    for (size_t i = 0; i < record.len; i++) {
        record.data[i] = record.data[i] == 'x' ? '\0' : record.data[i];
    }
    append(&w, record.data, record.len);
    say(&w, "two");
    uint64_t holes = metrics.holes, lost = metrics.lost_bytes;
    world_start(&w);
    world_settle(&w);
    memset(want, 0, sizeof(want));
    memcpy(want, "one ", 4);
    want[sizeof(text) - 1] = '\n';
    assert_int_equal(w.out.len, sizeof(text) + 4);
    assert_memory_equal(w.out.data, want, sizeof(text));
    assert_int_equal(metrics.lost_bytes, lost);
    assert_int_equal(metrics.holes, holes);
    buf_free(&record);
    world_free(&w);
}

/* It ends what is read again, although no record follows. */
static void test_damage_alone_behind_what_is_read_again(void **state)
{
    (void)state;
    struct world w;
    world_new_local(&w);
    put(&w, "stdout", world_piece("begun"), true);
    put(&w, "stderr", "one", false);
    world_start(&w);
    world_settle(&w);
    world_checkpoint(&w);
    world_kill(&w);
    uint64_t gaps = metrics.gaps, lost = metrics.lost_bytes;
    append(&w, "damaged, and no record in sight", 31);
    world_start(&w);
    world_settle(&w);
    world_expectf(&w, "one\n%s\n", world_piece("begun"));
    assert_int_equal(metrics.gaps, gaps + 1);
    assert_in_range(metrics.lost_bytes, lost + 20, lost + 31);
    world_checkpoint(&w);
    world_kill(&w);
    world_start(&w);
    world_settle(&w);
    world_expectf(&w, "one\n%s\n", world_piece("begun"));
    assert_int_equal(metrics.gaps, gaps + 1);
    say(&w, "two");
    world_settle(&w);
    world_expectf(&w, "one\n%s\ntwo\n", world_piece("begun"));
    assert_int_equal(metrics.lost_bytes, lost + 31);
    world_free(&w);
}

/* -- start_at: end ----------------------------------------------------------------------------- */

static void include_service(struct config *cfg, const char *service)
{
    free(cfg->include.services.items);
    cfg->include.services.items = calloc(1, sizeof(char *));
    assert_non_null(cfg->include.services.items);
    cfg->include.services.items[0] = strdup(service);
    cfg->include.services.count = 1;
}

static void test_start_at_end(void **state)
{
    (void)state;
    struct world w;
    world_new_local(&w);
    w.cfg->start_at = START_END;
    say(&w, "old");
    world_start(&w);
    say(&w, "new");
    world_settle(&w);
    world_expect(&w, "new\n");
    world_free(&w);
}

/* The line that is being written as we begin is new. */
static void test_start_at_end_inside_a_record(void **state)
{
    (void)state;
    struct world w;
    struct buf record = {0};
    world_new_local(&w);
    w.cfg->start_at = START_END;
    say(&w, "old");
    make(&record, "stdout", long_text, false);
    append(&w, record.data, 50);
    uint64_t gaps = metrics.gaps;
    world_start(&w);
    world_settle(&w);
    append(&w, record.data + 50, record.len - 50);
    world_settle(&w);
    assert_int_equal(w.out.len, sizeof(long_text));
    assert_int_equal(metrics.gaps, gaps);
    buf_free(&record);
    world_free(&w);
}

/* Its metadata can be read only later, and without that it is not wanted: what was there as we began stays
 * out, and what came since comes. */
static void begin_at_end_late(bool local, bool there, bool rotated)
{
    struct world w;
    world_new_json(&w);
    world_container(&w);
    world_rename(&w, CONFIG, "config");
    w.cfg->start_at = START_END;
    include_service(w.cfg, "web");
    const char *log = local ? LOG : JSON_LOG;
    char rotated_log[256];
    snprintf(rotated_log, sizeof(rotated_log), "%s.1", log);
    if (local && there) {
        assert_int_equal(mkdir(world_path(&w, LOGS), 0700), 0);
    }
    if (there && local) {
        say(&w, "old");
    } else if (there) {
        world_write(&w, log,
                    "{\"log\":\"old\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.6Z\"}\n");
    }
    uint64_t gaps = metrics.gaps;
    world_start(&w);
    if (local && !there) {
        assert_int_equal(mkdir(world_path(&w, LOGS), 0700), 0);
    }
    for (int i = 0; i < 2; i++) {
        if (local) {
            say(&w, i == 0 ? "new" : "newer");
        } else {
            world_write(
                &w, log,
                i == 0
                    ? "{\"log\":\"new\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.7Z\"}\n"
                    : "{\"log\":\"newer\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.8Z\"}\n");
        }
        if (rotated && i == 0) {
            world_rename(&w, log, rotated_log);
        }
    }
    world_settle(&w);
    world_expect(&w, "");
    world_write(&w, HOSTCONFIG, local ? IS_LOCAL : "{\"LogConfig\":{\"Type\":\"json-file\"}}");
    world_rename(&w, "config", CONFIG);
    world_await(&w, "new\nnewer\n");
    world_settle(&w);
    world_expect(&w, "new\nnewer\n");
    assert_int_equal(metrics.gaps, gaps);
    world_free(&w);
}

static void test_start_at_end_known_late(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        begin_at_end_late(i & 1, i & 2, i & 4);
    }
}

/* As above, just after a rotation, when all that was written is packed away. */
static void test_start_at_end_of_a_packed_log(void **state)
{
    (void)state;
    struct world w;
    world_new_local(&w);
    world_rename(&w, CONFIG, "config");
    w.cfg->start_at = START_END;
    include_service(w.cfg, "web");
    say(&w, "old");
    world_rename(&w, LOG, LOG ".1");
    world_pack(&w, LOG ".1");
    append(&w, "", 0);
    uint64_t gaps = metrics.gaps;
    world_start(&w);
    say(&w, "new");
    world_rename(&w, "config", CONFIG);
    world_await(&w, "new\n");
    world_settle(&w);
    world_expect(&w, "new\n");
    assert_int_equal(metrics.gaps, gaps);
    world_free(&w);
}

/* Only the driver is unknown: the log that is there tells it, and its lines come at once. */
static void test_start_at_end_driver_known_late(void **state)
{
    (void)state;
    struct world w;
    world_new_local(&w);
    world_rename(&w, HOSTCONFIG, "hostconfig");
    w.cfg->start_at = START_END;
    say(&w, "old");
    world_start(&w);
    say(&w, "new");
    world_await(&w, "new\n");
    world_rename(&w, "hostconfig", HOSTCONFIG);
    say(&w, "newer");
    world_await(&w, "new\nnewer\n");
    world_free(&w);
}

/* -- watches ----------------------------------------------------------------------------------- */

static void test_directory_of_the_log_made_late(void **state)
{
    (void)state;
    struct world w;
    world_new_json(&w);
    world_container(&w);
    world_write(&w, HOSTCONFIG, IS_LOCAL);
    world_start(&w);
    world_settle(&w);
    assert_null(container_of(&w)->log_watch);
    assert_int_equal(mkdir(world_path(&w, LOGS), 0700), 0);
    world_settle(&w);
    assert_non_null(container_of(&w)->log_watch);
    say(&w, "one");
    world_settle(&w); /* sooner than the look once a second */
    world_expect(&w, "one\n");
    world_free(&w);
}

/* Neither of the two is watched, until its name makes it one that is wanted. */
static void not_collected(const char *hostconfig, const char *service)
{
    struct world w;
    world_new_local(&w);
    assert_int_equal(truncate(world_path(&w, HOSTCONFIG), 0), 0);
    world_write(&w, HOSTCONFIG, hostconfig);
    include_service(w.cfg, service);
    say(&w, "one");
    world_start(&w);
    world_settle(&w);
    assert_null(container_of(&w)->watch);
    assert_null(container_of(&w)->log_watch);
    world_write(&w, "config", "{\"ID\":\"" WORLD_ID "\",\"Name\":\"/shop\",\"Config\":{\"Labels\":{}}}");
    world_rename(&w, "config", CONFIG);
    if (strcmp(service, "shop") == 0) {
        world_await(&w, "one\n");
        assert_non_null(container_of(&w)->watch);
        assert_non_null(container_of(&w)->log_watch);
    } else {
        for (int i = 0; i < 3; i++) {
            world_run(&w, 500); /* looks once a second */
            assert_null(container_of(&w)->watch);
        }
        world_expect(&w, "");
    }
    world_free(&w);
}

static void test_not_watched_where_not_collected(void **state)
{
    (void)state;
    not_collected(IS_LOCAL, "shop");
    not_collected("{\"LogConfig\":{\"Type\":\"none\"}}", "web");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_record_waits_for_its_rest),
        cmocka_unit_test(test_torn_record_before_another),
        cmocka_unit_test(test_damage_behind_what_is_read_again),
        cmocka_unit_test(test_damage_alone_behind_what_is_read_again),
        cmocka_unit_test(test_nuls_between_records),
        cmocka_unit_test(test_nuls_in_a_record),
        cmocka_unit_test(test_start_at_end),
        cmocka_unit_test(test_start_at_end_inside_a_record),
        cmocka_unit_test(test_start_at_end_known_late),
        WORLD_TEST_ARCHIVES(test_start_at_end_of_a_packed_log),
        cmocka_unit_test(test_start_at_end_driver_known_late),
        cmocka_unit_test(test_directory_of_the_log_made_late),
        cmocka_unit_test(test_not_watched_where_not_collected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
