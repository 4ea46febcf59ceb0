/* The configuration file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "load.h"
#include "overrides.h"

#define FILE_SIZE_MAX (1 << 20)

int config_read(const char *path, size_t max, char **data, size_t *len, struct error *why)
{
    struct buf text = {0};
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && text.len <= max) {
        if (buf_reserve(&text, 4096) < 0) {
            errno = ENOMEM;
            n = -1;
            break;
        }
        n = read(fd, text.data + text.len, 4095);
        if (n <= 0 && !(n < 0 && errno == EINTR)) {
            break;
        }
        text.len += n > 0 ? (size_t)n : 0;
    }
    int fault = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (n != 0) {
        buf_free(&text);
        if (n < 0) {
            error_set(why, "%s", strerror(fault));
        } else {
            error_set(why, "it is larger than %zu bytes", max);
        }
        return -1;
    }
    text.data[text.len] = '\0';
    *data = text.data;
    *len = text.len;
    return 0;
}

/* -- syntax ------------------------------------------------------------------------------------ */

/* jansson names what it would have liked; here is all that could stand there, in our words. */
static const char *expected_instead(const char *said, struct slice found)
{
    static const struct {
        const char *said, *expected;
    } words[] = {
        {"'[' or '{' expected", "'{'"},
        {"string or '}' expected", "a key in double quotes, or '}'"},
        {"':' expected", "':'"},
        {"'}' expected", "',' or '}'"},
        {"']' expected", "',' or ']'"},
        {"end of file expected", "nothing after the last '}'"},
        {"unexpected token", "a value"},
        {"invalid token", "a value"},
        {"duplicate object key", "each key only once"},
        {"too big integer", "a smaller number"},
        {"real number overflow", "a smaller number"},
    };
    if (!strncmp(said, "string or '}'", 13) && slice_eq(found, SLICE("}"))) {
        return "a key in double quotes: there is a ',' before the '}'";
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!strncmp(said, words[i].said, strlen(words[i].said))) {
            return words[i].expected;
        }
    }
    return NULL;
}

/* What stands there. Strings that are not keys and words without quotes may be secrets, and are not shown. */
static void describe(struct slice found, bool key, char out[ERROR_QUOTE_MAX])
{
    char name[51], quoted[ERROR_QUOTE_MAX];
    if (found.len == 0) {
        snprintf(out, ERROR_QUOTE_MAX, "the end of the file");
    } else if (key) {
        size_t len = found.len - 2; /* without the quotes */
        snprintf(name, sizeof(name), "%.*s", (int)(len < 50 ? len : 50), found.ptr + 1);
        snprintf(out, ERROR_QUOTE_MAX, "the key %.56s again", error_quote(name, quoted));
    } else if (*found.ptr == '"') {
        snprintf(out, ERROR_QUOTE_MAX, "a string");
    } else if (found.len == 1) {
        unsigned char c = (unsigned char)*found.ptr;
        snprintf(out, ERROR_QUOTE_MAX, c > ' ' && c < 0x7f ? "'%c'" : "the byte 0x%02x", c);
    } else {
        snprintf(out, ERROR_QUOTE_MAX, "a word or number");
    }
}

static int syntax_error(const struct loading *l, struct slice text, const json_error_t *fault,
                        struct error *err)
{
    /* jansson's position is behind the token that it stumbled over, or the text's end. */
    bool at_end =
        json_error_code(fault) == json_error_premature_end_of_input && strstr(fault->text, "end of file");
    size_t behind = at_end ? text.len : (size_t)fault->position;
    struct slice found = json_token_at(text, behind > 0 && !at_end ? behind - 1 : behind);
    struct text_location location = text_location_of(text, (size_t)(found.ptr - text.ptr));
    const char *expected = expected_instead(fault->text, found);
    char what[ERROR_QUOTE_MAX];
    describe(found, json_error_code(fault) == json_error_duplicate_key, what);
    if (expected) {
        return error_set(err, "%s:%u:%u: found %s; expected %s", l->path, location.line, location.column,
                         what, expected);
    }
    const char *near = strstr(fault->text, " near ");
    int len = near ? (int)(near - fault->text) : (int)strlen(fault->text);
    return error_set(err, "%s:%u:%u: found %s with a fault: %.*s; expected valid JSON", l->path,
                     location.line, location.column, what, len, fault->text);
}

/* -- meaning ----------------------------------------------------------------------------------- */

struct reader {
    struct loading *l;
    struct slice text;
    struct error *err;
    size_t path[8]; /* indexes of where it is, see json_locate */
};

static int fault_at(struct reader *r, size_t depth, bool key, const struct error *why)
{
    struct text_location location = text_location_of(r->text, json_locate(r->text, r->path, depth, key));
    return error_set(r->err, "%s:%u:%u: %s", r->l->path, location.line, location.column, why->text);
}

static int unknown_key(struct reader *r, size_t depth, const char *path)
{
    char name[ERROR_QUOTE_MAX];
    struct error why;
    error_quote(path, name);
    if (depth == 1 && config_key_find(path)) { /* "batch.bytes" in one */
        int section = (int)strcspn(path, ".");
        error_set(&why, "found unknown key %s; expected it in an object: \"%.*s\": {\"%s\": …}", name,
                  section, path, path + section + 1);
    } else {
        error_set(&why, "found unknown key %s; expected a known one, the nearest is \"%s\"", name,
                  config_nearest(path));
    }
    return fault_at(r, depth, true, &why);
}

static int check_overrides(struct reader *r, size_t depth, const json_t *list)
{
    struct override_fault fault;
    if (config_overrides_check(list, &fault) == 0) {
        return 0;
    }
    memcpy(r->path + depth, fault.path, fault.depth * sizeof(fault.path[0]));
    return fault_at(r, depth + fault.depth, fault.key, &fault.why);
}

static int read_value(struct reader *r, size_t depth, const char *path, const json_t *value)
{
    const struct key *key = config_key_find(path);
    struct error why;
    size_t element;
    if (!key || (depth == 1 && config_key_section(key) > 0)) {
        return unknown_key(r, depth, path);
    }
    if (config_value_set(key, r->l->cfg, value, &element, &why) < 0) {
        r->path[depth] = element;
        return fault_at(r, depth + (element != CONFIG_WHOLE), false, &why);
    }
    if (key->type == KEY_OBJECTS && check_overrides(r, depth, value) < 0) {
        return -1;
    }
    size_t offset = json_locate(r->text, r->path, depth, false);
    r->l->origins[key - config_keys] = (struct origin){ORIGIN_FILE, text_location_of(r->text, offset)};
    return 0;
}

static int read_section(struct reader *r, const char *section, const json_t *members)
{
    const char *name;
    json_t *value;
    if (!json_is_object(members)) {
        struct error why;
        char found[ERROR_QUOTE_MAX];
        config_value_describe(members, true, found);
        error_set(&why, "found %s; expected an object: \"%s\": {…}", found, section);
        return fault_at(r, 1, false, &why);
    }
    r->path[1] = 0;
    json_object_foreach((json_t *)members, name, value)
    {
        char path[256];
        snprintf(path, sizeof(path), "%s.%s", section, name);
        if (read_value(r, 2, path, value) < 0) {
            return -1;
        }
        r->path[1]++;
    }
    return 0;
}

static int read_root(struct reader *r, const json_t *root)
{
    const char *name;
    json_t *value;
    if (!json_is_object(root)) {
        struct error why;
        error_set(&why, "found an array; expected an object: {…}");
        return fault_at(r, 0, false, &why);
    }
    json_object_foreach((json_t *)root, name, value)
    {
        int result;
        if (!strcmp(name, "$schema") && json_is_string(value)) {
            result = 0; /* for editors */
        } else if (config_section_known(name)) {
            result = read_section(r, name, value);
        } else {
            result = read_value(r, 1, name, value);
        }
        if (result < 0) {
            return -1;
        }
        r->path[0]++;
    }
    return 0;
}

int config_load_file(struct loading *l, struct error *err)
{
    struct error why;
    char *data;
    size_t len;
    if (config_read(l->path, FILE_SIZE_MAX, &data, &len, &why) < 0) {
        return error_set(err, "%s: cannot be read: %s; expected the configuration file", l->path, why.text);
    }
    struct reader r = {.l = l, .text = slice_of(data, len), .err = err};
    json_error_t fault;
    json_t *root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &fault);
    int result = root ? read_root(&r, root) : syntax_error(l, r.text, &fault, err);
    json_decref(root);
    free(data);
    return result;
}
