#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "source/files/files.h"
#include "under_valgrind.h"

struct memory_sink {
    struct sink sink;
    struct world *world;
    struct sink_events events;
};

static struct memory_sink the_sink;

const char *world_parent = "/tmp";

static void submit(struct sink *sink, struct batch *batch)
{
    struct memory_sink *m = (struct memory_sink *)sink;
    struct world *w = m->world;
    if (w->stalled) {
        struct batch **end = &w->waiting;
        while (*end) {
            end = &(*end)->next;
        }
        *end = batch;
        return;
    }
    assert_int_equal(buf_add(&w->out, batch->out.data, batch->out.len), 0);
    m->events.acked(m->events.arg, batch);
}

static int sync_output(struct sink *sink, struct error *err)
{
    (void)err;
    struct world *w = ((struct memory_sink *)sink)->world;
    checkpoint_set_output(w->positions, &(struct file_pos){.offset = w->out.len});
    return 0;
}

static void nothing(struct sink *sink)
{
    (void)sink;
}

static const struct sink_ops memory_ops = {.name = "memory",
                                           .exact = true,
                                           .submit = submit,
                                           .drain = nothing,
                                           .sync = sync_output,
                                           .close = nothing};

static void resume(void *arg)
{
    struct world *w = arg;
    w->source->ops->resume(w->source);
}

void world_new(struct world *w)
{
    *w = (struct world){0};
    snprintf(w->dir, sizeof(w->dir), "%s/sidetail-test-XXXXXX", world_parent);
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->checkpoint, sizeof(w->checkpoint), "%s/checkpoint", w->dir);
    w->cfg = config_defaults();
    assert_non_null(w->cfg);
    w->cfg->format = FORMAT_RAW;
    w->cfg->batch_age = NS_PER_MS;
    w->cfg->checkpoint_interval = 3600 * NS_PER_S; /* only when the test says so */
}

void world_new_plain(struct world *w)
{
    char pattern[128];
    world_new(w);
    w->cfg->source = SOURCE_FILES;
    snprintf(pattern, sizeof(pattern), "%s/{service}/*.log", w->dir);
    free(w->cfg->files_include.items);
    w->cfg->files_include.items = calloc(1, sizeof(char *));
    assert_non_null(w->cfg->files_include.items);
    w->cfg->files_include.items[0] = strdup(pattern);
    w->cfg->files_include.count = 1;
    assert_int_equal(mkdir(world_path(w, "web"), 0755), 0);
}

void world_new_json(struct world *w)
{
    world_new(w);
    w->cfg->source = SOURCE_JSON_FILE;
    free(w->cfg->json_file_path);
    w->cfg->json_file_path = strdup(w->dir);
}

void world_container(struct world *w)
{
    assert_int_equal(mkdir(world_path(w, WORLD_ID), 0755), 0);
    world_write(w, WORLD_ID "/config.v2.json",
                "{\"ID\":\"" WORLD_ID "\",\"Name\":\"/web\",\"Config\":{\"Labels\":{}}}");
}

void world_start(struct world *w)
{
    struct error err = {0};
    w->base = loop_new();
    w->positions = checkpoint_new();
    assert_int_equal(checkpoint_load(w->positions, w->checkpoint, 3600 * NS_PER_S, &err), 0);
    const struct file_pos *output = checkpoint_output(w->positions);
    w->out.len = output ? output->offset : 0;
    w->pipeline = pipeline_new(w->base, w->cfg, w->positions, &err);
    assert_non_null(w->pipeline);
    the_sink = (struct memory_sink){{&memory_ops}, w, pipeline_sink_events(w->pipeline)};
    pipeline_set_sink(w->pipeline, &the_sink.sink);
    struct source_env env = {
        .base = w->base, .cfg = w->cfg, .pipeline = w->pipeline, .checkpoint = w->positions};
    const struct source_ops *ops = source_choose(w->cfg);
    w->source = ops->open(&env, &err);
    if (!w->source) {
        fail_msg("%s", err.text);
    }
    pipeline_set_source(w->pipeline, (struct source_calls){resume, w});
}

void world_run(struct world *w, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_base_loopexit(w->base, &tv);
    event_base_dispatch(w->base);
}

/* Is a rotated file still held on to, for those who may yet write to it? */
static bool is_leaving(const struct world *w)
{
    return w->source->ops == &source_files &&
           evtimer_pending(((const struct files *)w->source)->set.tailer->later, NULL);
}

static int is_readable(const struct event_base *base, const struct event *ev, void *arg)
{
    (void)base, (void)arg;
    struct pollfd p = {.fd = event_get_fd(ev), .events = POLLIN};
    return (event_get_events(ev) & EV_READ) && p.fd >= 0 && poll(&p, 1, 0) > 0;
}

/* Is there something left to do at once? A slow machine, or valgrind, may not have come to it. */
static bool is_busy(struct world *w)
{
    return event_base_get_num_events(w->base, EVENT_BASE_COUNT_ACTIVE) > 0 ||
           event_base_foreach_event(w->base, is_readable, NULL) != 0;
}

/* One look may end just before a timer that is due: it takes two in which nothing happens. */
void world_settle(struct world *w)
{
    int look = under_valgrind() ? 60 : 15;
    for (int quiet = 0; quiet < 2;) {
        size_t before = w->out.len;
        bool leaving = is_leaving(w);
        world_run(w, look);
        quiet = w->out.len != before || leaving || is_leaving(w) || is_busy(w) ? 0 : quiet + 1;
    }
}

static void flushed(void *arg)
{
    *(bool *)arg = true;
}

/* What the pipeline holds must be with the sink first. After that drain it takes nothing more: hence the
 * restart. */
void world_save(struct world *w)
{
    bool done = false;
    pipeline_drain(w->pipeline, flushed, &done);
    assert_true(done);
    world_kill(w);
    world_start(w);
}

void world_checkpoint(struct world *w)
{
    assert_int_equal(pipeline_save(w->pipeline), 0);
}

void world_kill(struct world *w)
{
    w->source->ops->close(w->source);
    pipeline_free(w->pipeline);
    checkpoint_free(w->positions);
    event_base_free(w->base);
    w->base = NULL;
    w->waiting = NULL;
}

void world_unstall(struct world *w)
{
    w->stalled = false;
    while (w->waiting) {
        struct batch *b = w->waiting;
        w->waiting = b->next;
        submit(&the_sink.sink, b);
    }
}

void world_expect(const struct world *w, const char *text)
{
    if (!slice_eq(slice_of(w->out.data, w->out.len), slice_str(text))) {
        fail_msg("expected <<%s>>, got <<%.*s>>", text, (int)w->out.len, w->out.data ? w->out.data : "");
    }
}

void world_await(struct world *w, const char *text)
{
    for (int i = 0; i < 2000 && w->out.len < strlen(text); i++) {
        world_run(w, 10);
    }
    world_expect(w, text);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void world_free(struct world *w)
{
    if (w->base) {
        world_kill(w);
    }
    buf_free(&w->out);
    config_free(w->cfg);
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void world_as_nobody(struct world *w)
{
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(w->dir, 0777), 0);
    assert_int_equal(chmod(world_path(w, "web"), 0777), 0);
    assert_int_equal(seteuid(65534), 0);
}

void world_as_root(void)
{
    assert_int_equal(seteuid(0), 0);
}

int world_back_to_root(void **state)
{
    (void)state;
    return getuid() == 0 ? seteuid(0) : 0;
}

const char *world_path(struct world *w, const char *name)
{
    static char paths[4][256];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", w->dir, name);
    return path;
}

void world_write(struct world *w, const char *name, const char *text)
{
    int fd = open(world_path(w, name), O_WRONLY | O_APPEND | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

void world_rename(struct world *w, const char *from, const char *to)
{
    assert_int_equal(rename(world_path(w, from), world_path(w, to)), 0);
}

void world_age(struct world *w, const char *name)
{
    struct timespec times[2] = {{0, UTIME_OMIT}, {time(NULL) - 3600, 0}};
    assert_int_equal(utimensat(AT_FDCWD, world_path(w, name), times, 0), 0);
}

void world_copy(struct world *w, const char *from, const char *to)
{
    char command[600];
    snprintf(command, sizeof(command), "cp %s %s", world_path(w, from), world_path(w, to));
    assert_int_equal(system(command), 0);
}

void world_truncate_to(struct world *w, const char *name, const char *text)
{
    assert_int_equal(truncate(world_path(w, name), 0), 0);
    world_write(w, name, text);
}

const char *const world_suffixes[2] = {".gz", ".zst"}, *world_suffix = ".gz";

int world_use_gzip(void **state)
{
    (void)state;
    world_suffix = world_suffixes[0];
    return 0;
}

int world_use_zstd(void **state)
{
    (void)state;
    world_suffix = world_suffixes[1];
    return 0;
}

const char *world_packed(const char *name)
{
    static char names[4][300];
    static unsigned next;
    char *packed = names[next++ % 4];
    snprintf(packed, sizeof(names[0]), "%s%s", name, world_suffix);
    return packed;
}

static void write_gzip(const char *path, const char *bytes, size_t len)
{
    gzFile gz = gzopen(path, "wb1");
    assert_non_null(gz);
    assert_int_equal(gzwrite(gz, bytes, (unsigned)len), len);
    gzclose(gz);
}

/* As `zstd <file >archive` does: the length is not told. */
static void write_zstd(const char *path, const char *bytes, size_t len)
{
    ZSTD_CStream *zst = ZSTD_createCStream();
    FILE *file = fopen(path, "wb");
    char block[4096];
    ZSTD_inBuffer in = {bytes, len, 0};
    size_t left = 1;
    assert_true(zst && file);
    ZSTD_CCtx_setParameter(zst, ZSTD_c_checksumFlag, 1);
    while (left > 0) {
        ZSTD_outBuffer out = {block, sizeof(block), 0};
        bool last = in.pos == len;
        left = ZSTD_compressStream2(zst, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        assert_false(ZSTD_isError(left));
        left = last ? left : 1;
        assert_int_equal(fwrite(block, 1, out.pos, file), out.pos);
    }
    ZSTD_freeCStream(zst);
    assert_int_equal(fclose(file), 0);
}

void world_pack(struct world *w, const char *name)
{
    char block[4096];
    struct buf bytes = {0};
    int fd = open(world_path(w, name), O_RDONLY);
    assert_true(fd >= 0);
    for (ssize_t n; (n = read(fd, block, sizeof(block))) > 0;) {
        assert_int_equal(buf_add(&bytes, block, (size_t)n), 0);
    }
    close(fd);
    const char *path = world_path(w, world_packed(name));
    (world_suffix == world_suffixes[0] ? write_gzip : write_zstd)(path, bytes.data, bytes.len);
    buf_free(&bytes);
    assert_int_equal(unlink(world_path(w, name)), 0);
}

const char *world_piece(const char *beginning)
{
    static char pieces[4][PIECE_MIN + 1];
    static unsigned next;
    char *piece = pieces[next++ % 4];
    size_t len = strlen(beginning);
    memset(piece, '.', PIECE_MIN);
    memcpy(piece, beginning, len);
    return piece;
}

void world_write_entry(struct world *w, const char *name, const char *text)
{
    struct buf entry = {0};
    assert_int_equal(
        buf_addf(&entry,
                 "{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"2026-11-24T05:00:39.668510088Z\"}\n",
                 text) |
            buf_add(&entry, "", 1),
        0);
    world_write(w, name, entry.data);
    buf_free(&entry);
}

void world_expectf(const struct world *w, const char *format, ...)
{
    va_list args;
    char *text;
    va_start(args, format);
    assert_true(vasprintf(&text, format, args) >= 0);
    va_end(args);
    world_expect(w, text);
    free(text);
}
