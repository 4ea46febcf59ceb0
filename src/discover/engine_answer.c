#include "engine_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define LOCAL_MAX_SIZE 20000000 /* default of the local driver, and of the cache of others */

static const char *text_at(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static void set_text(char **field, const char *text)
{
    char *copy = strdup(text);
    if (copy) {
        free(*field);
        *field = copy;
    }
}

/* "20k", "10m": powers of ten, as the Engine reads them; 0: that is no size. */
static int64_t parse_size(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    static const char units[] = "bkmgt";
    const char *unit = *end ? strchr(units, *end | 0x20) : units;
    if (value <= 0 || !unit) {
        return 0;
    }
    for (; unit > units; unit--) {
        value *= 1000;
    }
    return value < 1e15 ? (int64_t)value : 0;
}

static bool is_false(const char *text)
{
    return strcmp(text, "false") == 0 || strcmp(text, "0") == 0 || strcmp(text, "f") == 0;
}

static void set_rotation(struct engine_container *c, const json_t *options)
{
    const char *driver = c->driver;
    bool file = strcmp(driver, "json-file") == 0;
    c->max_size =
        parse_size(text_at(options, file || strcmp(driver, "local") == 0 ? "max-size" : "cache-max-size"));
    if (!file && strcmp(driver, "journald") != 0 && c->max_size == 0) {
        c->max_size = LOCAL_MAX_SIZE;
    }
    c->rotates = c->max_size > 0;
    const char *compress =
        text_at(options, file || strcmp(driver, "local") == 0 ? "compress" : "cache-compress");
    c->compressed = c->rotates && (*compress ? !is_false(compress) : !file);
}

static int64_t parse_time(const char *text)
{
    int64_t ns;
    return clock_parse(slice_str(text), &ns) == 0 && ns > 0 ? ns : 0;
}

bool engine_answer_running(const json_t *json)
{
    const char *state = text_at(json, "State");
    return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0;
}

/* "Exited (137) 2 minutes ago", "Restarting (1) 3 seconds ago" */
int engine_answer_exit_code(const json_t *json)
{
    int code;
    return sscanf(text_at(json, "Status"), "%*[A-Za-z] (%3d)", &code) == 1 ? code : -1;
}

/* The container's own name. Others are /PARENT/ALIAS, of links as there used to be. */
static const char *listed_name(const json_t *names)
{
    size_t i;
    const json_t *one;
    json_array_foreach(names, i, one)
    {
        const char *name = json_string_value(one);
        if (name && *name == '/' && !strchr(name + 1, '/')) {
            return name + 1;
        }
    }
    return "";
}

bool engine_answer_listed(struct engine_container *c, const json_t *json)
{
    const json_t *labels = json_object_get(json, "Labels");
    set_text(&c->name, listed_name(json_object_get(json, "Names")));
    set_text(&c->image, text_at(json, "Image"));
    json_decref(c->labels);
    c->labels = json_is_object(labels) ? json_incref((json_t *)labels) : NULL;
    c->running = engine_answer_running(json);
    c->list_only = true;
    return c->name && c->image;
}

bool engine_answer_inspected(struct engine_container *c, const json_t *json)
{
    const json_t *config = json_object_get(json, "Config"), *state = json_object_get(json, "State");
    const json_t *log = json_object_get(json_object_get(json, "HostConfig"), "LogConfig");
    const json_t *labels = json_object_get(config, "Labels");
    const char *name = text_at(json, "Name");
    set_text(&c->name, *name == '/' ? name + 1 : name);
    set_text(&c->image, text_at(config, "Image"));
    set_text(&c->driver, text_at(log, "Type"));
    if (!c->name || !c->image || !c->driver) {
        return false;
    }
    json_decref(c->labels);
    c->labels = json_is_object(labels) ? json_incref((json_t *)labels) : NULL;
    c->tty = json_is_true(json_object_get(config, "Tty"));
    c->running = json_is_true(json_object_get(state, "Running")) &&
                 !json_is_true(json_object_get(state, "Restarting"));
    c->exit_code = (int)json_integer_value(json_object_get(state, "ExitCode"));
    c->started_ns = parse_time(text_at(state, "StartedAt"));
    c->finished_ns = parse_time(text_at(state, "FinishedAt"));
    c->list_only = false;
    set_rotation(c, json_object_get(log, "Config"));
    return true;
}

void engine_container_clear(struct engine_container *c)
{
    free(c->name);
    free(c->image);
    free(c->driver);
    json_decref(c->labels);
}
