/* How fast lines are decoded and encoded, in GB of input a second on one core, beside what counting their
 * newlines and copying them takes in the same run. Input is from this process's memory; output goes to a
 * buffer that is emptied at 256 KiB.
 *
 * usage: bench_codec [FILE]   (a json-file log; else lines are made up) */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "config/config.h"
#include "decode/decode.h"
#include "encode/encode.h"
#include "lines.h"

#define LINES  400000u
#define BATCH  ((size_t)256 << 10)
#define HASHED 1024
#define ROUNDS 7

static const struct config cfg = {.service = "", .host = "node-1", .color = COLOR_NEVER};

struct job {
    struct slice input;
    struct buf *out;
    struct tags *tags;
    const struct decoder *decoder; /* NULL: count newlines, or copy when there is an out */
    const struct encoder *encoder; /* NULL: only decode */
    uint64_t lines, slow;          /* what came of it; slow: lines whose text came raw */
};

static void count_newlines(struct job *job)
{
    const char *p = job->input.ptr, *end = p + job->input.len;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        job->lines++;
        p++;
    }
}

static void copy(struct job *job)
{
    for (size_t at = 0; at < job->input.len; at += BATCH) {
        size_t len = job->input.len - at < BATCH ? job->input.len - at : BATCH;
        memcpy(job->out->data, job->input.ptr + at, len);
        __asm__ volatile("" ::: "memory"); /* each copy is made */
    }
}

static void convert(struct job *job)
{
    const char *p = job->input.ptr, *end = p + job->input.len;
    struct buf scratch = {0};
    struct record rec;
    void *state = job->encoder && job->encoder->open ? job->encoder->open(&cfg, false) : NULL;
    for (size_t taken; (taken = job->decoder->next(p, end, &rec, &scratch)) > 0; p += taken) {
        __asm__ volatile("" ::"r"(&rec) : "memory");
        job->lines++;
        job->slow += !rec.escaped;
        if (!job->encoder) {
            continue;
        }
        if (job->out->len >= BATCH) { /* sources hash what they proved themselves by so often at least */
            __asm__ volatile("" ::"r"(hash64(job->out->data, HASHED)) : "memory");
            job->out->len = 0;
        }
        if (job->encoder->encode(state, job->tags, &rec, job->out) < 0) {
            exit(1);
        }
    }
    if (state) {
        job->encoder->close(state);
    }
    buf_free(&scratch);
}

/* The best of some rounds. */
static void measure(const char *name, struct job job)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        job.lines = job.slow = 0;
        int64_t start = clock_monotonic();
        if (job.decoder) {
            convert(&job);
        } else if (job.out) {
            copy(&job);
        } else {
            count_newlines(&job);
        }
        int64_t took = clock_monotonic() - start;
        best = took < best ? took : best;
    }
    printf("%-24s %6.2f GB/s", name, (double)job.input.len / (double)best);
    if (job.lines > 0) {
        printf("  %6.1f million lines/s  %5.1f ns a line", (double)job.lines * 1e3 / (double)best,
               (double)best / (double)job.lines);
    }
    printf(job.slow ? "  (%llu to be escaped)\n" : "\n", (unsigned long long)job.slow);
}

/* The same lines as the programs wrote them: plain text, to be escaped. */
static void measure_plain(struct job job)
{
    struct buf plain = {0};
    const char *p = job.input.ptr, *end = p + job.input.len;
    struct buf scratch = {0};
    struct record rec;
    for (size_t taken; (taken = job.decoder->next(p, end, &rec, &scratch)) > 0; p += taken) {
        if (encoder_raw.encode(NULL, job.tags, &rec, &plain) < 0) {
            exit(1);
        }
    }
    if (buf_reserve(&plain, DECODE_PAD) < 0) {
        exit(1);
    }
    job.input = slice_of(plain.data, plain.len);
    job.decoder = &decoder_plain;
    job.encoder = &encoder_json;
    measure("plain, encode json", job);
    buf_free(&plain);
    buf_free(&scratch);
}

static int add_length(struct buf *out, size_t len)
{
    uint32_t length = __builtin_bswap32((uint32_t)len);
    return buf_add(out, &length, sizeof(length));
}

static int add_number(struct buf *out, char tag, uint64_t number)
{
    char bytes[11] = {tag};
    size_t len = 1;
    for (; number >= 0x80; number >>= 7) {
        bytes[len++] = (char)(number | 0x80);
    }
    bytes[len++] = (char)number;
    return buf_add(out, bytes, len);
}

/* As driver local writes the record. */
static int add_local(struct buf *out, struct buf *message, const struct record *rec)
{
    struct buf text = {0};
    int64_t ns;
    message->len = 0;
    int failed =
        clock_parse(rec->time, &ns) < 0 || text_unescape(&text, rec->text) < 0 ||
        buf_add(message, rec->stream == STREAM_STDERR ? "\x0a\x06stderr" : "\x0a\x06stdout", 8) < 0 ||
        add_number(message, 0x10, (uint64_t)ns) < 0 || add_number(message, 0x1a, text.len) < 0 ||
        buf_add(message, text.data, text.len) < 0 || add_length(out, message->len) < 0 ||
        buf_add(out, message->data, message->len) < 0 || add_length(out, message->len) < 0;
    buf_free(&text);
    return failed ? -1 : 0;
}

/* The same lines in driver local's files. */
static void measure_local(struct job job)
{
    struct buf local = {0}, message = {0}, scratch = {0};
    const char *p = job.input.ptr, *end = p + job.input.len;
    struct record rec;
    for (size_t taken; (taken = job.decoder->next(p, end, &rec, &scratch)) > 0; p += taken) {
        if (add_local(&local, &message, &rec) < 0) {
            exit(1);
        }
    }
    if (buf_reserve(&local, DECODE_PAD) < 0) {
        exit(1);
    }
    job.input = slice_of(local.data, local.len);
    job.decoder = &decoder_local;
    job.encoder = NULL;
    measure("local, decode", job);
    job.encoder = &encoder_json;
    measure("local, encode json", job);
    buf_free(&local);
    buf_free(&message);
    buf_free(&scratch);
}

static int read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return -1;
    }
    size_t got = 1;
    while (got > 0 && buf_reserve(out, 1 << 20) == 0) {
        got = fread(out->data + out->len, 1, 1 << 20, file);
        out->len += got;
    }
    int failed = ferror(file);
    fclose(file);
    return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct buf input = {0}, out = {0};
    json_t *labels =
        json_pack("{ssss}", "com.docker.compose.project", "shop", "com.docker.compose.service", "web");
    struct identity who = {.id = "909cac8e12615d0ea0b6d1a5b5a9a1f5d0c4e4f1b9e1a2b3c4d5e6f708192a3b",
                           .name = "/shop_web_1",
                           .labels = labels};
    struct tags *tags = tags_new(&who, &cfg);
    if (!tags || (argc > 1 ? read_file(argv[1], &input) : lines_make(&input, 0, LINES, 7)) < 0 ||
        buf_reserve(&input, DECODE_PAD) < 0 || buf_reserve(&out, 2 * BATCH) < 0) {
        perror(argc > 1 ? argv[1] : "bench_codec");
        return 1;
    }
    struct job job = {.input = {input.data, input.len}, .tags = tags};
    printf("%.1f MB of lines\n", (double)input.len / 1e6);
    measure("memchr, newlines", job);
    job.out = &out;
    measure("memcpy", job);
    job.decoder = &decoder_json_file;
    measure("decode", job);
    const struct encoder *encoders[] = {&encoder_json, &encoder_logfmt, &encoder_raw, &encoder_pretty};
    for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
        char name[32];
        snprintf(name, sizeof(name), "decode, encode %s", encoders[i]->name);
        job.encoder = encoders[i];
        measure(name, job);
    }
    measure_plain(job);
    measure_local(job);
    tags_unref(tags);
    json_decref(labels);
    buf_free(&input);
    buf_free(&out);
    return 0;
}
