/* Lines through all of shaping at once: none is lost or made up, no secret passes, what is called JSON is.
 * The first byte of a line says how it comes: on which stream, escaped or raw, whole or cut. */
#include <jansson.h>

#include "base/json_check.h"
#include "base/text.h"
#include "config/config.h"
#include "fuzz.h"
#include "pipeline/pipeline.h"
#include "record/severity.h"
#include "shape/shape.h"

static struct shape *shape;
static size_t lines;

static size_t count(struct slice text, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n += text.ptr[i] == c;
    }
    return n;
}

static void on_emit(void *arg, const struct record *rec)
{
    (void)arg;
    struct buf raw = {0};
    CHECK((rec->escaped ? text_unescape(&raw, rec->text) : buf_add_slice(&raw, rec->text)) == 0);
    struct slice text = slice_of(raw.data, raw.len);
    CHECK(text.len == 0 || !memmem(text.ptr, text.len, "secret", 6));
    CHECK(rec->level <= SEVERITY_FATAL);
    lines += 1 + count(text, '\n');
    if (rec->extra.len > 0) {
        json_error_t err;
        CHECK(rec->extra.len > 5 && !memcmp(rec->extra.ptr, ",\"m\":", 5) && count(rec->extra, '\n') == 0);
        json_t *json = json_loadb(rec->extra.ptr + 5, rec->extra.len - 5,
                                  JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &err);
        enum json_error_code code =
            json_error_code(&err); /* two things that jansson refuses though they are JSON */
        CHECK(json ? json_is_object(json)
                   : code == json_error_numeric_overflow || code == json_error_null_byte_in_key);
        json_decref(json);
    }
    buf_free(&raw);
}

static void set(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
}

static struct shape *make_shape(void)
{
    struct config *cfg = config_defaults();
    CHECK(cfg);
    set(&cfg->multiline_rule, "auto");
    set(&cfg->parse_json, "m");
    free(cfg->redact.items);
    cfg->redact.items = malloc(sizeof(char *));
    cfg->redact.items[0] = strdup("secret");
    cfg->redact.count = 1;
    cfg->detect_level = true;
    struct shape *made = shape_new(cfg, NULL);
    config_free(cfg);
    CHECK(made);
    return made;
}

static void put_line(struct shape_state *st, uint8_t how, struct slice raw)
{
    struct buf escaped = {0};
    struct record rec = {
        .text = raw, .stream = how & 1, .partial = (how & 6) == 6, .time = SLICE("2026-11-24T05:00:39Z")};
    if (how & 8) {
        CHECK(text_escape(&escaped, raw) == 0);
        rec.text = slice_of(escaped.data, escaped.len);
        rec.escaped = true;
    }
    int result = shape_put(st, &rec, (struct shape_out){.emit = on_emit});
    CHECK(result == PUT_DONE || result == PUT_HELD || result == PUT_HELD_NEW);
    buf_free(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = padded(data, size);
    const char *p = copy, *end = copy + size;
    size_t put = 0;
    shape = shape ? shape : make_shape();
    struct shape_state *st = shape_open(shape);
    CHECK(st);
    lines = 0;
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        if (stop > p) {
            put_line(st, (uint8_t)*p, slice_of(p + 1, (size_t)(stop - p - 1)));
            put++;
        }
        p = stop + 1;
    }
    CHECK(shape_tick(st, INT64_MAX, (struct shape_out){.emit = on_emit}) >= 0);
    CHECK(lines == put && shape_memory(shape) == 0);
    shape_close(st);
    free(copy);
    return 0;
}
