#include "show.h"

#include <string.h>

#include "base/memory.h"
#include "encode/terminal.h"

#define BOLD   "1"
#define DIM    "2"
#define RED    "31"
#define YELLOW "33"
#define GREEN  "32"
#define INDENT "      "

static void paint(FILE *out, bool color, const char *code)
{
    if (color) {
        fprintf(out, "\033[%sm", code ? code : "0");
    }
}

void show_text(FILE *out, struct slice text)
{
    struct buf safe = {0};
    bool colored = false;
    if (terminal_put(&safe, text, false, &colored) < 0) {
        die_out_of_memory();
    }
    fwrite(safe.data ? safe.data : "", 1, safe.len, out);
    buf_free(&safe);
}

static void show_string(FILE *out, const json_t *string)
{
    show_text(out, slice_of(json_string_value(string), json_string_length(string)));
}

void show_lines(FILE *out, const json_t *outcome)
{
    const json_t *numbers = json_object_get(outcome, "lines");
    size_t count = json_array_size(numbers);
    for (size_t i = 0; i < count;) {
        json_int_t first = json_integer_value(json_array_get(numbers, i)), last = first;
        const char *comma = i > 0 ? "," : "";
        while (++i < count && json_integer_value(json_array_get(numbers, i)) == last + 1) {
            last++;
        }
        fprintf(out, last > first ? "%s%lld-%lld" : "%s%lld", comma, (long long)first, (long long)last);
    }
    if (count == 0) {
        fputc('-', out);
    }
}

/* How the lines were decoded and joined, on one line. */
static void show_head(FILE *out, bool color, const json_t *outcome)
{
    static const struct {
        const char *member, *before;
    } parts[] = {
        {"format", ""}, {"stream", " "}, {"time", " "}, {"joined", ", joined: "}, {"level", ", level "}};
    paint(out, color, BOLD);
    show_lines(out, outcome);
    paint(out, color, NULL);
    fputs("  ", out);
    paint(out, color, DIM);
    fputs(json_object_get(outcome, "notice") ? "notice" : "", out);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const json_t *value = json_object_get(outcome, parts[i].member);
        if (value) {
            fputs(parts[i].before, out);
            show_string(out, value);
        }
    }
    fputs(json_object_get(outcome, "malformed") ? ", not of that format" : "", out);
    fputs(json_object_get(outcome, "partial") ? ", cut" : "", out);
    paint(out, color, NULL);
    fputc('\n', out);
}

static void show_redactions(FILE *out, bool color, const json_t *list)
{
    size_t i;
    json_t *one;
    if (json_is_string(list)) {
        fputs(INDENT "redacted ", out);
        show_string(out, list);
        fputc('\n', out);
    }
    json_array_foreach((json_t *)list, i, one)
    {
        paint(out, color, YELLOW);
        fprintf(out, INDENT "redacted");
        paint(out, color, NULL);
        fprintf(out, " bytes %lld-%lld by %s: ", (long long)json_integer_value(json_object_get(one, "from")),
                (long long)json_integer_value(json_object_get(one, "to")),
                json_string_value(json_object_get(one, "rule")));
        show_string(out, json_object_get(one, "pattern"));
        fputc('\n', out);
    }
}

static void show_dropped(FILE *out, bool color, const json_t *outcome)
{
    const json_t *pattern = json_object_get(outcome, "pattern");
    paint(out, color, RED);
    fputs(INDENT "dropped", out);
    paint(out, color, NULL);
    fprintf(out, " by %s", json_string_value(json_object_get(outcome, "dropped")));
    if (pattern) {
        fputs(": ", out);
        show_string(out, pattern);
    }
    fputc('\n', out);
}

/* Each line of it, for a group may come out as several. */
static void show_body(FILE *out, bool color, struct slice text)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    do {
        const char *newline = text.len > 0 ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        paint(out, color, GREEN);
        fputs(p == text.ptr ? INDENT "> " : INDENT "  ", out);
        paint(out, color, NULL);
        show_text(out, slice_of(p, (size_t)((newline ? newline : end) - p)));
        fputc('\n', out);
        p = newline ? newline + 1 : NULL;
    } while (p);
}

void show_outcome(FILE *out, bool color, const json_t *outcome, struct slice encoded)
{
    const json_t *text = json_object_get(outcome, "text"), *topic = json_object_get(outcome, "topic");
    show_head(out, color, outcome);
    if (json_object_get(outcome, "dropped")) {
        show_dropped(out, color, outcome);
        show_body(out, color, slice_of(json_string_value(text), json_string_length(text)));
        return;
    }
    show_redactions(out, color, json_object_get(outcome, "redacted"));
    if (topic) {
        fputs(INDENT "to topic ", out);
        show_string(out, topic);
        fputc('\n', out);
    }
    show_body(out, color, encoded);
}
