/* The configuration, of a file and an environment of any bytes: what is refused is refused with a message that shows no
 * secret and says where; what is taken up is the same when it is written down as a file and read again, needs no restart
 * then, can be shown without its secrets, and takes the labels of any container.
 *
 * The lines of an input that begin with '$' are the environment, those with '%' are a container's labels: NAME=VALUE. The
 * others are the file. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"
#include "config/hints.h"
#include "config/keys.h"
#include "config/value.h"
#include "fuzz.h"

#define SECRET "cAnarY-0f-a-secret"

/* Text that can be opened by a path. */
struct text_file {
    int fd;
    char path[32];
};

static struct text_file file, value_file;
static FILE *nowhere;

static void open_text(struct text_file *f)
{
    f->fd = memfd_create("text", MFD_CLOEXEC);
    CHECK(f->fd >= 0);
    snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
}

static void write_text(const struct text_file *f, const char *text, size_t len)
{
    CHECK(ftruncate(f->fd, 0) == 0 && pwrite(f->fd, text, len, 0) == (ssize_t)len);
}

static bool has(const char *text, const char *what)
{
    return strstr(text, what) != NULL;
}

/* -- the input --------------------------------------------------------------------------------- */

/* SIDETAIL_CONFIG names another file, and there is one file alone for all values with _FILE. */
static void set_variable(const char *name, const char *value)
{
    size_t len = strlen(name);
    bool ours = !strncmp(name, "SIDETAIL_", 9) || !strncmp(name, "DOCKER_", 7);
    if (!ours || !strcmp(name, "SIDETAIL_CONFIG")) {
        return;
    }
    if (len > 5 && !strcmp(name + len - 5, "_FILE")) {
        write_text(&value_file, value, strlen(value));
        value = value_file.path;
    }
    setenv(name, value, 1);
}

static void take_line(char *line, struct buf *text, json_t *labels)
{
    char *equals = strchr(line, '=');
    if ((*line != '$' && *line != '%') || !equals) {
        CHECK(buf_add(text, line, strlen(line)) == 0 && buf_add(text, "\n", 1) == 0);
        return;
    }
    *equals = '\0';
    if (*line == '$') {
        set_variable(line + 1, equals + 1);
    } else {
        json_object_set_new(labels, line + 1, json_string(equals + 1)); /* not, unless it is UTF-8 */
    }
}

static void split(const uint8_t *data, size_t size, struct buf *text, json_t *labels)
{
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        char *line = strndup(at, (size_t)(stop - at)); /* a NUL ends it, too */
        CHECK(line);
        take_line(line, text, labels);
        free(line);
        at = stop + 1;
    }
}

/* -- what comes of it -------------------------------------------------------------------------- */

/* Where the fault lies: in the file, a variable, or in what goes together. */
static void check_message(const char *said, const struct buf *text)
{
    unsigned line = 1, column = 1, lines = 1;
    size_t prefix = strlen(file.path);
    CHECK(said[0] && !has(said, SECRET));
    for (const char *c = said; *c; c++) {
        CHECK((unsigned char)*c >= ' ');
    }
    for (size_t i = 0; i < text->len; i++) {
        lines += text->data[i] == '\n';
    }
    if (!strncmp(said, file.path, prefix)) {
        CHECK(sscanf(said + prefix, ":%u:%u: ", &line, &column) == 2 || has(said, "cannot be read"));
    }
    CHECK(line >= 1 && line <= lines && column >= 1);
}

/* The settings as a file: secrets, too. */
static json_t *write_down(const struct config *cfg)
{
    json_t *root = json_object();
    for (const struct key *key = config_keys; key->path; key++) {
        size_t len = config_key_section(key);
        json_t *section = root, *value = config_value_get(key, cfg);
        CHECK(value);
        if (len > 0 && !(section = json_object_getn(root, key->path, len))) {
            section = json_object();
            CHECK(json_object_setn_new(root, key->path, len, section) == 0);
        }
        CHECK(json_object_set_new(section, key->path + len + (len > 0), value) == 0);
    }
    return root;
}

static struct config *load_json(const json_t *json)
{
    struct error err = {0};
    char *text = json_dumps(json, JSON_INDENT(1));
    CHECK(text);
    write_text(&file, text, strlen(text));
    free(text);
    struct config *cfg = config_load(file.path, &err);
    if (!cfg) {
        fprintf(stderr, "%s\n", err.text);
    }
    CHECK(cfg);
    return cfg;
}

static void returns(const struct config *cfg)
{
    json_t *first = write_down(cfg);
    struct config *again = load_json(first);
    json_t *second = write_down(again);
    CHECK(json_equal(first, second) && !config_needs_restart(cfg, again));
    json_decref(first);
    json_decref(second);
    config_free(again);
}

static void is_shown(const struct config *cfg)
{
    json_t *json = config_dump(cfg);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    CHECK(text && !has(text, SECRET) && config_overrides_tell(cfg, nowhere) == 0);
    free(text);
    json_decref(json);
}

static void refused(void *arg, const char *label, const char *value, const struct error *why)
{
    (void)arg;
    CHECK(label && value && why->text[0]);
}

static void takes_labels(const struct config *cfg, const json_t *labels)
{
    char *hints = config_hints(cfg, UINT64_MAX, labels, (struct hint_refused){refused, NULL});
    struct config *with = config_overridden(cfg, UINT64_MAX, hints);
    CHECK(with && with->drop.count >= with->hinted.drop && with->redact.count >= with->hinted.redact);
    CHECK(!hints || with->hinted.any);
    config_free(with);
    free(hints);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    open_text(&file);
    open_text(&value_file);
    nowhere = fopen("/dev/null", "w");
    CHECK(nowhere);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0};
    struct error err = {0};
    if (size > 0 && memmem(data, size, SECRET, strlen(SECRET))) {
        return 0; /* the fuzzer found it here, and put it where anybody may read it */
    }
    json_t *labels = json_object();
    clearenv();
    setenv("SIDETAIL_KAFKA_SASL_MECHANISM", "PLAIN", 1);
    setenv("SIDETAIL_KAFKA_SASL_USERNAME", "user", 1);
    setenv("SIDETAIL_KAFKA_SASL_PASSWORD", SECRET, 1);
    split(data, size, &text, labels);
    write_text(&file, text.data, text.len);
    struct config *cfg = config_load(file.path, &err);
    clearenv();
    if (!cfg) {
        check_message(err.text, &text);
    } else {
        is_shown(cfg);
        takes_labels(cfg, labels);
        returns(cfg);
    }
    config_free(cfg);
    json_decref(labels);
    buf_free(&text);
    return 0;
}
