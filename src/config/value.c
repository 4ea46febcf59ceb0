#include "config/value.h"

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/regexp.h"
#include "base/userinfo.h"
#include "config/units.h"

static void *field_of(const struct key *key, const struct config *cfg)
{
    return (char *)cfg + key->offset;
}

/* -- faults ------------------------------------------------------------------------------------ */

static void describe_string(const char *text, char *(*hide)(const char *), char out[ERROR_QUOTE_MAX])
{
    char *shown = hide(text);
    error_quote(shown ? shown : "", out);
    free(shown);
}

void config_value_describe(const json_t *value, bool secret, char out[ERROR_QUOTE_MAX])
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        describe_string(json_string_value(value), userinfo_hide, out);
        break;
    case JSON_INTEGER:
        snprintf(out, ERROR_QUOTE_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(out, ERROR_QUOTE_MAX, "%g", json_real_value(value));
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        snprintf(out, ERROR_QUOTE_MAX, json_is_object(value) ? "an object" : "an array");
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(out, ERROR_QUOTE_MAX, json_is_true(value) ? "true" : "false");
        break;
    case JSON_NULL:
        snprintf(out, ERROR_QUOTE_MAX, "null");
        break;
    }
    if (secret && (json_is_string(value) || json_is_number(value))) {
        snprintf(out, ERROR_QUOTE_MAX, json_is_string(value) ? "a string" : "a number");
    }
}

static int refuse(const struct key *key, const json_t *value, struct error *why)
{
    char found[ERROR_QUOTE_MAX], expected[CONFIG_EXPECTED_MAX];
    config_value_describe(value, (key->flags & KEY_SECRET) || key->type == KEY_MAP, found);
    if (key->flags & KEY_ADDRESS && json_is_string(value)) {
        describe_string(json_string_value(value), userinfo_hide_address, found);
    }
    config_key_expected(key, expected);
    return error_set(why, "found %s; expected %s", found, expected);
}

static int refuse_element(const struct key *key, const json_t *item, struct error *why)
{
    char found[ERROR_QUOTE_MAX];
    config_value_describe(item, key->type == KEY_MAP, found);
    return error_set(why, "found %s; expected a string%s", found,
                     key->type == KEY_LIST ? " that is not empty" : "");
}

static int out_of_memory(struct error *why)
{
    return error_set(why, "out of memory; expected to be given some");
}

/* -- JSON → field ------------------------------------------------------------------------------ */

static int find_name(const struct key *key, const json_t *value)
{
    for (int i = 0; json_is_string(value) && key->names[i]; i++) {
        if (!strcmp(key->names[i], json_string_value(value))) {
            return i;
        }
    }
    return -1;
}

static bool matches(const char *pattern, const char *text)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    bool match = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

/* 0 when the key wants none, or it is one. */
static int check_regex(const struct key *key, const char *text, struct error *why)
{
    if (!(key->flags & KEY_REGEX) || !*text) {
        return 0;
    }
    struct regexp *regexp = regexp_new(text, key->path, why);
    regexp_free(regexp);
    return regexp ? 0 : -1;
}

static int set_string(const struct key *key, char **field, const json_t *value, struct error *why)
{
    const char *text = json_string_value(value);
    if (!text || (key->names && find_name(key, value) < 0) ||
        (key->pattern && !matches(key->pattern, text))) {
        return refuse(key, value, why);
    }
    if (check_regex(key, text, why) < 0) {
        return -1;
    }
    char *copy = strdup(text);
    if (!copy) {
        return out_of_memory(why);
    }
    free(*field);
    *field = copy;
    return 0;
}

/* JSON has but one kind of numbers: 5.0 is a whole one. */
static bool whole(const json_t *value, int64_t *out)
{
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    double real = json_real_value(value), most = 9007199254740992.0; /* 2⁵³ */
    if (!json_is_real(value) || real < -most || real > most) {
        return false;
    }
    *out = (int64_t)real;
    return (double)*out == real;
}

static int set_number(const struct key *key, int64_t *field, const json_t *value, struct error *why)
{
    const char *text = json_string_value(value);
    int64_t number = 0;
    bool is_one = false;
    if (key->type != KEY_DURATION) {
        is_one = whole(value, &number);
    }
    if (text && key->type == KEY_SIZE) {
        is_one = size_parse(text, &number) == 0;
    } else if (text && key->type == KEY_DURATION) {
        is_one = duration_parse(text, &number) == 0;
    }
    if (!is_one || number < key->min || number > key->max) {
        return refuse(key, value, why);
    }
    *field = number;
    return 0;
}

static void list_free(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct string_list){0};
}

static int set_list(const struct key *key, struct string_list *field, const json_t *value, size_t *element,
                    struct error *why)
{
    struct string_list list = {0};
    if (!json_is_array(value)) {
        return refuse(key, value, why);
    }
    size_t count = json_array_size(value);
    list.items = calloc(count + 1, sizeof(*list.items)); /* never of 0 */
    if (!list.items) {
        return out_of_memory(why);
    }
    for (; list.count < count; list.count++) {
        const json_t *item = json_array_get(value, list.count);
        if (json_string_length(item) == 0) {
            *element = list.count;
            list_free(&list);
            return refuse_element(key, item, why);
        }
        if (check_regex(key, json_string_value(item), why) < 0) {
            *element = list.count;
            list_free(&list);
            return -1;
        }
        if (!(list.items[list.count] = strdup(json_string_value(item)))) {
            list_free(&list);
            return out_of_memory(why);
        }
    }
    list_free(field);
    *field = list;
    return 0;
}

static int set_map(const struct key *key, json_t **field, const json_t *value, size_t *element,
                   struct error *why)
{
    const char *name;
    json_t *item;
    size_t index = 0;
    if (!json_is_object(value)) {
        return refuse(key, value, why);
    }
    json_object_foreach((json_t *)value, name, item)
    {
        if (!json_is_string(item)) {
            *element = index;
            return refuse_element(key, item, why);
        }
        index++;
    }
    json_t *copy = json_deep_copy(value);
    if (!copy) {
        return out_of_memory(why);
    }
    json_decref(*field);
    *field = copy;
    return 0;
}

/* What the objects hold is looked at by config_overrides_check. */
static int set_objects(const struct key *key, json_t **field, const json_t *value, struct error *why)
{
    if (!json_is_array(value) || json_array_size(value) > OVERRIDES_MAX) {
        return refuse(key, value, why);
    }
    json_t *copy = json_deep_copy(value);
    if (!copy) {
        return out_of_memory(why);
    }
    json_decref(*field);
    *field = copy;
    return 0;
}

int config_value_set(const struct key *key, struct config *cfg, const json_t *value, size_t *element,
                     struct error *why)
{
    void *field = field_of(key, cfg);
    int name;
    *element = CONFIG_WHOLE;
    switch (key->type) {
    case KEY_STRING:
        return set_string(key, field, value, why);
    case KEY_BOOL:
        if (!json_is_boolean(value)) {
            return refuse(key, value, why);
        }
        *(bool *)field = json_is_true(value);
        return 0;
    case KEY_INTEGER:
    case KEY_SIZE:
    case KEY_DURATION:
        return set_number(key, field, value, why);
    case KEY_ENUM:
        if ((name = find_name(key, value)) < 0) {
            return refuse(key, value, why);
        }
        memcpy(field, &name, sizeof(name));
        return 0;
    case KEY_LIST:
        return set_list(key, field, value, element, why);
    case KEY_MAP:
        return set_map(key, field, value, element, why);
    case KEY_OBJECTS:
        return set_objects(key, field, value, why);
    }
    return error_set(why, "found a key of no type; expected one");
}

/* -- text → JSON ------------------------------------------------------------------------------- */

/* Is the comma at this place part of a regex's quantifier, `{2,4}` or `{2,}`? */
static bool in_quantifier(const char *text, size_t comma)
{
    static const char digits[] = "0123456789";
    size_t from = comma, to = comma + 1 + strspn(text + comma + 1, digits);
    while (from > 0 && text[from - 1] >= '0' && text[from - 1] <= '9') {
        from--;
    }
    return from > 0 && from < comma && text[from - 1] == '{' && text[to] == '}';
}

/* Bytes of what has no comma that cuts: a backslash with its character, a set of a glob, else one byte. */
static size_t whole_length(const char *p, unsigned flags)
{
    return flags & KEY_GLOB ? glob_element_length(p) : *p == '\\' && p[1] ? 2 : 1;
}

/* The length of the element at `from`: to a comma that is no part of it. */
static size_t item_length(const char *text, size_t from, unsigned flags)
{
    size_t at = from, braces = 0;
    for (; text[at]; at += whole_length(text + at, flags)) {
        braces += text[at] == '{';
        braces -= text[at] == '}' && braces > 0;
        bool part = (flags & KEY_REGEX && in_quantifier(text, at)) || (flags & KEY_GLOB && braces > 0);
        if (text[at] == ',' && !part) {
            break;
        }
    }
    return at - from;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Does a backslash before it only keep a character from being taken for the list's? The others of a regex are its own,
 * and all of a glob of paths, where `\,` within braces is no end of an alternative. */
static bool escaped_for_list(char c, unsigned flags)
{
    return !(flags & KEY_GLOB) && (c == ',' || (blank(c) && !(flags & KEY_REGEX)));
}

/* Without the blanks around it, but for one behind a backslash. */
static json_t *item_from_text(const char *text, size_t len, unsigned flags)
{
    char *item = malloc(len + 1);
    size_t n = 0, keep = 0;
    for (size_t i = 0; item && i < len; i++) {
        bool escaped = text[i] == '\\' && i + 1 < len;
        if (n == 0 && blank(text[i])) {
            continue;
        }
        if (escaped && !escaped_for_list(text[++i], flags)) {
            item[n++] = '\\';
        }
        item[n++] = text[i];
        keep = escaped || !blank(text[i]) ? n : keep;
    }
    json_t *value = item ? json_stringn(item, keep) : NULL;
    free(item);
    return value;
}

/* Elements are separated by commas. Blank text is an empty list. */
static json_t *list_from_text(const char *text, unsigned flags)
{
    json_t *list = json_array();
    bool more = text[strspn(text, " \t\r\n")] != '\0';
    for (size_t at = 0, len; list && more; at += len + 1) {
        len = item_length(text, at, flags);
        more = text[at + len] == ',';
        if (json_array_append_new(list, item_from_text(text + at, len, flags)) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *integer_from_text(const char *text)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool digit = text[0] == '-' ? text[1] >= '0' && text[1] <= '9' : text[0] >= '0' && text[0] <= '9';
    return digit && *end == '\0' && errno == 0 ? json_integer(number) : json_string(text);
}

json_t *config_value_from_text(const struct key *key, const char *text, struct error *why)
{
    json_t *value = json_string(text); /* NULL unless it is UTF-8 */
    json_error_t fault;
    if (!value) {
        error_set(why, "found text that is not UTF-8; expected text in UTF-8");
        return NULL;
    }
    if (key->type == KEY_BOOL && (!strcmp(text, "true") || !strcmp(text, "false"))) {
        json_decref(value);
        return json_boolean(text[0] == 't');
    }
    if (key->type == KEY_INTEGER) {
        json_decref(value);
        value = integer_from_text(text);
    } else if (key->type == KEY_LIST) {
        json_decref(value);
        value = list_from_text(text, key->flags);
    } else if (key->type == KEY_MAP) {
        json_decref(value);
        value = text[0] ? json_loads(text, JSON_REJECT_DUPLICATES, &fault) : json_object();
        if (!value) {
            error_set(why,
                      "found text that is not valid JSON at character %d; expected an object whose values "
                      "are strings",
                      fault.column);
            return NULL;
        }
    } else if (key->type == KEY_OBJECTS) {
        json_decref(value);
        value = text[0] ? json_loads(text, JSON_REJECT_DUPLICATES, &fault) : json_array();
        if (!value) {
            error_set(why, "found text that is not valid JSON at character %d; expected an array of objects",
                      fault.column);
            return NULL;
        }
    }
    if (!value) {
        out_of_memory(why);
    }
    return value;
}

/* -- field → JSON ------------------------------------------------------------------------------ */

static json_t *list_to_json(const struct string_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < list->count; i++) {
        if (json_array_append_new(array, json_string(list->items[i])) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *number_to_json(const struct key *key, int64_t number)
{
    char text[UNITS_TEXT_MAX];
    if (key->type == KEY_DURATION) {
        duration_format(number, text);
        return json_string(text);
    }
    if (key->type == KEY_SIZE) {
        size_format(number, text);
        if (!strchr("0123456789", text[strlen(text) - 1])) {
            return json_string(text);
        }
    }
    return json_integer(number);
}

json_t *config_value_get(const struct key *key, const struct config *cfg)
{
    const void *field = field_of(key, cfg);
    int name;
    switch (key->type) {
    case KEY_STRING:
        return json_string(*(char *const *)field);
    case KEY_BOOL:
        return json_boolean(*(const bool *)field);
    case KEY_INTEGER:
    case KEY_SIZE:
    case KEY_DURATION:
        return number_to_json(key, *(const int64_t *)field);
    case KEY_ENUM:
        memcpy(&name, field, sizeof(name));
        return json_string(key->names[name]);
    case KEY_LIST:
        return list_to_json(field);
    case KEY_MAP:
    case KEY_OBJECTS:
        return json_deep_copy(*(json_t *const *)field);
    }
    return NULL;
}

void config_value_clear(const struct key *key, struct config *cfg)
{
    void *field = field_of(key, cfg);
    if (key->type == KEY_STRING) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (key->type == KEY_LIST) {
        list_free(field);
    } else if (key->type == KEY_MAP || key->type == KEY_OBJECTS) {
        json_decref(*(json_t **)field);
        *(json_t **)field = NULL;
    }
}
