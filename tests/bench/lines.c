#include "lines.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"

#define START_NS (INT64_C(1795496400) * NS_PER_S) /* 2026-11-24T05:00:00Z */
#define STEP_NS  INT64_C(21007919)

struct maker {
    uint64_t seed;
    struct buf text;
};

static uint32_t draw(struct maker *m, uint32_t below)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(m->seed >> 33) % below;
}

static const char *word(struct maker *m)
{
    static const char *const words[] = {
        "GET",   "POST",  "user", "order", "payment", "timeout", "retry", "handler", "request", "db",
        "query", "cache", "miss", "hit",   "ok",      "error",   "warn",  "started", "finished"};
    return words[draw(m, sizeof(words) / sizeof(words[0]))];
}

static int add_words(struct maker *m, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (buf_addf(&m->text, "%s%s", i ? " " : "", word(m)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What the program wrote, with its newline. */
static int add_message(struct maker *m, unsigned i)
{
    uint32_t kind = draw(m, 100);
    if (kind < 50) {
        return buf_addf(&m->text,
                        "10.0.%u.%u - - \"GET /api/v1/%s/%u HTTP/1.1\" 200 %u \"-\" \"Mozilla/5.0 (X11; "
                        "Linux x86_64)\"\n",
                        i % 256, i % 199, word(m), i, 100 + draw(m, 99900));
    }
    if (kind < 80) {
        return buf_addf(&m->text, "{\"level\": \"info\", \"ts\": %u, \"msg\": \"", 1700000000 + i) < 0 ||
                       add_words(m, 8) < 0
                   ? -1
                   : buf_addf(&m->text, "\", \"id\": %u}\n", i);
    }
    if (kind < 97) {
        return buf_addf(&m->text, "%08u INFO  ", i) < 0 || add_words(m, 3 + draw(m, 28)) < 0
                   ? -1
                   : buf_add(&m->text, "\n", 1);
    }
    return buf_addf(&m->text, "\x1b[31mERROR\x1b[0m \tприложение упало №%u — C:\\path\\to <b>&amp;</b>\n", i);
}

/* As Go's encoder escapes it: `<`, `>` and `&` too. */
static int add_escaped(struct buf *out, struct buf *text)
{
    char *start = text->data, *end = text->data + text->len;
    for (char *p = start; p <= end; p++) {
        if (p < end && *p != '<' && *p != '>' && *p != '&') {
            continue;
        }
        if (text_escape(out, slice_of(start, (size_t)(p - start))) < 0 ||
            (p < end && buf_addf(out, "\\u%04x", (unsigned)*p) < 0)) {
            return -1;
        }
        start = p + 1;
    }
    return 0;
}

int lines_make(struct buf *out, unsigned first, unsigned count, uint64_t seed)
{
    struct maker m = {.seed = seed + first};
    int failed = 0;
    for (unsigned i = first; i < first + count && !failed; i++) {
        char time[CLOCK_TEXT_MAX];
        clock_format(START_NS + i * STEP_NS, time);
        m.text.len = 0;
        failed = add_message(&m, i) < 0 || buf_addf(out, "{\"log\":\"") < 0 ||
                 add_escaped(out, &m.text) < 0 ||
                 buf_addf(out, "\",\"stream\":\"%s\",\"time\":\"%s\"}\n", draw(&m, 10) ? "stdout" : "stderr",
                          time) < 0;
    }
    buf_free(&m.text);
    return failed ? -1 : 0;
}
