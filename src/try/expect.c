#include "expect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "made.h"
#include "show.h"

#define SAID_MAX 100 /* differences that are told one by one */
#define TEXT_MAX 300 /* bytes that are shown of a value */

/* -- reading ----------------------------------------------------------------------------------- */

static int read_line(struct expect *e, const char *path, size_t number, const char *line, size_t len,
                     struct error *err)
{
    json_error_t fault;
    if (len == 0 || line[0] == '#') {
        return 0;
    }
    json_t *outcome = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (!outcome) {
        return error_set(err, "%s:%zu:%d: found JSON with a fault: %s; expected an object on one line", path,
                         number, fault.column, fault.text);
    }
    if (!json_is_object(outcome)) {
        json_decref(outcome);
        return error_set(err, "%s:%zu: found an array; expected an object as --json writes it", path, number);
    }
    make_element(e->outcomes, outcome);
    e->count++;
    return 0;
}

int expect_load(struct expect *e, const char *path, struct error *err)
{
    *e = (struct expect){.outcomes = made(json_array())};
    FILE *in = fopen(path, "re");
    if (!in) {
        return error_set(err, "--expect: %s cannot be read: %s", path, strerror(errno));
    }
    char *line = NULL;
    size_t cap = 0;
    int result = 0;
    for (size_t number = 1; result == 0; number++) {
        ssize_t len = getline(&line, &cap, in);
        if (len < 0) {
            break;
        }
        len -= len > 0 && line[len - 1] == '\n';
        result = read_line(e, path, number, line, (size_t)len, err);
    }
    if (result == 0 && ferror(in)) {
        result = error_set(err, "--expect: %s cannot be read: %s", path, strerror(errno));
    }
    free(line);
    fclose(in);
    return result;
}

void expect_free(struct expect *e)
{
    json_decref(e->outcomes);
}

/* -- telling ----------------------------------------------------------------------------------- */

/* Counts a difference, and begins to tell it: false when there were too many. */
static bool say(struct expect *e, const json_t *outcome)
{
    if (e->differences++ >= SAID_MAX) {
        return false;
    }
    fputs(json_array_size(json_object_get(outcome, "lines")) > 1 ? "lines " : "line ", stdout);
    show_lines(stdout, outcome);
    fputs(": ", stdout);
    return true;
}

static void show_value(const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;
    if (!text) {
        fputs("nothing", stdout);
        return;
    }
    show_text(stdout, slice_of(text, len < TEXT_MAX ? len : TEXT_MAX));
    fputs(len > TEXT_MAX ? "…" : "", stdout);
    free(text);
}

/* What became of it, in short. */
static void show_what(const json_t *outcome)
{
    const json_t *dropped = json_object_get(outcome, "dropped");
    fputs(dropped ? "dropped by " : "", stdout);
    show_value(dropped ? dropped : json_object_get(outcome, "encoded"));
}

/* -- comparing --------------------------------------------------------------------------------- */

/* Null stands for a member that is not there as well: how else could an expectation say so? */
static bool is_met(const json_t *want, const json_t *have)
{
    return json_equal(want, have) || (json_is_null(want) && !have);
}

static void compare(struct expect *e, const json_t *outcome, const char *path, const json_t *want,
                    const json_t *have)
{
    const char *key;
    json_t *value;
    if (json_is_object(want) && json_is_object(have)) {
        json_object_foreach((json_t *)want, key, value)
        {
            char member[256];
            snprintf(member, sizeof(member), "%s%s%s", path, *path ? "." : "", key);
            compare(e, outcome, member, value, json_object_get(have, key));
        }
    } else if (!is_met(want, have) && say(e, outcome)) {
        printf("%s: expected ", path);
        show_value(want);
        fputs(", found ", stdout);
        if (have || !json_object_get(outcome, "dropped")) {
            show_value(have);
        } else {
            show_what(outcome);
        }
        fputc('\n', stdout);
    }
}

/* The line that an outcome begins with; 0: it names none. */
static json_int_t first_line(const json_t *outcome)
{
    return json_integer_value(json_array_get(json_object_get(outcome, "lines"), 0));
}

static void miss(struct expect *e, const json_t *want)
{
    if (say(e, want)) {
        fputs("expected ", stdout);
        show_what(want);
        fputs(", found no record that begins here\n", stdout);
    }
}

/* The first one that is not met yet and begins with this line; else the first that names no lines. Their count when
 * there is none. Streams may overtake each other, so this need not be the next one. */
static size_t find(const struct expect *e, json_int_t first)
{
    size_t i, count = json_array_size(e->outcomes), without = count;
    json_t *want;
    json_array_foreach(e->outcomes, i, want)
    {
        if (first_line(want) == first) {
            return i;
        }
        without = without == count && !json_object_get(want, "lines") ? i : without;
    }
    return without;
}

void expect_meet(struct expect *e, const json_t *outcome)
{
    size_t at = find(e, first_line(outcome)), before = e->differences;
    const json_t *want = json_array_get(e->outcomes, at);
    if (want) {
        compare(e, outcome, "", want, outcome);
        e->met += e->differences == before;
        json_array_remove(e->outcomes, at);
    } else if (say(e, outcome)) {
        fputs("expected no record that begins here, found ", stdout);
        show_what(outcome);
        fputc('\n', stdout);
    }
}

size_t expect_end(struct expect *e)
{
    size_t i;
    json_t *want;
    json_array_foreach(e->outcomes, i, want)
    {
        miss(e, want);
    }
    if (e->differences > SAID_MAX) {
        printf("and %zu more differences\n", e->differences - SAID_MAX);
    }
    printf("%zu of %zu as expected\n", e->met, e->count);
    return e->differences;
}
