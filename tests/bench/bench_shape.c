/* What each option of shaping costs a line, on top of decoding and encoding it: json-file lines from memory
 * to JSON lines in memory, one core. Each option is measured beside "off" of the same round, and the best of
 * some rounds counts. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/config.h"
#include "decode/decode.h"
#include "encode/encode.h"
#include "lines.h"
#include "shape/shape.h"

#define LINES  200000u
#define BATCH  ((size_t)256 << 10)
#define ROUNDS 9

static const struct option {
    const char *name, *json;
} options[] = {
    {"off", NULL},
    {"rate_limit (none dropped)", "{\"rate_limit\": 1000000000}"},
    {"detect_level", "{\"detect_level\": true}"},
    {"parse_json", "{\"parse_json\": \"message\"}"},
    {"drop, one literal", "{\"drop\": [\"GET /healthz\"]}"},
    {"drop, three expressions", "{\"drop\": [\"^DEBUG\", \"(?i)heartbeat\", \"status=2\\\\d\\\\d$\"]}"},
    {"redact, password=", "{\"redact\": [\"password=\\\\S+\"]}"},
    {"redact, e-mail, card, token", "{\"redact\": [\"[\\\\w.+-]+@[\\\\w-]+\\\\.[\\\\w.]+\", "
                                    "\"\\\\b(?:\\\\d{4}[ -]?){3}\\\\d{4}\\\\b\", \"Bearer \\\\S+\"]}"},
    {"multiline java", "{\"multiline\": {\"rule\": \"java\"}}"},
    {"multiline python", "{\"multiline\": {\"rule\": \"python\"}}"},
    {"multiline go", "{\"multiline\": {\"rule\": \"go\"}}"},
    {"multiline node", "{\"multiline\": {\"rule\": \"node\"}}"},
    {"multiline auto", "{\"multiline\": {\"rule\": \"auto\"}}"},
    {"multiline regex (each a group)", "{\"multiline\": {\"rule\": \"regex\", \"first\": \"^\\\\S\"}}"},
    {"all", "{\"multiline\": {\"rule\": \"auto\"}, \"detect_level\": true, \"parse_json\": \"message\", "
            "\"rate_limit\": 1000000000,"
            " \"drop\": [\"GET /healthz\"], \"redact\": [\"password=\\\\S+\"]}"},
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

struct job {
    struct slice input;
    struct buf out;
    struct tags *tags;
    void *encoder;
    uint64_t records;
};

static void on_emit(void *arg, const struct record *rec)
{
    struct job *job = arg;
    if (job->out.len >= BATCH) {
        job->out.len = 0;
    }
    if (encoder_json.encode(job->encoder, job->tags, rec, &job->out) < 0) {
        exit(1);
    }
    job->records++;
}

static int64_t run(struct job *job, struct shape *shape)
{
    const char *p = job->input.ptr, *end = p + job->input.len;
    struct buf scratch = {0};
    struct record rec;
    struct shape_state *st = shape ? shape_open(shape) : NULL;
    struct shape_out out = {.emit = on_emit, .arg = job};
    job->records = 0;
    int64_t start = clock_monotonic();
    for (size_t taken; (taken = decoder_json_file.next(p, end, &rec, &scratch)) > 0; p += taken) {
        if (!st) {
            on_emit(job, &rec);
        } else if (shape_put(st, &rec, out) < 0) {
            exit(1);
        }
    }
    if (st) {
        shape_tick(st, INT64_MAX, out);
    }
    int64_t took = clock_monotonic() - start;
    shape_close(st);
    buf_free(&scratch);
    return took;
}

/* The shaper of an option, by the way a user's configuration goes. */
static struct shape *make_shape(const struct option *option)
{
    struct error err = {0};
    if (!option->json) {
        return NULL;
    }
    char path[] = "/tmp/sidetail-bench.XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file || fputs(option->json, file) < 0 || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    struct config *cfg = config_load(path, &err);
    struct shape *shape = cfg ? shape_new(cfg, &err) : NULL;
    remove(path);
    config_free(cfg);
    if (!shape) {
        fprintf(stderr, "bench_shape: %s: %s\n", option->name, err.text);
        exit(1);
    }
    return shape;
}

int main(void)
{
    static const struct config plain = {.service = "", .host = "node-1", .color = COLOR_NEVER};
    const struct identity who = {.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                                 .name = "/shop_web_1"};
    struct buf input = {0};
    struct shape *shapes[OPTIONS];
    int64_t best[OPTIONS];
    uint64_t records[OPTIONS];
    if (lines_make(&input, 0, LINES, 1) < 0 || buf_reserve(&input, DECODE_PAD) < 0) {
        return 1;
    }
    struct job job = {.input = slice_of(input.data, input.len), .tags = tags_new(&who, &plain)};
    job.encoder = encoder_json.open(&plain, false);
    if (!job.tags || !job.encoder) {
        return 1;
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        shapes[i] = make_shape(&options[i]);
        best[i] = INT64_MAX;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < OPTIONS; i++) {
            int64_t took = run(&job, shapes[i]);
            best[i] = took < best[i] ? took : best[i];
            records[i] = job.records;
        }
    }
    printf("%u lines of %zu bytes on the average\n", LINES, input.len / LINES);
    for (size_t i = 0; i < OPTIONS; i++) {
        printf("%-32s %6.1f ns a line  %+7.1f  %5.2f GB/s  %llu records\n", options[i].name,
               (double)best[i] / LINES, (double)(best[i] - best[0]) / LINES,
               (double)input.len / (double)best[i], (unsigned long long)records[i]);
        shape_unref(shapes[i]);
    }
    encoder_json.close(job.encoder);
    tags_unref(job.tags);
    buf_free(&job.out);
    buf_free(&input);
    return 0;
}
