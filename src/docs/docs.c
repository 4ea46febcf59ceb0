/* Writes down what the table of keys says, for people and editors: run by make, not installed.
 *
 *     docs schema
 *         config/config.schema.json
 *     docs tables README
 *         README with tables of keys: each between <!-- keys: GLOB... --> and <!-- /keys -->. A key that is
 *         in no table, or in two, is an error.
 *     docs man TEMPLATE PROGRAM
 *         the man page: TEMPLATE with @KEYS@, @VERSION@ and, from PROGRAM's help, the rest filled in */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "config/units.h"
#include "config/value.h"

static const struct config *defaults;
static const char *program; /* sidetail itself, asked for its help */
static bool failed;

/* Reports a fault; the exit code will tell that the output is of no use. */
static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("docs: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    failed = true;
}

/* Hands each line of a file to `put_line`. 0 or -1. */
static int write_from(const char *name, void (*put_line)(const char *line))
{
    char line[4096];
    FILE *in = fopen(name, "r");
    if (!in) {
        complain("%s: %s", name, strerror(errno));
        return -1;
    }
    while (fgets(line, sizeof(line), in)) {
        put_line(line);
    }
    int result = ferror(in) ? -1 : 0;
    fclose(in);
    return result;
}

static void bounds_text(const struct key *key, char min[UNITS_TEXT_MAX], char max[UNITS_TEXT_MAX])
{
    if (key->type == KEY_DURATION) {
        duration_format(key->min, min);
        duration_format(key->max, max);
    } else if (key->type == KEY_SIZE) {
        size_format(key->min, min);
        size_format(key->max, max);
    } else {
        snprintf(min, UNITS_TEXT_MAX, "%" PRId64, key->min);
        snprintf(max, UNITS_TEXT_MAX, "%" PRId64, key->max);
    }
}

static bool bounded(const struct key *key)
{
    return key->type == KEY_INTEGER || key->type == KEY_SIZE || key->type == KEY_DURATION;
}

/* Notes that follow a key's help. */
static const char *secret_note(const struct key *key)
{
    return key->flags & KEY_SECRET ? " Secret: never shown." : "";
}

static const char *restart_note(const struct key *key)
{
    return key->flags & KEY_RESTART ? " Changing it requires a restart." : "";
}

/* -- schema ------------------------------------------------------------------------------------ */

static json_t *schema_of_object(json_t *properties)
{
    return json_pack("{s:s,s:b,s:o}", "type", "object", "additionalProperties", 0, "properties", properties);
}

static json_t *schema_of_names(const struct key *key)
{
    json_t *names = json_array();
    for (size_t i = 0; key->names[i]; i++) {
        json_array_append_new(names, json_string(key->names[i]));
    }
    return json_pack("{s:o}", "enum", names);
}

static json_t *schema_of_type(const struct key *key)
{
    switch (key->type) {
    case KEY_STRING:
        return key->pattern ? json_pack("{s:s,s:s}", "type", "string", "pattern", key->pattern)
                            : json_pack("{s:s}", "type", "string");
    case KEY_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case KEY_INTEGER:
        return json_pack("{s:s,s:I,s:I}", "type", "integer", "minimum", key->min, "maximum", key->max);
    case KEY_SIZE:
        return json_pack("{s:[{s:s,s:I,s:I},{s:s,s:s}]}", "anyOf", "type", "integer", "minimum", key->min,
                         "maximum", key->max, "type", "string", "pattern", "^[0-9]+(kB|MB|GB|KiB|MiB|GiB)?$");
    case KEY_DURATION:
        return json_pack("{s:s,s:s}", "type", "string", "pattern", "^([0-9]+(ms|s|m|h)|0)$");
    case KEY_LIST:
        return json_pack("{s:s,s:{s:s,s:i}}", "type", "array", "items", "type", "string", "minLength", 1);
    case KEY_MAP:
        return json_pack("{s:s,s:{s:s}}", "type", "object", "additionalProperties", "type", "string");
    case KEY_ENUM:
    case KEY_OBJECTS: /* schema_of_overrides */
        break;
    }
    return NULL;
}

static json_t *schema_of_key(const struct key *key)
{
    json_t *schema = key->names ? schema_of_names(key) : schema_of_type(key);
    char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX], about[1024];
    snprintf(about, sizeof(about), "%s%s", key->help, restart_note(key));
    if (key->type == KEY_SIZE || key->type == KEY_DURATION) { /* a schema cannot bound them as strings */
        bounds_text(key, min, max);
        snprintf(about, sizeof(about), "%s From %s to %s.%s", key->help, min, max, restart_note(key));
    }
    json_object_set_new(schema, "description", json_string(about));
    json_object_set_new(schema, "default", config_value_get(key, defaults));
    return schema;
}

/* Puts the key's schema among the properties of its section in `top`, which is made where there is none. */
static void put_schema(json_t *top, const struct key *key, json_t *schema)
{
    size_t len = config_key_section(key);
    if (len == 0) {
        json_object_set_new(top, key->path, schema);
        return;
    }
    if (!json_object_getn(top, key->path, len)) {
        json_object_setn_new(top, key->path, len, schema_of_object(json_object()));
    }
    json_t *properties = json_object_get(json_object_getn(top, key->path, len), "properties");
    json_object_set_new(properties, key->path + len + 1, schema);
}

static json_t *schema_of_globs(void)
{
    return json_pack("{s:s,s:i,s:{s:s,s:i}}", "type", "array", "minItems", 1, "items", "type", "string",
                     "minLength", 1);
}

/* An object of which something has to be said. */
static json_t *schema_of_some(json_t *properties, const char *about)
{
    json_t *schema = schema_of_object(properties);
    json_object_set_new(schema, "minProperties", json_integer(1));
    json_object_set_new(schema, "description", json_string(about));
    return schema;
}

static json_t *schema_of_overrides(const struct key *key)
{
    json_t *some = json_object(), *match = json_object(), *override = json_object();
    for (const struct key *one = config_keys; one->path; one++) {
        if (one->flags & KEY_SOME) {
            json_t *schema = schema_of_key(one);
            json_object_del(schema, "default");
            put_schema(some, one, schema);
        }
    }
    json_object_set_new(match, "services", schema_of_globs());
    json_object_set_new(match, "containers", schema_of_globs());
    json_object_set_new(match, "labels", schema_of_globs());
    json_object_set_new(override, "match",
                        schema_of_some(match, "Each of the kinds that has globs must fit."));
    json_object_set_new(override, "set", schema_of_some(some, "What holds for those."));
    json_t *object = schema_of_object(override);
    json_object_set_new(object, "required", json_pack("[s,s]", "match", "set"));
    return json_pack("{s:s,s:i,s:o,s:s,s:[]}", "type", "array", "maxItems", OVERRIDES_MAX, "items", object,
                     "description", key->help, "default");
}

static int write_schema(void)
{
    json_t *top = json_object();
    json_object_set_new(top, "$schema", json_pack("{s:s}", "type", "string"));
    for (const struct key *key = config_keys; key->path; key++) {
        put_schema(top, key, key->type == KEY_OBJECTS ? schema_of_overrides(key) : schema_of_key(key));
    }
    json_t *schema = schema_of_object(top);
    json_object_set_new(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    json_object_set_new(schema, "title", json_string("Configuration of sidetail"));
    int result = json_dumpf(schema, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(schema);
    return result;
}

/* -- tables ------------------------------------------------------------------------------------ */

/* What a value may be, in few words; `empty` stands for an empty one. */
static void print_kind(const struct key *key, const char * or, const char *empty)
{
    static const char *const kinds[] = {
        [KEY_STRING] = "string", [KEY_BOOL] = "true or false", [KEY_INTEGER] = "number",
        [KEY_SIZE] = "size",     [KEY_DURATION] = "duration",  [KEY_ENUM] = "string",
        [KEY_LIST] = "array",    [KEY_MAP] = "object",         [KEY_OBJECTS] = "array",
    };
    char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX];
    if (bounded(key)) {
        bounds_text(key, min, max);
        printf("%s from %s to %s", kinds[key->type], min, max);
    } else if (key->names) {
        for (size_t i = 0; key->names[i]; i++) {
            printf("%s%s", i ? or : "", *key->names[i] ? key->names[i] : empty);
        }
    } else {
        fputs(kinds[key->type], stdout);
    }
}

/* The default as text; "" where there is none. */
static void default_text(const struct key *key, char out[256])
{
    json_t *value = config_value_get(key, defaults);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(out, 256, "%s", !strcmp(text, "\"\"") || !strcmp(text, "[]") || !strcmp(text, "{}") ? "" : text);
    free(text);
    json_decref(value);
}

/* A star marks a key whose change requires a restart. */
static void put_row(const struct key *key)
{
    char text[256];
    default_text(key, text);
    printf("| `%s`%s | ", key->path, key->flags & KEY_RESTART ? "*" : "");
    print_kind(key, ", ", "\"\"");
    printf(" | %s%s%s | %s%s |\n", *text ? "`" : "", text, *text ? "`" : "", key->help, secret_note(key));
}

static unsigned *rows; /* of each key of config_keys: how many tables it is in */
static bool in_table;  /* between two marks: these lines are replaced */

static void put_rows(const char *glob)
{
    bool found = false;
    for (size_t i = 0; i < config_key_count; i++) {
        if (fnmatch(glob, config_keys[i].path, 0) == 0) {
            put_row(&config_keys[i]);
            rows[i]++;
            found = true;
        }
    }
    if (!found) {
        complain("no key matches %s", glob);
    }
}

/* The table of the keys that these globs match, in the order of the globs. */
static void put_table(char *globs)
{
    char *rest = globs;
    puts("| Key | Value | Default | Meaning |\n|---|---|---|---|");
    for (char *glob; (glob = strsep(&rest, " "));) {
        put_rows(glob);
    }
}

static void put_readme_line(const char *line)
{
    char globs[256];
    if (!strcmp(line, "<!-- /keys -->\n")) {
        in_table = false;
    }
    if (!in_table) {
        fputs(line, stdout);
    }
    if (sscanf(line, "<!-- keys: %255[^\n]", globs) == 1) {
        char *end = strstr(globs, " -->");
        if (in_table || !end) {
            complain("this mark is not closed: %s", globs);
            return;
        }
        *end = '\0';
        put_table(globs);
        in_table = true;
    }
}

static int write_tables(const char *readme)
{
    rows = calloc(config_key_count, sizeof(*rows));
    if (!rows || write_from(readme, put_readme_line) < 0) {
        free(rows);
        return -1;
    }
    if (in_table) {
        complain("the last table of %s has no end", readme);
    }
    for (size_t i = 0; i < config_key_count; i++) {
        if (rows[i] != 1) {
            complain("%s is in %u tables of %s; expected one", config_keys[i].path, rows[i], readme);
        }
    }
    free(rows);
    return 0;
}

/* -- man page ---------------------------------------------------------------------------------- */

/* Text for roff: a hyphen that may be copied, backslashes, and no dot or quote where a line begins. */
static void put_roff(const char *text)
{
    if (*text == '.' || *text == '\'') {
        fputs("\\&", stdout);
    }
    for (; *text; text++) {
        if (*text == '-' || *text == '\\') {
            fputs(*text == '-' ? "\\-" : "\\e", stdout);
        } else {
            putchar(*text);
        }
    }
}

static void put_man_keys(void)
{
    for (const struct key *key = config_keys; key->path; key++) {
        char text[256], env[CONFIG_ENV_MAX];
        default_text(key, text);
        config_key_env(key, env);
        printf(".TP\n.BR %s \" (", key->path);
        print_kind(key, " | ", "\\(dq\\(dq"); /* within quotes, "" is one */
        printf(")\"\n");
        put_roff(key->help);
        printf("%s%s\n", secret_note(key), restart_note(key));
        if (*text) {
            printf("Default: ");
            put_roff(text);
            printf(".\n");
        }
        printf(".br\n%s\n", env);
    }
}

/* Hands each line that a command prints to `put`. */
static void each_line_of(const char *command, void (*put)(const char *line))
{
    char line[1024];
    FILE *out = popen(command, "r");
    while (out && fgets(line, sizeof(line), out)) {
        put(line);
    }
    if (!out || pclose(out) != 0) {
        complain("%s failed", command);
    }
}

/* A line of `sidetail --help` that tells how a command is called: its part from the name on, else NULL. */
static const char *call_of(const char *line)
{
    const char *name = strstr(line, "sidetail ");
    bool usage = !strncmp(line, "usage: ", 7) || !strncmp(line, "       ", 7);
    return usage && name == line + 7 ? name + strlen("sidetail ") : NULL;
}

static void put_synopsis(const char *line)
{
    const char *call = call_of(line), *end = call ? strstr(call, "  ") : NULL;
    char text[256];
    if (call) {
        snprintf(text, sizeof(text), "%.*s", end ? (int)(end - call) : (int)strcspn(call, "\n"), call);
        printf(".B sidetail\n");
        put_roff(text);
        printf("\n.br\n");
    }
}

/* A command's own help as it stands: so it stays true. */
static void put_command(const char *line)
{
    const char *call = call_of(line);
    size_t len = call ? strspn(call, "abcdefghijklmnopqrstuvwxyz") : 0;
    char command[1024];
    if (len == 0) {
        return;
    }
    printf(".SS %.*s\n.nf\n", (int)len, call);
    fflush(stdout);
    snprintf(command, sizeof(command), "'%s' %.*s --help", program, (int)len, call);
    each_line_of(command, put_roff);
    printf(".fi\n");
}

static void ask_program(void (*put)(const char *line))
{
    char command[1024];
    snprintf(command, sizeof(command), "'%s' --help", program);
    each_line_of(command, put);
}

static void put_man_line(const char *line)
{
    const char *version = strstr(line, "@VERSION@");
    if (!strcmp(line, "@KEYS@\n")) {
        put_man_keys();
    } else if (!strcmp(line, "@SYNOPSIS@\n")) {
        ask_program(put_synopsis);
    } else if (!strcmp(line, "@COMMANDS@\n")) {
        ask_program(put_command);
    } else if (version) {
        printf("%.*s%s%s", (int)(version - line), line, VERSION, version + strlen("@VERSION@"));
    } else {
        fputs(line, stdout);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct config *cfg = config_defaults();
    int result = -1;
    defaults = cfg;
    if (!cfg) {
        perror("docs");
    } else if (!strcmp(what, "schema")) {
        result = write_schema();
    } else if (!strcmp(what, "tables") && argc == 3) {
        result = write_tables(argv[2]);
    } else if (!strcmp(what, "man") && argc == 4) {
        program = argv[3];
        result = write_from(argv[2], put_man_line);
    } else {
        fputs("usage: docs schema | tables README | man TEMPLATE PROGRAM\n", stderr);
    }
    config_free(cfg);
    return failed || result < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
