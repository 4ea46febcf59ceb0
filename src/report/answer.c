#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "monitor/client.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t time_of(const json_t *object, const char *key)
{
    int64_t ns;
    const char *text = text_of(object, key);
    return text && clock_parse(slice_str(text), &ns) == 0 ? ns : 0;
}

static int64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static struct row take_row(const json_t *log)
{
    const char *container = text_of(log, "container"), *id = text_of(log, "id"), *file = text_of(log, "file"),
               *service = text_of(log, "service");
    container = container ? container : id;
    return (struct row){.service = service ? service : "",
                        .what = container ? container : file,
                        .is_file = !container,
                        .driver = text_of(log, "driver"),
                        .problem = text_of(log, "problem"),
                        .offset = number_of(log, "offset"),
                        .lag_bytes = number_of(log, "lag_bytes"),
                        .lag_seconds = json_number_value(json_object_get(log, "lag_seconds")),
                        .rate = json_number_value(json_object_get(log, "lines_per_second")),
                        .last_ns = time_of(log, "last_line")};
}

static bool is_failing(const json_t *json, const char *part)
{
    const char *state = text_of(json_object_get(json, part), "state");
    return state && strcmp(state, "failing") == 0;
}

/* What keeps it from being ready may be one of the others, and be told of twice: no matter, it is a problem. */
static unsigned count_problems(const struct answer *a)
{
    unsigned problems = !json_is_true(json_object_get(a->json, "ready"));
    size_t i;
    json_t *left;
    problems += is_failing(a->json, "source");
    problems += is_failing(a->json, "sink");
    problems += is_failing(a->json, "checkpoint");
    problems += number_of(a->json, "containers_too_many") > 0;
    for (i = 0; i < a->count; i++) {
        problems += a->rows[i].problem != NULL;
    }
    json_array_foreach(json_object_get(a->json, "left_out"), i, left)
    {
        problems += json_is_true(json_object_get(left, "problem"));
    }
    return problems;
}

int answer_take(struct answer *a, const char *listen, struct error *err)
{
    json_error_t fault;
    size_t i;
    json_t *log;
    a->json = json_loadb(a->text.data, a->text.len, JSON_ALLOW_NUL, &fault);
    if (!a->json) {
        return error_set(err, "what %s answers is no JSON (line %d)", listen, fault.line);
    }
    int64_t version = number_of(a->json, "version");
    const json_t *logs = json_object_get(a->json, "logs");
    if (version != 1 || !json_is_array(logs)) {
        return error_set(err, "%s answers in version %lld of /status, and only 1 is known here", listen,
                         (long long)version);
    }
    a->rows = calloc(json_array_size(logs) + 1, sizeof(*a->rows));
    if (!a->rows) {
        return error_set(err, "out of memory");
    }
    json_array_foreach(logs, i, log)
    {
        a->rows[a->count++] = take_row(log);
    }
    a->now_ns = time_of(a->json, "time");
    a->over = json_number_value(json_object_get(a->json, "rates_over_seconds"));
    a->problems = count_problems(a);
    return 0;
}

int answer_fetch(struct answer *a, const char *listen, struct error *err)
{
    return monitor_fetch(listen, "/status", &a->text, err) < 0 ? -1 : answer_take(a, listen, err);
}

void answer_free(struct answer *a)
{
    buf_free(&a->text);
    json_decref(a->json);
    free(a->rows);
    *a = (struct answer){0};
}

int row_compare_names(const struct row *a, const struct row *b)
{
    int order = strcmp(a->service, b->service);
    return order ? order : strcmp(a->what ? a->what : "", b->what ? b->what : "");
}
