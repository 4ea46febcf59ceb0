/* A start of the file sink after a kill, whatever the directory holds then. The file that the checkpoint names, under
 * whichever name, holds the bytes that were saved, and what it got since is cut off; one that was shortened stays as it
 * is. All that is not that file is as it was, or, where the sink rotates and by its rules, compressed or removed. What is
 * written then comes behind that, a kill takes back exactly what was not saved, and a start after a save changes nothing.
 *
 * One thing is allowed: where another file lies at the path that begins as the saved one does (64 bytes or more) and is
 * as long, it counts as a copy that was restored, and is cut in the stead of that one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "fuzz.h"
#include "sink/sink.h"

static const char *const names[] = {"out",          "out.1", "out.2",   "out.3",     "out.7",
                                    "out-20261124", "other", "out.new", "out.gz.new"};
#define NAMES     (sizeof(names) / sizeof(names[0]))
#define OUT       0
#define KEEP      2
#define LINE      "a line of the next batch\n"
#define GONE      NAMES /* no file of the directory */
#define COPY_HEAD 64    /* bytes that make a copy known, as recover.c has it */

struct found {
    bool there;
    ino_t ino;
    struct buf text;
};

static char dir[64];
static struct config cfg;
static struct event_base *base;
static struct checkpoint *checkpoint;
static struct sink *sink;
static struct batch *batch;
static bool ready, acked;

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static struct found look(const char *name)
{
    struct found f = {0};
    struct stat st;
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return f;
    }
    CHECK(fstat(fd, &st) == 0 && buf_reserve(&f.text, (size_t)st.st_size + 1) == 0);
    CHECK(read(fd, f.text.data, (size_t)st.st_size) == st.st_size);
    f.there = true;
    f.ino = st.st_ino;
    f.text.len = (size_t)st.st_size;
    close(fd);
    return f;
}

static void look_at_all(struct found all[NAMES])
{
    for (size_t i = 0; i < NAMES; i++) {
        all[i] = look(names[i]);
    }
}

static void free_all(struct found all[NAMES])
{
    for (size_t i = 0; i < NAMES; i++) {
        buf_free(&all[i].text);
    }
}

static struct slice text_of(const struct found *f)
{
    return slice_of(f->text.data, f->text.len);
}

static void write_file(const char *name, struct slice first, struct slice then)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, first.ptr, first.len) == (ssize_t)first.len);
    CHECK(write(fd, then.ptr, then.len) == (ssize_t)then.len);
    close(fd);
}

/* -- the sink ---------------------------------------------------------------------------------- */

static void on_ready(void *arg)
{
    (void)arg;
    ready = true;
}

static void on_acked(void *arg, struct batch *b)
{
    (void)arg;
    CHECK(b == batch && !acked);
    acked = true;
}

static void on_failed(void *arg, int exit_code, const struct error *err)
{
    (void)arg, (void)exit_code, (void)err;
    abort();
}

static void start(void)
{
    struct error err = {0};
    base = loop_new();
    checkpoint = checkpoint_new();
    CHECK(base && checkpoint);
    CHECK(checkpoint_load(checkpoint, path_of("saved/checkpoint"), INT64_MAX, &err) == 0);
    struct sink_env env = {base, &cfg, checkpoint, {on_ready, on_acked, on_failed, NULL}};
    ready = false;
    CHECK((sink = sink_file.open(&env, &err)));
    for (int turns = 0; turns < 20; turns++) { /* what is small is compressed within a few */
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    CHECK(ready);
}

static void end(void)
{
    sink->ops->close(sink);
    checkpoint_free(checkpoint);
    event_base_free(base);
    if (batch) {
        batch_free(batch);
        batch = NULL;
    }
}

static void write_line(void)
{
    batch = batch_new();
    CHECK(batch && buf_add_slice(&batch->out, SLICE(LINE)) == 0);
    batch->lines = 1;
    acked = false;
    sink->ops->submit(sink, batch);
    CHECK(acked);
}

static void save(void)
{
    struct error err;
    CHECK(sink->ops->sync(sink, &err) == 0 && checkpoint_save(checkpoint, &err) == 0);
}

/* -- what a kill left -------------------------------------------------------------------------- */

/* The file that the checkpoint names. */
struct known {
    size_t name; /* its index, or GONE */
    ino_t ino;
    struct slice saved;
    size_t head_len;
    bool shortened;
};

/* Saves a checkpoint that names the file, as it was when it held what was saved. */
static void name_output(const char *name, struct known *known)
{
    struct error err;
    struct stat st;
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    known->ino = st.st_ino;
    known->head_len = known->saved.len < FILE_ID_HEAD ? known->saved.len : FILE_ID_HEAD;
    struct file_pos pos = {.file = {.dev = st.st_dev,
                                    .ino = st.st_ino,
                                    .head_len = (uint32_t)known->head_len,
                                    .head_hash = XXH3_64bits(known->saved.ptr, known->head_len)},
                           .offset = known->saved.len,
                           .mtime_ns = fd_birth(fd)};
    close(fd);
    struct checkpoint *c = checkpoint_new();
    CHECK(c && checkpoint_load(c, path_of("saved/checkpoint"), INT64_MAX, &err) == 0);
    checkpoint_set_output(c, &pos);
    CHECK(checkpoint_save(c, &err) == 0);
    checkpoint_free(c);
}

/* Its name, what was saved, and what came behind it or was cut off. */
static struct known make_output(struct asked *a)
{
    struct known known = {.name = asked_byte(a) % (NAMES + 1)};
    uint8_t how = asked_byte(a);
    const char *name = known.name == GONE ? "gone" : names[known.name];
    known.saved = asked_bytes(a, (size_t)asked_byte(a) * (how & 1 ? 8 : 1));
    write_file(name, known.saved, (struct slice){0});
    name_output(name, &known);
    if (how & 2) {
        size_t left = asked_byte(a);
        known.shortened = left < known.saved.len;
        write_file(name, slice_of(known.saved.ptr, known.shortened ? left : known.saved.len),
                   (struct slice){0});
    } else {
        write_file(name, known.saved, asked_bytes(a, asked_byte(a)));
    }
    if (known.name == GONE) {
        unlink(path_of(name)); /* its inode may be used anew */
    }
    return known;
}

/* The other files: none, of any bytes, or beginning as the output. */
static void make_others(struct asked *a, const struct known *known)
{
    for (size_t i = 0; i < NAMES; i++) {
        uint8_t how = asked_byte(a);
        if (i != known->name && how & 1) {
            size_t alike = how & 2 ? (size_t)asked_byte(a) * 8 : 0;
            alike = alike < known->saved.len ? alike : known->saved.len;
            write_file(names[i], slice_of(known->saved.ptr, alike), asked_bytes(a, how >> 4));
        }
    }
}

/* -- what a start makes of it ------------------------------------------------------------------ */

static bool is_packed(const char *name, struct slice text)
{
    char packed[64], back[8192];
    snprintf(packed, sizeof(packed), "%s.gz", name);
    gzFile gz = gzopen(path_of(packed), "r");
    int len = gz ? gzread(gz, back, sizeof(back)) : -1;
    bool same = len >= 0 && !gzdirect(gz) && slice_eq(slice_of(back, (size_t)len), text);
    if (gz) {
        gzclose(gz);
    }
    return same;
}

static bool begins_so(struct slice text, const struct known *known)
{
    return text.len >= known->saved.len && !memcmp(text.ptr, known->saved.ptr, known->head_len);
}

/* May the sink have taken this name away? */
static bool may_go(size_t i, struct slice text)
{
    bool rotates = cfg.file_rotate_bytes > 0;
    const char *number = strncmp(names[i], "out.", 4) == 0 ? names[i] + 4 : "";
    if (!rotates || !*number) {
        return false;
    }
    if (!strcmp(number, "new")) {
        return text.len == 0;
    }
    if (!strcmp(number, "gz.new")) {
        return cfg.file_compress;
    }
    return atoi(number) > KEEP || (cfg.file_compress && is_packed(names[i], text));
}

/* Does another file lie at the path that is taken for a copy of the known one? */
static bool has_copy(const struct found before[NAMES], const struct known *known)
{
    return known->name != OUT && known->head_len >= COPY_HEAD && begins_so(text_of(&before[OUT]), known);
}

/* What the file of that name has to hold. */
static struct slice expected(size_t i, const struct found before[NAMES], const struct known *known)
{
    size_t cut = has_copy(before, known) ? OUT : known->shortened ? GONE : known->name;
    struct slice text = text_of(&before[i]);
    return i == cut ? slice_of(text.ptr, known->saved.len) : text;
}

static void check_start(const struct found before[NAMES], const struct known *known)
{
    struct found after[NAMES];
    look_at_all(after);
    CHECK(after[OUT].there);
    for (size_t i = 0; i < NAMES; i++) {
        struct slice text = expected(i, before, known);
        if (after[i].there) {
            CHECK(slice_eq(text_of(&after[i]), text));
            CHECK(before[i].there ? before[i].ino == after[i].ino : i == OUT);
        } else {
            CHECK(!before[i].there || may_go(i, text));
        }
    }
    free_all(after);
}

/* What is there after a start. */
static void expect_out(const struct buf *text)
{
    struct found out = look(names[OUT]);
    CHECK(slice_eq(text_of(&out), slice_of(text->data, text->len)));
    buf_free(&out.text);
}

/* Writes, saves, writes again and is killed; and once more without having written. */
static void check_going_on(void)
{
    struct found out = look(names[OUT]);
    struct buf *text = &out.text;
    bool torn = text->len > 0 && text->data[text->len - 1] != '\n';
    CHECK(buf_add(text, "\n", torn) == 0 && buf_add_slice(text, SLICE(LINE)) == 0);
    write_line();
    expect_out(text);
    save();
    batch_free(batch);
    write_line();
    end();
    for (int i = 0; i < 2; i++) {
        start();
        expect_out(text);
        end();
    }
    buf_free(text);
}

/* -- runs -------------------------------------------------------------------------------------- */

static void empty_directory(void)
{
    for (size_t i = 0; i < NAMES; i++) {
        char packed[64];
        snprintf(packed, sizeof(packed), "%s.gz", names[i]);
        unlink(path_of(names[i]));
        unlink(path_of(packed));
    }
    unlink(path_of("saved/checkpoint"));
}

static void clean_up(void)
{
    empty_directory();
    unlink(path_of("saved/checkpoint.lock"));
    rmdir(path_of("saved"));
    rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_directory(dir, sizeof(dir));
    CHECK(mkdir(path_of("saved"), 0700) == 0);
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    cfg = (struct config){.file_path = strdup(path_of(names[OUT])), .file_keep = KEEP};
    return atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asked a = {data, data + size};
    struct found before[NAMES];
    uint8_t how = asked_byte(&a);
    cfg.file_rotate_bytes = how & 1 ? 1 << 20 : 0;
    cfg.file_compress = how & 2;
    struct known known = make_output(&a);
    make_others(&a, &known);
    look_at_all(before);
    start();
    check_start(before, &known);
    free_all(before);
    check_going_on();
    empty_directory();
    return 0;
}
